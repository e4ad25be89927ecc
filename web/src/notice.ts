// Errors where they happened, in words, with the way out as a button.
import { ApiError, in_words } from './api';
import { button, el } from './dom';
import { open_settings } from './settings';

/** `again` is offered unless asking again cannot help. */
export function notice(error: unknown, again: (() => void) | null): HTMLElement {
  const box = el('div', { class: 'notice', role: 'alert' }, el('p', {}, in_words(error)));
  const status = error instanceof ApiError ? error.status : 0;
  if (status === 401) {
    box.append(button('Enter the key', () => open_settings(true)));
  } else if (again && status !== 400) {
    box.append(button('Try again', again));
  }
  return box;
}
