// Server-sent events out of the pieces in which a network delivers them.

/** Collects text until whole events are there; gives the data of each. Comments are dropped. */
export class EventParser {
  private rest = '';
  private data: string[] = [];

  push(text: string): string[] {
    const events: string[] = [];
    // A carriage return at the end may be half of a line end, so it waits for what follows.
    const whole = this.rest + text;
    const held = whole.endsWith('\r') ? 1 : 0;
    const lines = whole.slice(0, whole.length - held).split(/\r\n|\n|\r/);
    this.rest = lines.pop()! + whole.slice(whole.length - held);
    for (const line of lines) this.line(line, events);
    return events;
  }

  private line(line: string, events: string[]): void {
    if (line === '') {
      if (this.data.length) events.push(this.data.join('\n'));
      this.data = [];
    } else if (line.startsWith('data:')) {
      this.data.push(line.slice(line[5] === ' ' ? 6 : 5));
    }
  }
}

/** A stream that ended before its `[DONE]`: the server stopped or the connection broke. */
export class BrokenStream extends Error {
  constructor() {
    super('the connection closed before the answer was complete');
  }
}

/** The JSON values of a stream of events up to `[DONE]`. Throws BrokenStream without one. */
export async function* read_events(body: ReadableStream<Uint8Array>): AsyncGenerator<unknown> {
  const parser = new EventParser();
  const decoder = new TextDecoder();
  const reader = body.getReader();
  try {
    for (;;) {
      const { value, done } = await reader.read();
      if (done) throw new BrokenStream();
      for (const data of parser.push(decoder.decode(value, { stream: true }))) {
        if (data === '[DONE]') return;
        yield JSON.parse(data);
      }
    }
  } finally {
    reader.cancel().catch(() => undefined);  // whoever stops listening tells the server so
  }
}
