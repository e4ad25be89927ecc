// The few lines that a framework would be used for. Text enters the page as text nodes only.

/** An element with attributes and children. */
export function el<K extends keyof HTMLElementTagNameMap>(
    tag: K, attributes: Record<string, string> = {},
    ...children: (Node | string)[]): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

/** The element that index.html names so. */
export function by_id<T extends HTMLElement>(id: string): T {
  const element = document.getElementById(id);
  if (!element) throw new Error(`[page] element: found none, expected #${id}`);
  return element as T;
}

/** A button with a word on it. */
export function button(label: string, on_click: () => void, look = 'quiet'): HTMLButtonElement {
  const element = el('button', { type: 'button', class: look }, label);
  element.addEventListener('click', on_click);
  return element;
}

/** Enter in the field sends, Shift+Enter makes a new line; Enter that ends a composed character
 *  does neither. */
export function send_on_enter(field: HTMLElement, send: () => void): void {
  field.addEventListener('keydown', event => {
    if (event.key !== 'Enter' || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    send();
  });
}

let next_id = 0;

/** A label and what it labels, in one block. */
export function labelled(text: string, control: HTMLElement, hint = ''): HTMLElement {
  control.id ||= `control-${++next_id}`;
  const block = el('div', { class: 'field' }, el('label', { for: control.id }, text), control);
  if (hint) {
    const id = `${control.id}-hint`;
    control.setAttribute('aria-describedby', id);
    block.append(el('p', { class: 'hint', id }, hint));
  }
  return block;
}

/** Chips that put an example into the form. */
export function fill_chips(list: HTMLElement, examples: { label: string }[],
                           choose: (index: number) => void): void {
  list.replaceChildren(...examples.map((example, i) =>
    el('li', {}, button(example.label, () => choose(i), 'chip'))));
}

export function seconds(value: number): string {
  return `${value.toFixed(value < 10 ? 2 : 1)} s`;
}

export function percent(share: number): string {
  return `${Math.round(share * 100)}\u00a0%`;
}
