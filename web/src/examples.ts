// Things to try at once. The embedded demo model reads texts of its own kind and knows nothing else.
import type { Question } from './api';

export interface Example { label: string; text: string }
export interface DecideExample extends Example { questions: Question[]; own_words?: boolean }
export interface Examples {
  chat: Example[];
  fill: Example[];
  compare: Example[];
  decide: DecideExample[];
}

const kOtter =
  'Text: My cousin described the old school. The code of the brave otter is 4821. It was late. ' +
  'The old man looked at the quiet lake. The code of the calm fox is river. The sun was up. ' +
  'The code of the witty orca is 6996.';
const kCode = `${kOtter} Question: What is the code of the brave otter?`;
const kCodes = `${kOtter} Question: What are the codes of these: brave otter, calm fox, witty orca?`;
const kFacts =
  'Text: Mary lives in Oslo. It was late. John works as a baker. Mary works as a pilot. ' +
  'The old man looked at the quiet lake. John lives in Cairo.';
const kPeople = `${kFacts} Question: What are the jobs of these: Mary, John?`;

const kDemo: Examples = {
  chat: [
    { label: 'Find one code in a text', text: kCode },
    { label: 'Find three at once', text: kCodes },
    { label: 'Who does what?', text: kPeople },
  ],
  fill: [
    { label: 'Two phrases',
      text: 'The old man sat beside ___{3} every summer. ___{4} looked at the quiet lake.' },
    { label: 'Most of a sentence', text: 'It was late. The local band ___{8}. All was well.' },
  ],
  compare: [
    { label: 'Three codes', text: kCodes },
    { label: 'Two jobs', text: kPeople },
  ],
  // It has never seen lettered options, and is sure of sentences like those of its texts.
  decide: [{
    label: 'Who lives where', text: kFacts, own_words: true,
    questions: [
      { type: 'choice', instructions: 'What is the job of Mary?',
        choices: ['pilot', 'baker', 'nurse'].map(job => ({ value: `Mary works as a ${job}.` })) },
      { type: 'choice', instructions: 'Where does John live?',
        choices: ['Oslo', 'Cairo', 'Rome'].map(city => ({ value: `John lives in ${city}.` })) },
    ],
  }],
};

const kTicket =
  'Hello, I ordered a kettle three weeks ago and it has still not arrived. I have written twice and ' +
  'nobody answers. My sister\'s birthday is on Friday. If it is not here by Thursday, I want my money back.';

const kGeneral: Examples = {
  chat: [
    { label: 'Explain diffusion of text',
      text: 'Explain in three sentences how a diffusion language model writes a text.' },
    { label: 'A haiku', text: 'Write a haiku about fog that lifts from a harbour.' },
    { label: 'A small function',
      text: 'Write a Python function that tells whether a word is a palindrome.' },
    { label: 'A sum in words',
      text: 'A train leaves at 9:40 and takes 2 hours and 35 minutes. When does it arrive?' },
  ],
  fill: [
    { label: 'A sentence', text: 'The capital of France is ___{2}, a city on the river ___{3}.' },
    { label: 'A function', text: 'def is_even(n):\n    """Whether n is even."""\n    return ___{8}\n' },
    { label: 'A letter',
      text: 'Dear Ada,\n\nthank you for ___{12}. I hope that ___{12}.\n\nYours, Charles' },
  ],
  compare: [
    { label: 'A proof', text: 'Why is the sum of two odd numbers even? Answer in two sentences.' },
    { label: 'A list', text: 'Name five rivers of Europe, one a line.' },
  ],
  decide: [{
    label: 'A customer\'s letter', text: kTicket,
    questions: [
      { type: 'predicate', instructions: 'Does the customer threaten to cancel the order?' },
      { type: 'choice', instructions: 'Which department should answer?', choices: [
        { value: 'shipping', description: 'parcels that are late or lost' },
        { value: 'billing', description: 'payments and refunds' },
        { value: 'repairs', description: 'things that broke' }] },
      { type: 'score', instructions: 'How urgent is the letter?', levels: [
        { label: 'can wait' }, { label: 'this week' }, { label: 'today' }] },
    ],
  }],
};

/** Of the demo model by its id, of any other. */
export function examples_for(model: string): Examples {
  return model === 'demo' ? kDemo : kGeneral;
}
