// An answer while it comes and when it is there: canvas, text for ears, status, buttons.
import type { CanvasEvent, FrameEvent } from './api';
import { kLevels } from './canvas';
import { CanvasView } from './canvas_view';
import { button, el, seconds } from './dom';
import { generate, type Figures, type Listener } from './generation';
import { notice } from './notice';
import { Replay } from './replay';

const kBetweenReadings = 1000;  // milliseconds: a screen reader should finish a sentence

export interface AnswerOptions {
  trims: boolean;              // end tokens behind the answer are hidden
  again: (() => void) | null;  // asks the same question once more
}

/** "64 tokens in 1.90 s, 34 tokens/s, 41 passes" */
export function figures_in_words(f: Figures): string {
  const words = [seconds(f.seconds)];
  if (f.tokens !== null) {
    words[0] = `${f.tokens} tokens in ${seconds(f.seconds)}`;
    words.push(`${(f.tokens / Math.max(f.seconds, 1e-3)).toFixed(1)} tokens/s`);
  }
  if (f.passes !== null) words.push(`${f.passes} passes`);
  if (f.first_text !== null) words.push(`first text after ${seconds(f.first_text)}`);
  return words.join(' \u00b7 ');
}

/** What the colours mean. */
function legend(): HTMLElement {
  const shades = Array.from({ length: kLevels }, (_, i) => el('i', { class: `s${i}` }));
  return el('p', { class: 'legend', 'aria-hidden': 'true' }, 'decided early', ...shades, 'late');
}

export class AnswerView implements Listener {
  readonly element: HTMLElement;
  readonly view = new CanvasView();
  text = '';
  private readonly spoken = el('p', { class: 'aloud', 'aria-live': 'polite' });
  private readonly status = el('p', { class: 'status' }, 'waiting for its turn');
  private readonly below = el('div', { class: 'below' }, this.status);
  private readonly tools = el('div', { class: 'tools' });
  private spoken_length = 0;
  private timer = 0;

  constructor(private readonly options: AnswerOptions) {
    this.element = el('div', { class: 'answer', 'data-state': 'running' }, this.view.element,
                      this.spoken, this.below, this.tools);
  }

  on_canvas(event: CanvasEvent): void {
    this.view.begin(event);
    this.status.textContent = 'reading the question';
  }

  on_frame(frame: FrameEvent): void {
    this.view.apply(frame);
    const steps = Math.max(frame.steps, frame.step + 1);
    this.status.textContent = `step ${frame.step + 1} of ${steps} \u00b7 ${frame.masked} masks left`;
  }

  on_text(piece: string): void {
    this.text += piece;
    this.timer ||= window.setTimeout(() => this.speak(), kBetweenReadings);
  }

  private speak(): void {
    window.clearTimeout(this.timer);
    this.timer = 0;
    if (this.text.length === this.spoken_length) return;
    this.spoken.append(el('span', {}, this.text.slice(this.spoken_length)));
    this.spoken_length = this.text.length;
  }

  /** Runs to the end. Null when it was stopped or failed, which the answer then says. */
  async run(path: string, body: Record<string, unknown>,
            signal: AbortSignal): Promise<Figures | null> {
    try {
      const figures = await generate(path, body, this, signal);
      const length = this.options.trims ? figures.tokens : null;
      // Of a text with holes, the server counts what was given too.
      if (!this.options.trims) figures.tokens = this.view.canvas?.decided() ?? null;
      this.finish('done', figures_in_words(figures), length);
      for (const warning of figures.warnings) this.tools.before(el('p', { class: 'hint' }, warning));
      return figures;
    } catch (error) {
      this.finish(signal.aborted ? 'stopped' : 'failed', signal.aborted ? 'stopped' : '', null);
      if (!signal.aborted) this.tools.before(notice(error, this.options.again));
      return null;
    }
  }

  private finish(state: string, status: string, tokens: number | null): void {
    this.speak();
    this.view.finish(this.text, tokens);
    this.status.textContent = status;
    if (this.view.frames) this.below.append(legend());
    if (this.text) this.tools.append(this.copy_button());
    if (this.options.again && state !== 'failed') {
      this.tools.append(button('Ask again', this.options.again));
    }
    if (this.view.frames > 1) this.tools.append(new Replay(this.view).element);
    this.element.dataset.state = state;
  }

  private copy_button(): HTMLElement {
    const copy = button('Copy', async () => {
      try {
        await navigator.clipboard.writeText(this.text);
        copy.textContent = 'Copied';
      } catch {
        copy.textContent = 'Not allowed to copy';  // plain HTTP from another machine, say
      }
      window.setTimeout(() => { copy.textContent = 'Copy'; }, 1500);
    });
    return copy;
  }
}
