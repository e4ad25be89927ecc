import assert from 'node:assert/strict';
import test from 'node:test';
import { ApiError, in_words, Unreachable } from '../src/api';
import { BrokenStream } from '../src/stream';

test('errors say in words what to do', () => {
  assert.match(in_words(new ApiError(429, 'queue full: 64 waiting', 3)), /busy.*64 waiting.*in 3 s/);
  assert.match(in_words(new ApiError(429, 'queue full')), /Try again later/);
  assert.match(in_words(new ApiError(401, 'wrong key')), /API key/);
  assert.match(in_words(new ApiError(400, '[request] steps: found 7')), /refused: \[request\] steps/);
  assert.match(in_words(new ApiError(503, 'Loading model')), /not ready: Loading model/);
  assert.match(in_words(new Unreachable('x')), /does not answer/);
});

test('a broken connection reads the same from the parser and from the browser', () => {
  assert.equal(in_words(new BrokenStream()), in_words(new TypeError('network error')));
});
