import assert from 'node:assert/strict';
import test from 'node:test';
import { BrokenStream, EventParser, read_events } from '../src/stream';

const kText = 'data: {"a":1}\r\n\r\n: ping\n\ndata: one\ndata: two\n\nevent: x\ndata:tight\n\r\ndata: [DONE]\n\n';
const kEvents = ['{"a":1}', 'one\ntwo', 'tight', '[DONE]'];

test('events do not depend on where the network cuts', () => {
  for (let cut = 0; cut <= kText.length; ++cut) {
    for (let second = cut; second <= kText.length; second += 7) {
      const parser = new EventParser();
      const events = [kText.slice(0, cut), kText.slice(cut, second), kText.slice(second)]
        .flatMap(piece => parser.push(piece));
      assert.deepEqual(events, kEvents, `cut at ${cut} and ${second}`);
    }
  }
});

test('an event waits for its empty line', () => {
  const parser = new EventParser();
  assert.deepEqual(parser.push('data: {"half":'), []);
  assert.deepEqual(parser.push('1}\n'), []);
  assert.deepEqual(parser.push('\n'), ['{"half":1}']);
});

function body(bytes: Uint8Array, size: number): ReadableStream<Uint8Array> {
  return new ReadableStream({
    start(controller) {
      for (let at = 0; at < bytes.length; at += size) controller.enqueue(bytes.slice(at, at + size));
      controller.close();
    },
  });
}

async function read_all(text: string, size: number): Promise<unknown[]> {
  const values = [];
  for await (const value of read_events(body(new TextEncoder().encode(text), size))) values.push(value);
  return values;
}

test('characters that the network cuts in two arrive whole', async () => {
  const text = 'data: {"text":"\u00fc \u2591 \ud83d\udc4b"}\n\ndata: [DONE]\n\n';
  for (const size of [1, 2, 3, 5, 1000]) {
    assert.deepEqual(await read_all(text, size), [{ text: '\u00fc \u2591 \ud83d\udc4b' }]);
  }
});

test('nothing is read behind the end', async () => {
  assert.deepEqual(await read_all('data: 1\n\ndata: [DONE]\n\ndata: 2\n\n', 3), [1]);
});

test('an end without [DONE] is an error', async () => {
  await assert.rejects(read_all('data: 1\n\n', 3), BrokenStream);
});
