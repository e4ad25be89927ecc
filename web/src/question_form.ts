// One question of the screen "Decide" as a form.
import type { Question } from './api';
import { button, el, labelled } from './dom';

const kKinds: [Question['type'], string][] = [
  ['predicate', 'Yes or no'], ['choice', 'One of several'], ['score', 'A level']];
const kHints = { choice: 'One answer a line, as "value" or "value: description".',
                 score: 'One level a line, lowest first.' };

function lines(text: string): [string, string | undefined][] {
  return text.split('\n').map(line => line.trim()).filter(Boolean).map(line => {
    const [name, ...rest] = line.split(': ');
    return [name!, rest.length ? rest.join(': ') : undefined];
  });
}

function unlines(list: { name: string; description?: string }[]): string {
  const line = (name: string, description?: string) => description ? `${name}: ${description}` : name;
  return list.map(({ name, description }) => line(name, description)).join('\n');
}

/** A label for ears: eyes see what the control is. */
function heard(text: string, control: HTMLElement): HTMLElement {
  const block = labelled(text, control);
  block.querySelector('label')!.className = 'aloud';
  return block;
}

export class QuestionForm {
  readonly element: HTMLElement;
  private readonly kind = el('select', {}, ...kKinds.map(([value, text]) =>
    el('option', { value }, text)));
  private readonly asked = el('input', { type: 'text', required: '',
                                         placeholder: 'Ask about the text' });
  private readonly answers = el('textarea', { rows: '3' });
  private readonly hint: HTMLElement;
  private readonly answers_block: HTMLElement;

  constructor(question: Question, on_remove: () => void, send: () => void) {
    this.kind.value = question.type;
    this.asked.value = question.instructions;
    this.answers_block = labelled('Answers', this.answers, ' ');
    this.hint = this.answers_block.querySelector('.hint')!;
    if (question.type === 'choice') {
      this.answers.value = unlines(question.choices.map(c => ({ ...c, name: c.value })));
    } else if (question.type === 'score') {
      this.answers.value = unlines(question.levels.map(l => ({ ...l, name: l.label })));
    }
    this.kind.addEventListener('change', () => this.show());
    this.asked.addEventListener('keydown', event => {
      if (event.key !== 'Enter' || event.isComposing) return;
      event.preventDefault();
      send();
    });
    const remove = button('Remove', on_remove);
    remove.setAttribute('aria-label', 'Remove this question');
    this.element = el('fieldset', { class: 'question-form' },
                      el('legend', { class: 'aloud' }, 'Question'),
                      heard('Question', this.asked),
                      el('div', { class: 'row' }, heard('Kind of answer', this.kind), remove),
                      this.answers_block);
    this.show();
  }

  private show(): void {
    const kind = this.kind.value as Question['type'];
    this.answers_block.hidden = kind === 'predicate';
    this.answers.required = kind !== 'predicate';
    if (kind !== 'predicate') this.hint.textContent = kHints[kind];
  }

  valid(): boolean {
    return this.asked.reportValidity() && this.answers.reportValidity();
  }

  question(): Question {
    const instructions = this.asked.value.trim();
    const kind = this.kind.value as Question['type'];
    const named = lines(this.answers.value);
    if (kind === 'predicate') return { type: kind, instructions };
    if (kind === 'choice') {
      return { type: kind, instructions,
               choices: named.map(([value, description]) => ({ value, description })) };
    }
    return { type: kind, instructions,
             levels: named.map(([label, description]) => ({ label, description })) };
  }
}
