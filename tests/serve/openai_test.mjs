// What applications see through OpenAI's client: node openai_test.mjs ADDRESS WEB, where WEB holds
// node_modules. openai_test.py starts the server, with the key "secret".
import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { test } from 'node:test';

const [address, web] = process.argv.slice(2);
const { OpenAI } = createRequire(`${web}/`)('openai');
const client = new OpenAI({ baseURL: `${address}/v1`, apiKey: 'secret', maxRetries: 0 });
const messages = [{
  role: 'user',
  content: 'Text: The code of the brave otter is 4821. Rain fell. Question: What is the code of the brave otter?',
}];
const kAnswer = 'brave otter: 4821';
const kUsual = { model: 'demo', messages, seed: 1 };
// Seconds of work: a token a step over all of a long canvas.
const kLong = {
  ...kUsual, stream: true, max_tokens: 900,
  diffusion: { preset: 'exact', suppress_eos: true, gen_length: 900, steps: 900 },
};
const chat = more => client.chat.completions.create({ ...kUsual, ...more });

async function metric(name) {
  const reply = await fetch(`${address}/metrics`, { headers: { Authorization: 'Bearer secret' } });
  const line = (await reply.text()).split('\n').find(l => l.startsWith(`${name} `));
  return line ? Number(line.split(' ')[1]) : 0;
}

async function until(name, holds) {
  for (const end = Date.now() + 60_000; !holds(await metric(name));) {
    assert.ok(Date.now() < end, `${name} stays ${await metric(name)}`);
    await new Promise(resolve => setTimeout(resolve, 10));
  }
}

async function collect(stream) {
  let text = '';
  const chunks = [];
  for await (const chunk of stream) {
    chunks.push(chunk);
    text += chunk.choices[0]?.delta?.content ?? chunk.choices[0]?.text ?? '';
  }
  return { text, chunks };
}

test('models', async () => {
  const list = await client.models.list();
  assert.equal(list.data[0].id, 'demo');
});

test('chat', async () => {
  const reply = await chat();
  assert.equal(reply.choices[0].message.content, kAnswer);
  assert.equal(reply.choices[0].finish_reason, 'stop');
  assert.equal(reply.usage.total_tokens, reply.usage.prompt_tokens + reply.usage.completion_tokens);
  assert.equal(reply.diffusion.seed, 1);
});

test('chat as a stream, with usage and frames', async () => {
  const { text, chunks } = await collect(await chat({
    stream: true, stream_options: { include_usage: true }, diffusion: { stream: 'frames', preset: 'exact' },
  }));
  assert.equal(text, kAnswer);
  assert.equal(chunks.at(-1).usage.completion_tokens, 8);
  assert.ok(chunks.some(chunk => chunk.diffusion?.type === 'frame'));
});

test("the client's helper assembles the same reply", async () => {
  const stream = client.chat.completions.stream({ ...kUsual, stream_options: { include_usage: true } });
  const final = await stream.finalChatCompletion();
  assert.equal(final.choices[0].message.content, kAnswer);
  assert.equal(final.choices[0].finish_reason, 'stop');
  assert.ok(final.usage.total_tokens > 0);
});

test('completion, whole and as a stream', async () => {
  const body = { model: 'demo', prompt: 'The fox', max_tokens: 12, seed: 1 };
  const whole = await client.completions.create(body);
  const { text } = await collect(await client.completions.create({ ...body, stream: true }));
  assert.equal(text, whole.choices[0].text);
  assert.ok(text.length > 0);
});

test('stop, n and seed', async () => {
  assert.equal((await chat({ stop: [': 4'] })).choices[0].message.content, 'brave otter');
  const texts = async () => (await chat({ n: 3, temperature: 1.5 })).choices.map(c => c.message.content);
  const first = await texts();
  assert.equal(first.length, 3);
  assert.deepEqual(await texts(), first);
});

test('errors are of the classes that applications catch', async () => {
  const refused = (more, kind, expected) => assert.rejects(chat(more), error => {
    assert.ok(error instanceof kind, error.constructor.name);
    for (const [name, value] of Object.entries(expected)) assert.equal(error[name], value);
    return true;
  });
  await refused({ temperature: 3 }, OpenAI.BadRequestError, { param: 'temperature', code: 'invalid_value' });
  await refused({ model: 'gpt-9' }, OpenAI.NotFoundError, { code: 'model_not_found' });
  const stranger = new OpenAI({ baseURL: `${address}/v1`, apiKey: 'wrong', maxRetries: 0 });
  await assert.rejects(stranger.models.list(), OpenAI.AuthenticationError);
  await assert.rejects(client.responses.create({ model: 'demo', input: 'x' }), /chat\/completions/);
});

for (const [name, leave] of [['abort', stream => stream.controller.abort()], ['leaving the loop', () => {}]]) {
  test(`${name} frees the slot`, async () => {
    const stream = await client.chat.completions.create(kLong);
    await until('unmask_requests_running', n => n === 1);
    for await (const chunk of stream) {
      assert.ok(chunk);
      leave(stream);
      break;
    }
    await until('unmask_requests_running', n => n === 0);
  });
}

test('log-probabilities', async () => {
  const reply = await chat({ logprobs: true, top_logprobs: 3 });
  const { content } = reply.choices[0].logprobs;
  assert.equal(content.map(token => token.token).join(''), kAnswer);
  for (const token of content) {
    assert.ok(token.logprob <= 0);
    assert.equal(token.top_logprobs.length, 3);
  }
});

const schema = {
  type: 'object', additionalProperties: false, required: ['name', 'code'],
  properties: { name: { type: 'string', maxLength: 20 }, code: { type: 'integer', minimum: 0, maximum: 9999 } },
};

test('answers that satisfy a schema', async () => {
  const reply = await chat({ response_format: { type: 'json_schema', json_schema: { name: 'code', strict: true, schema } } });
  const value = JSON.parse(reply.choices[0].message.content);
  assert.deepEqual(Object.keys(value), ['name', 'code']);
  assert.ok(Number.isInteger(value.code));
});

test('a call of a function', async () => {
  const tools = [{ type: 'function', function: { name: 'look_up', description: 'Looks up a code', parameters: schema } }];
  const reply = await chat({ tools, tool_choice: 'required' });
  assert.equal(reply.choices[0].finish_reason, 'tool_calls');
  assert.equal(reply.choices[0].message.content, null);
  const [call] = reply.choices[0].message.tool_calls;
  assert.equal(call.function.name, 'look_up');
  assert.deepEqual(Object.keys(JSON.parse(call.function.arguments)), ['name', 'code']);
});
