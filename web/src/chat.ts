// Questions and answers, turn by turn.
import { AnswerView } from './answer';
import { by_id, el, fill_chips, send_on_enter } from './dom';
import type { Example } from './examples';
import type { SettingsForm } from './settings';
import { Task } from './task';

interface Turn { question: string; asked: HTMLElement; view: AnswerView }

export class Chat {
  readonly task: Task;
  private readonly field = by_id<HTMLTextAreaElement>('chat-text');
  private readonly log = by_id('chat-log');
  private turns: Turn[] = [];

  constructor(private readonly model: string, private readonly settings: SettingsForm,
              examples: Example[]) {
    this.task = new Task(by_id('chat-send'), () => this.send());
    send_on_enter(this.field, () => this.task.busy || this.send());
    this.field.addEventListener('input', () => this.grow());
    by_id('chat-new').addEventListener('click', () => this.clear());
    fill_chips(by_id('chat-examples'), examples, i => {
      this.field.value = examples[i]!.text;
      this.grow();
      this.field.focus();
    });
    this.show_empty();
  }

  private show_empty(): void {
    by_id('chat').classList.toggle('empty', this.turns.length === 0);
  }

  private grow(): void {
    this.field.rows = 1;  // or the height would only ever grow
    this.field.rows = Math.min(8, Math.max(1, Math.ceil(this.field.scrollHeight / 24)));
  }

  private clear(): void {
    this.task.stop();
    this.turns = [];
    this.log.replaceChildren();
    this.show_empty();
    this.field.focus();
  }

  private send(): void {
    const question = this.field.value.trim();
    if (!question || !this.settings.valid()) return;
    this.field.value = '';
    this.field.rows = 1;
    this.ask(question);
  }

  /** What was said so far; an answer without text is left out with its question. */
  private messages(question: string): { role: string; content: string }[] {
    const said = this.turns.filter(turn => turn.view.text).flatMap(turn => [
      { role: 'user', content: turn.question }, { role: 'assistant', content: turn.view.text }]);
    return [...said, { role: 'user', content: question }];
  }

  private ask(question: string): void {
    const body = this.settings.apply({ model: this.model, messages: this.messages(question) });
    const view = new AnswerView({ trims: true, again: () => this.again(turn) });
    const asked = el('div', { class: 'question' }, el('p', {}, question));
    const turn = { question, asked, view };
    this.turns.push(turn);
    this.log.append(asked, view.element);
    this.show_empty();
    // Long ones scroll, which the keyboard reaches only where there is a tab stop.
    const words = asked.firstElementChild as HTMLElement;
    if (words.scrollHeight > words.clientHeight) words.tabIndex = 0;
    view.element.scrollIntoView({ block: 'nearest' });
    void this.task.run(async signal => {
      await view.run('v1/chat/completions', body, signal);
      view.element.scrollIntoView({ block: 'nearest' });
    });
  }

  /** Drops the turn and what followed it, and asks its question anew. */
  private again(turn: Turn): void {
    if (this.task.busy) return;
    for (const dropped of this.turns.splice(this.turns.indexOf(turn))) {
      dropped.asked.remove();
      dropped.view.element.remove();
    }
    this.field.focus();
    this.ask(turn.question);
  }
}
