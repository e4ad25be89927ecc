// What the server says and how to ask it: the shapes of docs and errors in words.
import { BrokenStream } from './stream';

/** First event of a stream of frames: what the canvas looks like before the first step. */
export interface CanvasEvent {
  type: 'canvas';
  length: number;
  given?: [position: number, text: string][];
}

/** What was decided since the frame before. */
export interface FrameEvent {
  type: 'frame';
  step: number;
  steps: number;
  block: [begin: number, end: number];
  length: number;  // of the canvas, which may have grown
  masked: number;
  commits: [position: number, id: number, text: string, probability: number][];
}

export interface EndEvent { type: 'end' }

/** Account of a finished answer. */
export interface Report {
  type?: undefined;
  forward_passes: number;
  seconds: number;
  seconds_to_first_text?: number | null;
  warnings?: string[];
  ignored?: string[];
}

export interface Usage { prompt_tokens: number; completion_tokens: number }

export interface Chunk {
  choices: { delta?: { content?: string | null }; text?: string; finish_reason: string | null }[];
  usage?: Usage | null;
  diffusion?: CanvasEvent | FrameEvent | EndEvent | Report;
  error?: { message: string; code?: string | null };
}

export interface Props {
  diffusion: {
    preset: string;  // what a request without one gets
    presets: { name: string; what: string }[];
    methods: string[];
    algorithms: string[];
  };
}

export interface Models { data: { id: string }[] }

export type Question =
  | { type: 'predicate'; instructions: string }
  | { type: 'choice'; instructions: string; choices: { value: string; description?: string }[] }
  | { type: 'score'; instructions: string; levels: { label: string; description?: string }[] };

export type Answer =
  | { type: 'predicate'; probability: number }
  | { type: 'choice'; choice: string | boolean; confidence: number;
      probabilities: { value: string | boolean; probability: number }[] }
  | { type: 'score'; score: number; confidence: number;
      probabilities: { label: string; value: number; probability: number }[] }
  | { type: 'refusal' };

export interface Decisions {
  answers: Answer[];
  usage: { input_tokens: number };
  diffusion?: { seconds?: number; warnings?: string[] };
}

/** The server's refusal. `retry_after`: seconds, where the server names them. */
export class ApiError extends Error {
  constructor(readonly status: number, message: string, readonly retry_after: number | null = null) {
    super(message);
  }
}

/** The server cannot be reached at all. */
export class Unreachable extends Error {}

const kKey = 'unmask.key';

/** The key lives as long as the tab. */
export function api_key(): string {
  return sessionStorage.getItem(kKey) ?? '';
}

export function set_api_key(key: string): void {
  if (key) sessionStorage.setItem(kKey, key);
  else sessionStorage.removeItem(kKey);
}

async function refusal(response: Response): Promise<ApiError> {
  const after = Number.parseInt(response.headers.get('retry-after') ?? '', 10);
  let message = response.statusText || `status ${response.status}`;
  try {
    message = (await response.json()).error.message;
  } catch {
    // a proxy's page, say: the status has to do
  }
  return new ApiError(response.status, message, Number.isNaN(after) ? null : after);
}

/** GET, or POST with a body. Paths are relative, so that the page works below a proxy's prefix.
 *  Throws ApiError for a refusal, Unreachable where nobody answers. */
export async function ask(path: string, body?: object, signal?: AbortSignal): Promise<Response> {
  const headers: Record<string, string> = {};
  if (body) headers['content-type'] = 'application/json';
  if (api_key()) headers['authorization'] = `Bearer ${api_key()}`;
  const method = body ? 'POST' : 'GET';
  let response: Response;
  try {
    response = await fetch(path, { method, headers, signal, body: body && JSON.stringify(body) });
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new Unreachable('the server does not answer');
  }
  if (!response.ok) throw await refusal(response);
  return response;
}

export async function ask_json<T>(path: string, body?: object, signal?: AbortSignal): Promise<T> {
  return await (await ask(path, body, signal)).json();
}

/** What went wrong and what to do, for people. */
export function in_words(error: unknown): string {
  if (error instanceof BrokenStream) return 'The connection was lost in the middle of the answer.';
  if (error instanceof Unreachable) return 'The server does not answer. Is unmask serve still running?';
  if (!(error instanceof ApiError)) {
    // Reading a body fails with a TypeError in every browser when the connection breaks.
    if (error instanceof TypeError) return in_words(new BrokenStream());
    return `Something unexpected happened: ${error instanceof Error ? error.message : String(error)}`;
  }
  if (error.status === 401) return 'This server asks for an API key. Enter it in the settings.';
  if (error.status === 429) {
    const wait = error.retry_after === null ? 'later' : `in ${error.retry_after} s`;
    return `The server is busy (${error.message}). Try again ${wait}.`;
  }
  if (error.status === 503) return `The server is not ready: ${error.message}.`;
  if (error.status >= 500) return `The server failed: ${error.message}.`;
  return `The server refused: ${error.message}`;
}
