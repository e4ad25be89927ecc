// Answers of the mock server, and how they come out of the masks: by chance, but the same each time.

const kOtter = 'brave otter: 4821';
const kThree = 'brave otter: 4821, calm fox: river, witty orca: 6996';
const kDiffusion =
  'A diffusion language model begins with a canvas on which every token is masked. In each step it ' +
  'looks at the whole canvas, before and behind a gap alike, and reveals the tokens of which it is ' +
  'surest. After a few steps no mask is left, and the text stands.';
const kOdd =
  'An odd number is twice something plus one, so two of them make twice something plus two. ' +
  'That is twice a whole number again, and so the sum is even.';
const kHaiku = 'Grey lifts from the masts,\none gull, then a red rooftop:\nthe harbour breathes out.';
const kSum = 'First, add two hours: 11:40. Then add 35 minutes: 12:15.\n\nThe train arrives at 12:15.';

/** The text, in turns of a chat or with its holes filled. */
export function answer_for(question, holes, turns) {
  if (holes) return { pieces: fill(question), tail: 0 };
  let text = kDiffusion;
  if (/codes of these/.test(question)) text = kThree;
  else if (/code of the brave otter/.test(question)) text = kOtter;
  else if (/jobs of these/.test(question)) text = 'Mary works as a pilot. John works as a baker.';
  else if (/two odd numbers/.test(question)) text = kOdd;
  else if (/haiku/i.test(question)) text = kHaiku;
  else if (/train/.test(question)) text = kSum;
  else if (turns > 1) text = 'As I said: the masks that are easy go first.';
  return { pieces: split(text).map(piece => ({ piece, given: false })), tail: 6 };
}

function split(text) {
  return text.match(/\s*[A-Za-z]{1,7}|\s*\d{1,2}|\s*[^\w\s]/g);
}

const kWords = [' Paris', ',', ' Seine', ' north', ' and', ' old', ' river', ' stone', ' town', ' bright'];

function fill(prompt) {
  const pieces = [];
  for (const part of prompt.split(/(\{\{mask:\d+\}\})/)) {
    const size = /^\{\{mask:(\d+)\}\}$/.exec(part)?.[1];
    if (!size) pieces.push(...(split(part) ?? []).map(piece => ({ piece, given: true })));
    for (let k = 0; k < Number(size ?? 0); ++k) {
      pieces.push({ piece: kWords[(pieces.length * 7 + k) % kWords.length], given: false });
    }
  }
  return pieces;
}

/** A small generator of even numbers in [0, 1), so that pictures and tests repeat. */
function chance(seed) {
  let state = seed;
  return () => {
    state = (state * 1103515245 + 12345) % 2147483648;
    return state / 2147483648;
  };
}

/** Frames of one answer: blocks from left to right, in each the tokens by chance, `exact` one a step,
 *  `balanced` two, `fast` four. `fast` gets a token wrong now and then. */
export function denoise({ pieces, tail }, preset, block_length) {
  const random = chance(pieces.length * 31 + 7);
  const per_step = { exact: 1, balanced: 2, fast: 4 }[preset];
  const texts = pieces.map(({ piece }) => piece);
  if (preset === 'fast' && texts.length > 20) texts[texts.length >> 1] = ' quite';
  const all = [...texts, ...Array(tail).fill('<|endoftext|>')];
  const given = pieces.flatMap(({ piece, given }, i) => (given ? [[i, piece]] : []));
  const open = new Set(all.map((_, i) => i).filter(i => !pieces[i]?.given));
  const steps = Math.ceil(open.size / per_step);
  const frames = [];
  let sent = 0;
  for (let begin = 0; begin < all.length; begin += block_length) {
    const end = Math.min(all.length, begin + block_length);
    const order = [...open].filter(i => i >= begin && i < end)
      .map(i => [random() + (i - begin) / 40, i]).sort((a, b) => a[0] - b[0]).map(([, i]) => i);
    for (let at = 0; at < order.length; at += per_step) {
      const commits = order.slice(at, at + per_step).map(i => {
        open.delete(i);
        return [i, 100 + i, all[i], 1 - 0.75 * random() ** 5];
      });
      let first = 0;
      while (first < texts.length && !open.has(first)) ++first;
      const text = texts.slice(sent, first).join('');
      sent = Math.max(sent, first);
      frames.push({ text, event: { step: frames.length, steps, block: [begin, end],
                                   length: all.length, masked: open.size,
                                   nfe: frames.length + 1, commits } });
    }
  }
  return { frames, given, length: all.length, tokens: texts.length, prompt_tokens: 212 };
}
