// A slider over the steps of a finished answer, and a button that plays them.
import type { CanvasView } from './canvas_view';
import { button, el } from './dom';

const kLongest = 6000;  // milliseconds
const kPerFrame = 90;

export class Replay {
  readonly element = el('div', { class: 'replay' });
  private readonly slider: HTMLInputElement;
  private readonly label = el('output', {});
  private readonly play: HTMLButtonElement;
  private timer = 0;

  constructor(private readonly view: CanvasView) {
    this.play = button('Replay', () => this.toggle());
    this.slider = el('input', { type: 'range', min: '0', max: String(view.frames),
                                value: String(view.frames), 'aria-label': 'Step of the answer' });
    this.slider.addEventListener('input', () => {
      this.halt();
      this.show(this.slider.valueAsNumber);
    });
    this.element.append(this.play, this.slider, this.label);
    this.show(view.frames);
  }

  private show(frames: number): void {
    const seen = this.view.canvas!.frames[frames - 1];
    this.label.textContent = seen ? `step ${seen.step + 1} of ${this.view.canvas!.steps}` : 'start';
    this.slider.setAttribute('aria-valuetext', this.label.textContent);
    this.view.show(frames);
  }

  private toggle(): void {
    if (this.timer) this.halt();
    else this.run();
  }

  private halt(): void {
    cancelAnimationFrame(this.timer);
    this.timer = 0;
    this.play.textContent = 'Replay';
  }

  private run(): void {
    const frames = this.view.frames;
    const duration = Math.min(kLongest, frames * kPerFrame);
    const begin = performance.now();
    const next = (now: number) => {
      const at = Math.min(frames, Math.floor((Math.max(0, now - begin) / duration) * frames));
      if (at !== this.slider.valueAsNumber) {
        this.slider.value = String(at);
        this.show(at);
      }
      if (at < frames) this.timer = requestAnimationFrame(next);
      else this.halt();
    };
    this.play.textContent = 'Pause';
    this.timer = requestAnimationFrame(next);
  }
}
