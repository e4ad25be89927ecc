// One question, two settings: what they cost and where the answers part.
import { AnswerView } from './answer';
import type { Props } from './api';
import { share_equal, type Cell } from './canvas';
import { by_id, el, fill_chips, percent, seconds, send_on_enter } from './dom';
import type { Example } from './examples';
import type { Figures } from './generation';
import { SettingsForm, type Field } from './settings';
import { Task } from './task';

const kSides = ['a', 'b'] as const;
const kFirstPresets = ['exact', 'fast'];
const kMainFields: Field[] = ['preset', 'threshold'];
const kMoreFields: Field[] = ['method', 'steps', 'block_length'];

interface Measure {
  label: string;
  of: (f: Figures) => number | null;
  show: (value: number) => string;
}

const kMeasures: Measure[] = [
  { label: 'Time', of: f => f.seconds, show: seconds },
  { label: 'First text', of: f => f.first_text, show: seconds },
  { label: 'Passes', of: f => f.passes, show: String },
  { label: 'Tokens/s', of: f => f.tokens === null ? null : f.tokens / Math.max(f.seconds, 1e-3),
    show: value => value.toFixed(1) },
];

function bar(value: number, most: number, side: string): HTMLElement {
  const element = el('div', { class: `bar side-${side}`, 'aria-hidden': 'true' });
  element.style.setProperty('--share', String(most > 0 ? value / most : 0));
  return element;
}

function measure_row(measure: Measure, both: Figures[]): HTMLElement {
  const values = both.map(measure.of);
  const most = Math.max(...values.map(value => value ?? 0));
  const cells = values.map((value, i) => el('td', {}, value === null ? 'unknown'
    : el('div', { class: 'measure' }, el('span', {}, measure.show(value)),
         bar(value, most, kSides[i]!))));
  return el('tr', {}, el('th', { scope: 'row' }, measure.label), ...cells);
}

export class Compare {
  readonly task: Task;
  private readonly field = by_id<HTMLTextAreaElement>('compare-text');
  private readonly summary = by_id('compare-summary');
  private readonly sides: SettingsForm[][];

  constructor(private readonly model: string, private readonly settings: SettingsForm, props: Props,
              examples: Example[]) {
    this.task = new Task(by_id('compare-go'), () => this.compare());
    send_on_enter(this.field, () => this.task.busy || this.compare());
    this.sides = kSides.map((side, i) => {
      const main = new SettingsForm(kMainFields, props);
      const more = new SettingsForm(kMoreFields, props);
      main.set('preset', kFirstPresets[i]!);
      by_id(`compare-settings-${side}`).replaceChildren(main.element, el('details', {},
        el('summary', {}, 'Method, steps and blocks'), more.element));
      return [main, more];
    });
    fill_chips(by_id('compare-examples'), examples, i => {
      this.field.value = examples[i]!.text;
      this.field.focus();
    });
  }

  private compare(): void {
    const question = this.field.value.trim();
    if (!question || ![...this.sides.flat(), this.settings].every(form => form.valid())) return;
    this.summary.replaceChildren();
    const views = kSides.map(side => {
      const view = new AnswerView({ trims: true, again: null });
      by_id(`compare-result-${side}`).replaceChildren(view.element);
      return view;
    });
    void this.task.run(async signal => {
      const both: Figures[] = [];
      // One after the other: side by side they would share the machine, and the times mean nothing.
      for (const [i, view] of views.entries()) {
        const body = { model: this.model, messages: [{ role: 'user', content: question }] };
        this.settings.apply(body, ['temperature', 'seed', 'max_tokens', 'algorithm']);
        for (const form of this.sides[i]!) form.apply(body);
        const figures = await view.run('v1/chat/completions', body, signal);
        if (!figures) return;
        both.push(figures);
      }
      this.summarise(views, both);
    });
  }

  private summarise(views: AnswerView[], both: Figures[]): void {
    const [a, b] = views.map(view => view.view.canvas?.cells ?? []) as [Cell[], Cell[]];
    const length = Math.max(...both.map(f => f.tokens ?? 0));
    for (const view of views) {
      view.view.mark(i => i < length && a[i]?.text !== b[i]?.text);
    }
    const ratio = both[0]!.seconds / Math.max(both[1]!.seconds, 1e-3);
    const pace = ratio >= 1 ? `B is ${ratio.toFixed(1)} times as fast as A`
                            : `A is ${(1 / ratio).toFixed(1)} times as fast as B`;
    const head = el('thead', {}, el('tr', {}, el('td', {}), ...kSides.map(side =>
      el('th', { scope: 'col' }, side.toUpperCase()))));
    this.summary.replaceChildren(
      el('p', { class: 'verdict', role: 'status' },
         `${pace}; ${percent(share_equal(a, b, length))} of the tokens are equal.`),
      el('table', {}, el('caption', { class: 'aloud' }, 'What both answers cost'), head,
         el('tbody', {}, ...kMeasures.map(measure => measure_row(measure, both)))));
  }
}
