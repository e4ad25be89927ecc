import assert from 'node:assert/strict';
import test from 'node:test';
import { to_masks } from '../src/fill_text';

test('holes take their own size or the common one, and the blank before them', () => {
  assert.deepEqual(to_masks('The ___ of France is ___{6}.', 4),
                   { prompt: 'The{{mask:4}} of France is{{mask:6}}.', holes: 2 });
});

test('a long line is one hole, two underscores are none', () => {
  assert.deepEqual(to_masks('a  ________ b', 2), { prompt: 'a {{mask:2}} b', holes: 1 });
  assert.deepEqual(to_masks('snake__case', 2), { prompt: 'snake__case', holes: 0 });
});

test('braces that hold no number are text', () => {
  assert.deepEqual(to_masks('___{x}', 3), { prompt: '{{mask:3}}{x}', holes: 1 });
});
