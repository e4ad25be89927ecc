// What is on the canvas: a list of tokens and masks that only grows clearer.
import type { CanvasEvent, FrameEvent } from './api';

export interface Cell {
  text: string;
  step: number;         // of the commit
  frame: number;        // index of its frame; -1 for given text, Infinity while masked
  probability: number;  // 0..1, the model's when it decided
}

export const kLevels = 5;

/** `step` of `steps` as one of five shades, 0 the earliest. */
export function level(step: number, steps: number): number {
  return Math.max(0, Math.min(kLevels - 1, Math.floor((step * kLevels) / Math.max(1, steps))));
}

/** How unsure a decision was: 0 sure, 3 a guess. */
export function doubt(probability: number): number {
  if (probability >= 0.9) return 0;
  return probability >= 0.7 ? 1 : probability >= 0.4 ? 2 : 3;
}

/** Special tokens such as <|endoftext|> stand for beginnings and ends and are no text. */
export function is_end_token(text: string): boolean {
  return /^<\|?[\w-]+\|?>$/.test(text) && text.length > 3;
}

export class Canvas {
  readonly cells: Cell[] = [];
  readonly frames: { step: number; block_end: number }[] = [];
  steps = 1;

  constructor(event: CanvasEvent) {
    this.grow(event.length);
    for (const [position, text] of event.given ?? []) {
      this.cells[position] = { text, step: 0, frame: -1, probability: 1 };
    }
  }

  private grow(length: number): void {
    while (this.cells.length < length) {
      this.cells.push({ text: '', step: 0, frame: Infinity, probability: 0 });
    }
  }

  /** Takes the commits of a frame in and returns their positions. A canvas that is full without an
   *  end may have grown. */
  apply(frame: FrameEvent): number[] {
    const index = this.frames.length;
    this.grow(frame.length);
    this.frames.push({ step: frame.step, block_end: frame.block[1] });
    this.steps = Math.max(frame.steps, frame.step, 1);
    for (const [position, , text, probability] of frame.commits) {
      this.cells[position] = { text, step: frame.step, frame: index, probability };
    }
    return frame.commits.map(([position]) => position);
  }

  /** After the last frame the shades spread over the steps that were really taken. */
  finish(): void {
    const last = this.frames[this.frames.length - 1];
    if (last) this.steps = last.step + 1;
  }

  /** Whether `cell` is decided after the first `frames` frames. */
  shown(cell: Cell, frames: number): boolean {
    return cell.frame < frames;
  }

  /** End of the block that is worked on after the first `frames` frames; masks behind it wait. */
  block_end(frames: number): number {
    const last = Math.min(frames, this.frames.length) - 1;
    return this.frames[Math.max(0, last)]?.block_end ?? this.cells.length;
  }

  /** Number of tokens that were decided rather than given. */
  decided(): number {
    return this.cells.filter(cell => cell.frame >= 0 && cell.frame < Infinity).length;
  }

  /** Tokens that are not whole characters carry U+FFFD. `text` is the answer: gives each run of
   *  such tokens the characters that it stands for, all in its first cell. Does nothing to cells
   *  from the first that disagrees with `text`. */
  mend(text: string): number[] {
    const mended: number[] = [];
    let at = 0;
    for (let i = 0; i < this.cells.length && at < text.length;) {
      const cell = this.cells[i]!;
      if (is_end_token(cell.text)) {
        ++i;
        continue;
      }
      if (!cell.text.includes('\ufffd')) {
        if (!text.startsWith(cell.text, at)) return mended;
        at += cell.text.length;
        ++i;
        continue;
      }
      let end = i;
      while (this.cells[end]?.text.includes('\ufffd')) ++end;
      const next = this.cells[end]?.text ?? '';
      const found = next && !is_end_token(next) ? text.indexOf(next, at) : text.length;
      if (found < 0) return mended;
      for (let k = i; k < end; ++k) {
        this.cells[k]!.text = k === i ? text.slice(at, found) : '';
        mended.push(k);
      }
      at = found;
      i = end;
    }
    return mended;
  }
}

/** Share of positions below `length` at which both hold the same token, 0..1. */
export function share_equal(a: readonly Cell[], b: readonly Cell[], length: number): number {
  let equal = 0;
  for (let i = 0; i < length; ++i) if (a[i] && b[i] && a[i]!.text === b[i]!.text) ++equal;
  return length ? equal / length : 1;
}
