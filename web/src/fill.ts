// Texts with holes, filled in.
import { AnswerView } from './answer';
import { by_id, el, fill_chips, send_on_enter } from './dom';
import type { Example } from './examples';
import { to_masks } from './fill_text';
import type { SettingsForm } from './settings';
import { Task } from './task';

export class Fill {
  readonly task: Task;
  private readonly field = by_id<HTMLTextAreaElement>('fill-text');
  private readonly size = by_id<HTMLInputElement>('fill-size');
  private readonly result = by_id('fill-result');

  constructor(private readonly model: string, private readonly settings: SettingsForm,
              examples: Example[]) {
    this.task = new Task(by_id('fill-go'), () => this.fill());
    send_on_enter(this.field, () => this.task.busy || this.fill());
    fill_chips(by_id('fill-examples'), examples, i => {
      this.field.value = examples[i]!.text;
      this.field.focus();
    });
  }

  private fill(): void {
    if (!this.size.reportValidity() || !this.settings.valid()) return;
    const { prompt, holes } = to_masks(this.field.value, this.size.valueAsNumber);
    if (!holes) {
      this.result.replaceChildren(el('p', { class: 'notice', role: 'alert' },
                                     'There is no hole in the text. Mark one with ___ or ___{6}.'));
      return;
    }
    const body = this.settings.apply({ model: this.model, prompt, diffusion: { holes: true } },
                                     ['preset', 'method', 'algorithm', 'steps', 'block_length',
                                      'threshold', 'temperature', 'seed']);
    const view = new AnswerView({ trims: false, again: () => this.task.busy || this.fill() });
    this.result.replaceChildren(view.element);
    void this.task.run(async signal => { await view.run('v1/completions', body, signal); });
  }
}
