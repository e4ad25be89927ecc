// Questions about a text, answered as probabilities after one pass.
import { ask_json, type Answer, type Decisions, type Question } from './api';
import { by_id, el, fill_chips, percent, seconds, send_on_enter } from './dom';
import type { DecideExample } from './examples';
import { notice } from './notice';
import { QuestionForm } from './question_form';
import { Task } from './task';

interface Share { label: string; probability: number; chosen: boolean }

function shares(answer: Answer): Share[] {
  if (answer.type === 'predicate') {
    const p = answer.probability;
    return [{ label: 'yes', probability: p, chosen: p >= 0.5 },
            { label: 'no', probability: 1 - p, chosen: p < 0.5 }];
  }
  if (answer.type === 'choice') {
    return answer.probabilities.map(({ value, probability }) =>
      ({ label: String(value), probability, chosen: value === answer.choice }));
  }
  if (answer.type === 'refusal') return [];
  const most = Math.max(...answer.probabilities.map(level => level.probability));
  return answer.probabilities.map(({ label, probability }) =>
    ({ label, probability, chosen: probability === most }));
}

/** What is behind the bars: the mean level of a score, how sure a choice is. */
function remark(answer: Answer): string {
  if (answer.type === 'score') {
    return `level ${answer.score.toFixed(2)} of 0 to ${answer.probabilities.length - 1} \u00b7 ` +
           `confidence ${percent(answer.confidence)}`;
  }
  if (answer.type === 'choice') return `confidence ${percent(answer.confidence)}`;
  return answer.type === 'refusal' ? 'The model refused to answer.' : '';
}

function card(question: Question, answer: Answer): HTMLElement {
  const rows = shares(answer).map(({ label, probability, chosen }) => {
    const bar = el('div', { class: 'bar', 'aria-hidden': 'true' });
    bar.style.setProperty('--share', String(probability));
    return el('li', chosen ? { class: 'chosen' } : {}, el('span', { class: 'name' }, label),
              bar, el('span', { class: 'value' }, percent(probability)));
  });
  const words = remark(answer);
  return el('article', { class: 'card' }, el('h3', {}, question.instructions),
            el('ul', { class: 'shares' }, ...rows), el('p', { class: 'status' }, words));
}

export class Decide {
  readonly task: Task;
  private readonly field = by_id<HTMLTextAreaElement>('decide-text');
  private readonly words = by_id<HTMLInputElement>('decide-words');
  private readonly list = by_id('decide-questions');
  private readonly result = by_id('decide-result');
  private forms: QuestionForm[] = [];

  constructor(private readonly model: string, examples: DecideExample[]) {
    this.task = new Task(by_id('decide-go'), () => this.decide());
    send_on_enter(this.field, () => this.task.busy || this.decide());
    by_id('decide-add').addEventListener('click', () => {
      this.add({ type: 'predicate', instructions: '' }).querySelector('input')!.focus();
    });
    fill_chips(by_id('decide-examples'), examples, i => {
      this.field.value = examples[i]!.text;
      this.words.checked = examples[i]!.own_words ?? false;
      this.put(examples[i]!.questions);
      this.field.focus();
    });
    this.put([{ type: 'predicate', instructions: '' }]);
  }

  private put(questions: Question[]): void {
    this.forms = [];
    this.list.replaceChildren();
    for (const question of questions) this.add(question);
  }

  private add(question: Question): HTMLElement {
    const form = new QuestionForm(question, () => {
      this.forms = this.forms.filter(other => other !== form);
      form.element.remove();
      by_id('decide-add').focus();
    }, () => this.task.busy || this.decide());
    this.forms.push(form);
    this.list.append(form.element);
    return form.element;
  }

  private decide(): void {
    if (!this.field.reportValidity() || !this.forms.every(form => form.valid())) return;
    if (!this.forms.length) return by_id('decide-add').focus();
    const questions = this.forms.map(form => form.question());
    const body = { model: this.model, input: this.field.value.trim(), questions,
                   ...(this.words.checked && { diffusion: { labels: 'text' } }) };
    this.result.replaceChildren(el('p', { class: 'status', role: 'status' }, 'deciding'));
    void this.task.run(async signal => {
      try {
        const begin = performance.now();
        const reply = await ask_json<Decisions>('v1/decisions', body, signal);
        this.show(questions, reply, (performance.now() - begin) / 1000);
      } catch (error) {
        this.result.replaceChildren(signal.aborted
          ? el('p', { class: 'status', role: 'status' }, 'stopped')
          : notice(error, () => this.decide()));
      }
    });
  }

  private show(questions: Question[], reply: Decisions, elapsed: number): void {
    const count = questions.length === 1 ? '1 answer' : `${questions.length} answers`;
    const cost = `${count} in ${seconds(reply.diffusion?.seconds ?? elapsed)} \u00b7 ` +
                 `${reply.usage.input_tokens} tokens read, none written`;
    this.result.replaceChildren(
      ...questions.map((question, i) => card(question, reply.answers[i]!)),
      el('p', { class: 'status', role: 'status' }, cost),
      ...(reply.diffusion?.warnings ?? []).map(text => el('p', { class: 'hint' }, text)));
  }
}
