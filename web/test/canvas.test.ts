import assert from 'node:assert/strict';
import test from 'node:test';
import type { FrameEvent } from '../src/api';
import { Canvas, doubt, is_end_token, level, share_equal } from '../src/canvas';

function frame(step: number, steps: number, commits: FrameEvent['commits']): FrameEvent {
  return { type: 'frame', step, steps, block: [0, 4], length: 4, masked: 0, commits };
}

function canvas(): Canvas {
  const result = new Canvas({ type: 'canvas', length: 4, given: [[1, ' given']] });
  result.apply(frame(0, 10, [[2, 7, ' there', 0.5]]));
  result.apply(frame(4, 10, [[0, 8, 'Hello', 0.95], [3, 9, '<|endoftext|>', 1]]));
  return result;
}

test('five shades, the first step the earliest and the last the latest', () => {
  assert.deepEqual([0, 1, 2, 5, 8, 9].map(step => level(step, 10)), [0, 0, 1, 2, 4, 4]);
  assert.deepEqual([0, 1, 2].map(step => level(step, 3)), [0, 1, 3]);
  assert.equal(level(12, 10), 4);
  assert.equal(level(0, 0), 0);
});

test('the less sure, the greater the doubt', () => {
  assert.deepEqual([1, 0.9, 0.8, 0.7, 0.5, 0.1].map(doubt), [0, 0, 1, 1, 2, 3]);
});

test('the sum of the commits is the canvas', () => {
  assert.deepEqual(canvas().cells.map(cell => cell.text), ['Hello', ' given', ' there', '<|endoftext|>']);
});

test('earlier states can be shown again', () => {
  const c = canvas();
  const shown = (frames: number) => c.cells.map(cell => c.shown(cell, frames));
  assert.deepEqual(shown(0), [false, true, false, false]);
  assert.deepEqual(shown(1), [false, true, true, false]);
  assert.deepEqual(shown(2), [true, true, true, true]);
});

test('masks behind the block wait', () => {
  const c = new Canvas({ type: 'canvas', length: 4 });
  assert.equal(c.block_end(0), 4);
  c.apply({ ...frame(0, 2, [[0, 1, 'a', 1]]), block: [0, 2] });
  c.apply({ ...frame(1, 2, [[2, 1, 'b', 1]]), block: [2, 4] });
  assert.deepEqual([0, 1, 2, Infinity].map(frames => c.block_end(frames)), [2, 2, 4, 4]);
});

test('a canvas grows with the length of a frame', () => {
  const c = new Canvas({ type: 'canvas', length: 2 });
  c.apply({ ...frame(0, 4, [[0, 1, 'a', 1], [1, 1, 'b', 1]]), length: 2 });
  assert.equal(c.cells.length, 2);
  assert.deepEqual(c.apply(frame(1, 4, [[3, 1, 'd', 1]])), [3]);
  assert.deepEqual(c.cells.map(cell => cell.text), ['a', 'b', '', 'd']);
});

test('at the end the shades spread over the steps that were taken', () => {
  const c = canvas();
  assert.equal(c.steps, 10);
  c.finish();
  assert.equal(c.steps, 5);
});

test('end tokens are no text, angle brackets are', () => {
  assert.ok(['<|endoftext|>', '<|eot_id|>', '<|im_end|>'].every(is_end_token));
  assert.ok(!['<', '<|', ' <b>', 'a<b', '<>'].some(is_end_token));
});

test('tokens that are parts of characters get the characters of the answer', () => {
  const c = new Canvas({ type: 'canvas', length: 6 });
  c.apply(frame(0, 1, [[0, 1, 'Hi', 1], [1, 2, ' \ufffd', 1], [2, 3, '\ufffd', 1], [3, 4, '!', 1],
                       [4, 5, '\ufffd', 1], [5, 6, '<|endoftext|>', 1]]));
  assert.deepEqual(c.mend('Hi \ud83d\udc4b!\u00fc'), [1, 2, 4]);
  assert.deepEqual(c.cells.map(cell => cell.text), ['Hi', ' \ud83d\udc4b', '', '!', '\u00fc', '<|endoftext|>']);
});

test('given beginnings are skipped when characters are mended', () => {
  const c = new Canvas({ type: 'canvas', length: 3, given: [[0, '<|startoftext|>'], [1, 'a']] });
  c.apply(frame(0, 1, [[2, 1, '\ufffd', 1]]));
  assert.deepEqual(c.mend('a\u00fc'), [2]);
  assert.equal(c.decided(), 1);
});

test('an answer that is another text mends nothing', () => {
  const c = canvas();
  assert.deepEqual(c.mend('Something else'), []);
});

test('share of equal tokens counts what is missing as different', () => {
  const cells = canvas().cells;
  assert.equal(share_equal(cells, cells, 4), 1);
  assert.equal(share_equal(cells, cells.slice(0, 3), 4), 0.75);
  assert.equal(share_equal([], [], 0), 1);
});
