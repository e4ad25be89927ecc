// A stand-in for `unmask serve`: the same routes and shapes, answers from a list. For work on the page
// and its tests: node test/mock.mjs [--port N] [--model NAME] [--pace MS]. UNMASK_API_KEY is its key.
//
// A question that holds one of these words gets the error instead: !400, !429, !500 (in the stream),
// !lost (the connection breaks in the middle).
import http from 'node:http';
import { readFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { answer_for, denoise } from './mock_answers.mjs';

const { values: options } = parseArgs({ options: {
  port: { type: 'string', default: '0' }, model: { type: 'string', default: 'demo' },
  pace: { type: 'string', default: '40' } } });
const kPace = Number(options.pace);
const kKey = process.env.UNMASK_API_KEY ?? '';

const kPage = { '/': ['index.html', 'text/html; charset=utf-8'],
                '/app.js': ['app.js', 'text/javascript; charset=utf-8'],
                '/app.css': ['app.css', 'text/css; charset=utf-8'] };
const kPolicy = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; " +
                "img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

const sleep = ms => new Promise(resolve => setTimeout(resolve, ms));

function reply(response, status, value, headers = {}) {
  response.writeHead(status, { 'content-type': 'application/json', 'cache-control': 'no-store', ...headers });
  response.end(JSON.stringify(value));
}

function refuse(response, status, type, code, message, headers) {
  reply(response, status, { error: { message, type, param: null, code } }, headers);
}

async function send_page(response, [file, type]) {
  response.writeHead(200, { 'content-type': type, 'content-security-policy': kPolicy,
                            'x-content-type-options': 'nosniff', 'referrer-policy': 'no-referrer' });
  response.end(await readFile(new URL(`../dist/${file}`, import.meta.url)));
}

const kProps = {
  default_generation_settings: { n_ctx: 4096, temperature: 0 }, total_slots: 8, model_path: 'demo',
  chat_template: 'llada', build_info: 'mock',
  diffusion: {
    methods: ['block-cache', 'dkv-cache', 'dllm-cache', 'fast-dllm', 'full', 'maskkv', 'sliding-window',
              'sparse-dllm', 'sparsed', 'streaming-dllm', 'streaming-llm'],
    algorithms: ['low_confidence', 'random', 'maskgit_plus', 'topk_margin', 'entropy', 'origin'],
    preset: 'balanced', presets: [
      { name: 'exact', what: 'the published sampler, step by step' },
      { name: 'balanced', what: 'cached blocks, sure tokens together; at most a point below exact' },
      { name: 'fast', what: 'cached blocks, likely tokens together; at most three points below exact' }],
    mask_id: 5, max_gen_length: 4096, block_length: 32 },
  decisions: { max_choices: 62 },
};

/** An even stream of events with what the contract says around the frames. */
async function stream(response, body, is_chat) {
  const question = is_chat ? body.messages.at(-1).content : body.prompt;
  const preset = body.diffusion?.preset ?? 'balanced';
  const run = denoise(answer_for(question, body.diffusion?.holes, body.messages?.length ?? 1), preset,
                      body.diffusion?.block_length ?? 32);
  response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' });
  const begin = performance.now();
  const base = { id: 'chatcmpl-0000000000000001', created: 1, model: options.model,
                 object: is_chat ? 'chat.completion.chunk' : 'text_completion', usage: null };
  const write = value => response.write(`data: ${JSON.stringify({ ...base, ...value })}\n\n`);
  const choice = (content, finish_reason = null) => [{ index: 0, logprobs: null, finish_reason,
    ...(is_chat ? { delta: content === null ? {} : { content } } : { text: content ?? '' }) }];
  write({ choices: choice('') });
  write({ choices: choice(null), diffusion: { type: 'canvas', prompt_tokens: run.prompt_tokens,
          length: run.length, block_length: 32, method: 'fast-dllm:cache=dual', given: run.given } });
  response.write(': ping\n\n');
  for (const [i, frame] of run.frames.entries()) {
    await sleep(kPace);
    if (response.destroyed) return;
    if (i === 3 && question.includes('!lost')) return response.destroy();
    if (i === 3 && question.includes('!500')) {
      return response.end(`data: ${JSON.stringify({ error: { message: '[memory] K/V cache: found 2 GiB, expected 1 GiB',
                                                             type: 'server_error', param: null, code: 'oom' } })}\n\n`);
    }
    const t_ms = Math.round(performance.now() - begin);
    write({ choices: choice(null), diffusion: { type: 'frame', choice: 0, ...frame.event, t_ms } });
    if (frame.text) write({ choices: choice(frame.text) });
  }
  const seconds = (performance.now() - begin) / 1000;
  write({ choices: choice(null), diffusion: { type: 'end', choice: 0, t_ms: Math.round(seconds * 1000) } });
  write({ choices: choice(null, 'stop'), diffusion: {
    method: 'fast-dllm:cache=dual', algorithm: 'low_confidence', steps: run.frames.length,
    forward_passes: run.frames.length, canvas: run.length, block_length: 32, seed: 1, seconds,
    seconds_to_first_text: seconds / 4, stopped_early: true, ignored: [], warnings: [] } });
  write({ choices: [], usage: { prompt_tokens: run.prompt_tokens, completion_tokens: run.tokens,
                                total_tokens: run.prompt_tokens + run.tokens } });
  response.end('data: [DONE]\n\n');
}

function decide(question, i) {
  if (question.type === 'predicate') return { type: 'predicate', name: null, probability: i ? 0.31 : 0.87 };
  const names = (question.choices ?? question.levels).map(item => item.value ?? item.label);
  const weights = names.map((_, k) => Math.exp(-1.4 * Math.abs(k - (question.type === 'score' ? names.length - 1 : 0))));
  const total = weights.reduce((a, b) => a + b);
  const p = weights.map(weight => weight / total);
  if (question.type === 'choice') {
    return { type: 'choice', name: null, choice: names[0], confidence: (names.length * p[0] - 1) / (names.length - 1),
             probabilities: names.map((value, k) => ({ value, probability: p[k] })) };
  }
  return { type: 'score', name: null, score: p.reduce((sum, share, k) => sum + share * k, 0), confidence: 0.58,
           probabilities: names.map((label, value) => ({ label, value, probability: p[value] })) };
}

async function post(request, response, path) {
  let text = '';
  for await (const piece of request) text += piece;
  const body = JSON.parse(text);
  if (text.includes('!400')) {
    return refuse(response, 400, 'invalid_request_error', 'invalid_value', '[request] steps: found 7, expected a multiple of 4');
  }
  if (text.includes('!429')) {
    return refuse(response, 429, 'rate_limit_error', 'queue_full', 'queue full: 64 waiting', { 'retry-after': '3' });
  }
  if (path === '/v1/decisions') {
    await sleep(kPace * 5);
    return reply(response, 200, { model: options.model, answers: body.questions.map(decide),
                                  usage: { input_tokens: 214, output_tokens: 0, total_tokens: 214 },
                                  diffusion: { seconds: 0.21, label_mass: [], calibration: 'none' } });
  }
  return stream(response, body, path === '/v1/chat/completions');
}

const kPosts = ['/v1/chat/completions', '/v1/completions', '/v1/decisions'];

const server = http.createServer((request, response) => {
  const path = request.url;
  if (kPage[path]) return send_page(response, kPage[path]);
  if (path === '/health') return reply(response, 200, { status: 'ok' });
  if (kKey && request.headers.authorization !== `Bearer ${kKey}`) {
    return refuse(response, 401, 'authentication_error', 'invalid_api_key', 'wrong or missing API key');
  }
  if (path === '/props') return reply(response, 200, kProps);
  if (path === '/v1/models') {
    return reply(response, 200, { object: 'list', data: [{ id: options.model, object: 'model', created: 1, owned_by: 'unmask' }] });
  }
  if (request.method === 'POST' && kPosts.includes(path)) return post(request, response, path);
  return refuse(response, 404, 'invalid_request_error', 'not_found', `no such path: ${path}`);
});

server.listen(Number(options.port), '127.0.0.1', () => {
  process.stderr.write(`listening on http://127.0.0.1:${server.address().port}\n`);
});
process.on('SIGTERM', () => process.exit(0));
