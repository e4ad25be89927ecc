// How to denoise: a form built from what the server offers, and the drawer that holds it.
import { api_key, set_api_key, type Props } from './api';
import { by_id, el, labelled } from './dom';

export type Field = 'preset' | 'method' | 'algorithm' | 'steps' | 'block_length' | 'threshold' |
                    'temperature' | 'seed' | 'max_tokens';

interface NumberField { label: string; hint: string; min: number; max: number; step: string }

const kNumbers: Partial<Record<Field, NumberField>> = {
  steps: { label: 'Steps', hint: 'Fewer are faster; each then decides more tokens.',
           min: 1, max: 100_000, step: '1' },
  block_length: { label: 'Block length', hint: 'Blocks are finished from left to right.',
                  min: 1, max: 100_000, step: '1' },
  threshold: { label: 'Threshold', hint: 'Decide every token at least this sure, 0 to 1.',
               min: 0, max: 1, step: 'any' },
  temperature: { label: 'Temperature', hint: '0 is what these models are meant for.',
                 min: 0, max: 2, step: 'any' },
  seed: { label: 'Seed', hint: 'The same seed gives the same answer.',
          min: 0, max: Number.MAX_SAFE_INTEGER, step: '1' },
  max_tokens: { label: 'Most tokens', hint: 'Length of the canvas.', min: 1, max: 100_000, step: '1' },
};

const kTopLevel: ReadonlySet<Field> = new Set<Field>(['temperature', 'seed', 'max_tokens']);
export const kAllFields: Field[] = ['preset', 'method', 'algorithm', 'steps', 'block_length',
                                    'threshold', 'temperature', 'seed', 'max_tokens'];

function choices(names: string[], open: string): HTMLSelectElement {
  const option = (name: string) => el('option', { value: name }, name);
  return el('select', {}, el('option', { value: '' }, open), ...names.map(option));
}

/** Controls for some of the fields. What is left open is left to the server. */
export class SettingsForm {
  readonly element = el('div', { class: 'settings-form' });
  private readonly shows: (() => void)[] = [];  // bring what depends on the values up to date
  private readonly controls = new Map<Field, HTMLInputElement | HTMLSelectElement>();

  constructor(fields: Field[], props: Props, private readonly on_change: () => void = () => undefined) {
    const d = props.diffusion;
    for (const name of fields) {
      if (name === 'preset') this.add_preset(d);
      else if (name === 'method') this.add(name, 'Method', choices(d.methods, 'as the preset says'));
      else if (name === 'algorithm') {
        this.add(name, 'Order of decisions', choices(d.algorithms, 'the model\u2019s'));
      } else this.add_number(name, kNumbers[name]!);
    }
  }

  private add_preset(offer: Props['diffusion']): void {
    const names = offer.presets.map(preset => preset.name);
    const select = choices(names, `${offer.preset} (server\u2019s own)`);
    this.add('preset', 'Preset', select, ' ');
    const hint = this.element.querySelector('.hint')!;
    const show = () => {
      const name = select.value || offer.preset;
      hint.textContent = offer.presets.find(preset => preset.name === name)?.what ?? '';
    };
    this.shows.push(show);
    select.addEventListener('change', show);
    show();
  }

  private add_number(name: Field, field: NumberField): void {
    const input = el('input', { type: 'number', min: String(field.min), max: String(field.max),
                                step: field.step, placeholder: 'open', inputmode: 'decimal' });
    this.add(name, field.label, input, field.hint);
  }

  private add(name: Field, label: string, control: HTMLInputElement | HTMLSelectElement,
              hint = ''): void {
    control.name = name;
    control.addEventListener('change', () => this.on_change());
    this.controls.set(name, control);
    this.element.append(labelled(label, control, hint));
  }

  get(name: Field): string {
    return this.controls.get(name)?.value ?? '';
  }

  set(name: Field, value: string): void {
    const control = this.controls.get(name);
    if (control) control.value = value;
    for (const show of this.shows) show();
  }

  values(): Partial<Record<Field, string>> {
    return Object.fromEntries([...this.controls].map(([name, control]) => [name, control.value])
      .filter(([, value]) => value));
  }

  /** False after telling the user which number cannot be. */
  valid(): boolean {
    const wrong = [...this.controls.values()].find(control => !control.checkValidity());
    if (!wrong) return true;
    // Browsers say nothing about what cannot be seen.
    if (wrong.closest('dialog')?.open === false) open_settings();
    wrong.closest('details')?.setAttribute('open', '');
    return wrong.reportValidity();
  }

  /** Writes what is set, of `fields` alone, where the API wants it. */
  apply(body: Record<string, unknown>, fields: Field[] = kAllFields): Record<string, unknown> {
    const diffusion: Record<string, unknown> = { ...(body.diffusion as object) };
    for (const [name, value] of Object.entries(this.values()) as [Field, string][]) {
      if (!fields.includes(name)) continue;
      const known = name in kNumbers ? Number(value) : value;
      (kTopLevel.has(name) ? body : diffusion)[name] = known;
    }
    body.diffusion = diffusion;
    return body;
  }

  /** "balanced, threshold 0.9", or that nothing is set. */
  in_words(): string {
    const set = Object.entries(this.values()).map(([name, value]) =>
      name in kNumbers ? `${name.replace('_', ' ')} ${value}` : value);
    return set.join(', ') || 'server\u2019s own settings';
  }
}

const kStored = 'unmask.settings';

/** Opens the drawer, at the key or at its beginning. */
export function open_settings(at_key = false): void {
  by_id<HTMLDialogElement>('settings').showModal();
  if (at_key) by_id('key').focus();
}

/** Puts the form into the drawer and keeps both for the tab. `on_key`: the key is another. */
export function create_drawer(props: Props): SettingsForm {
  const form = new SettingsForm(kAllFields, props, () => {
    sessionStorage.setItem(kStored, JSON.stringify(form.values()));
    show();
  });
  const show = () => {
    const words = form.in_words();
    for (const text of document.querySelectorAll('.settings-now')) text.textContent = words;
  };
  const stored = JSON.parse(sessionStorage.getItem(kStored) ?? '{}') as Record<Field, string>;
  for (const [name, value] of Object.entries(stored)) form.set(name as Field, value);
  show();
  by_id('settings-fields').replaceChildren(form.element);
  by_id('settings-reset').addEventListener('click', () => {
    for (const name of kAllFields) form.set(name, '');
    sessionStorage.removeItem(kStored);
    show();
  });
  return form;
}

/** What of the drawer works before the server answers: opening, closing, the key. */
export function prepare_drawer(on_key: () => void): void {
  const drawer = by_id<HTMLDialogElement>('settings');
  const key = by_id<HTMLInputElement>('key');
  key.value = api_key();
  const close = () => drawer.close();
  drawer.addEventListener('close', () => {
    if (key.value === api_key()) return;
    set_api_key(key.value);
    on_key();
  });
  drawer.addEventListener('click', event => { if (event.target === drawer) close(); });
  by_id('settings-close').addEventListener('click', close);
  by_id('settings-open').addEventListener('click', () => open_settings());
  for (const link of document.querySelectorAll('.settings-link')) {
    link.addEventListener('click', () => open_settings());
  }
}
