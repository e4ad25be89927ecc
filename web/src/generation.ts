// One generating request from the question to the account of the answer.
import { ApiError, ask, type CanvasEvent, type Chunk, type FrameEvent, type Report,
         type Usage } from './api';
import { read_events } from './stream';

export interface Listener {
  on_canvas(event: CanvasEvent): void;
  on_frame(event: FrameEvent): void;
  on_text(piece: string): void;
}

export interface Figures {
  seconds: number;
  first_text: number | null;  // seconds
  tokens: number | null;
  passes: number | null;
  warnings: string[];
}

const kFramesPerSecond = 20;

class Account {
  private readonly begin = performance.now();
  private first: number | null = null;
  report: Report | null = null;
  usage: Usage | null = null;

  text_came(): void {
    this.first ??= this.elapsed();
  }

  elapsed(): number {
    return (performance.now() - this.begin) / 1000;
  }

  figures(): Figures {
    const r = this.report;
    const ignored = (r?.ignored ?? []).map(name => `the server ignored ${name}`);
    return {
      seconds: r?.seconds ?? this.elapsed(),
      first_text: r?.seconds_to_first_text ?? this.first,
      tokens: this.usage?.completion_tokens ?? null,
      passes: r?.forward_passes ?? null,
      warnings: [...(r?.warnings ?? []), ...ignored],
    };
  }
}

function take(chunk: Chunk, account: Account, listener: Listener): void {
  if (chunk.error) throw new ApiError(500, chunk.error.message);
  if (chunk.usage) account.usage = chunk.usage;
  const d = chunk.diffusion;
  if (d?.type === 'canvas') listener.on_canvas(d);
  else if (d?.type === 'frame') listener.on_frame(d);
  else if (d && d.type === undefined) account.report = d;
  const choice = chunk.choices[0];
  const piece = choice?.delta?.content ?? choice?.text ?? '';
  if (piece) {
    account.text_came();
    listener.on_text(piece);
  }
}

/** Posts `body` to `path` and tells `listener` what comes. Throws what ask() and read_events()
 *  throw, ApiError for an error in the stream, and what an aborted fetch throws. */
export async function generate(path: string, body: Record<string, unknown>, listener: Listener,
                               signal: AbortSignal): Promise<Figures> {
  const diffusion = { ...(body.diffusion as object), stream: 'frames', max_fps: kFramesPerSecond };
  const account = new Account();
  const response = await ask(path, { ...body, stream: true,
                                     stream_options: { include_usage: true }, diffusion }, signal);
  for await (const chunk of read_events(response.body!)) take(chunk as Chunk, account, listener);
  return account.figures();
}
