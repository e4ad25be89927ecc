// The canvas on the page: one list item a token, changed only where a frame changes it.
import type { CanvasEvent, FrameEvent } from './api';
import { Canvas, doubt, is_end_token, level } from './canvas';
import { el, percent } from './dom';

// A light shade, and a place to break the line behind it.
const kMask = '\u2591\u200b';
const kEndMark = '\u00b7';

export class CanvasView {
  // Read aloud from the answer's text instead, see AnswerView.
  readonly element = el('ol', { class: 'canvas', 'aria-hidden': 'true' });
  canvas: Canvas | null = null;
  private items: HTMLLIElement[] = [];
  private length = 0;  // cells behind it are end tokens that need not be seen

  begin(event: CanvasEvent): void {
    this.canvas = new Canvas(event);
    this.items = [];
    this.element.replaceChildren();
    this.grow();
    this.show(0);
  }

  apply(frame: FrameEvent): void {
    if (!this.canvas) return;
    const end = this.canvas.block_end(Infinity);
    const changed = this.canvas.apply(frame);
    this.grow();
    if (end !== frame.block[1]) this.show(this.frames);
    else for (const i of changed) this.draw(i, this.frames);
  }

  private grow(): void {
    this.length = this.canvas!.cells.length;
    const more = this.canvas!.cells.slice(this.items.length).map(() => el('li'));
    this.items.push(...more);
    this.element.append(...more);
  }

  /** No more frames will come. `tokens`: how many belong to the answer, null for all. */
  finish(text: string, tokens: number | null): void {
    if (!this.canvas) return;
    this.canvas.finish();
    this.canvas.mend(text);
    this.length = tokens ?? this.canvas.cells.length;
    this.show(this.frames);
  }

  get frames(): number {
    return this.canvas?.frames.length ?? 0;
  }

  /** The canvas as it was after the first `frames` frames. */
  show(frames: number): void {
    this.items.forEach((_, i) => this.draw(i, frames));
  }

  /** Marks the cells for which `differs` holds. */
  mark(differs: (position: number) => boolean): void {
    this.items.forEach((item, i) => item.classList.toggle('differs', differs(i)));
  }

  private draw(i: number, frames: number): void {
    const canvas = this.canvas!;
    const cell = canvas.cells[i]!;
    const item = this.items[i]!;
    const kept = item.classList.contains('differs') ? ' differs' : '';
    if (!canvas.shown(cell, frames)) {
      const ahead = i >= canvas.block_end(frames) ? ' ahead' : '';
      this.put(item, i < this.length ? kMask : '', `mask${ahead}${kept}`, '');
    } else if (cell.frame < 0) {
      this.put(item, is_end_token(cell.text) ? '' : cell.text, `given${kept}`, '');
    } else if (i >= this.length || is_end_token(cell.text)) {
      this.put(item, i < this.length ? kEndMark : '', 'end', '');
    } else {
      const look = `set s${level(cell.step, canvas.steps)} d${doubt(cell.probability)}${kept}`;
      this.put(item, cell.text, look,
               `step ${cell.step + 1} of ${canvas.steps}, ${percent(cell.probability)} sure`);
    }
  }

  private put(item: HTMLLIElement, text: string, look: string, title: string): void {
    if (item.className !== look) item.className = look;
    if (item.title !== title) item.title = title;
    if (item.textContent === text) return;
    // Lines and grounds go below words, not below the blanks before them.
    const word = text.trimStart();
    item.replaceChildren(text.slice(0, text.length - word.length), el('span', {}, word));
  }
}
