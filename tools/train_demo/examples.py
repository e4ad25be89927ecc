"""Token sequences of exact length: chats around a task, free documents, and repeated phrases.

Filler sentences are chosen by their length in tokens, so every sequence is exactly as long as asked
and no batch needs padding or an attention mask.
"""

from __future__ import annotations

import collections
import dataclasses
from random import Random

import tasks
import words
from bpe import Tokenizer

FACT_TOKENS = 24  # of the text, that a fact and the filler around it take on average
QUESTION_FIRST = 0.15  # share of the training texts that ask in front, too


@dataclasses.dataclass
class Example:
    """`ids` are the prompt, the answer with its end of turn, then end-of-text padding."""

    task: str
    user: str
    answer: str
    expected: list[str]
    ids: list[int]
    prompt: int  # tokens before the answer
    answer_tokens: int


class Builder:
    """Makes sequences with one tokenizer."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        t = self.tokenizer = tokenizer
        self._opening = [t.bos, t.start_header, *t.encode("user"), t.end_header,
                         *t.encode("\n\n")]
        self._turn = [t.eot, t.start_header, *t.encode("assistant"), t.end_header,
                      *t.encode("\n\n")]
        self._by_length: dict[int, list[str]] = collections.defaultdict(list)
        r = Random(1)
        for sentence in dict.fromkeys(tasks.filler(r) for _ in range(6000)):
            self._by_length[len(t.encode(" " + sentence))].append(sentence)
        self._lengths = sorted(self._by_length)
        lists = (words.ADJECTIVES, words.ANIMALS, words.NAMES, words.ROOMS, words.CITIES,
                 words.LANGUAGES, words.JOBS, words.FOODS, words.VARIABLES, words.THINGS)
        self._words = sorted({i for group in lists for w in group for i in t.encode(" " + w)})

    def _fill(self, r: Random, n: int) -> list[str] | None:
        """Filler sentences of n tokens in all; None where no sum of lengths is n."""
        shortest, longest = self._lengths[0], self._lengths[-1]
        out: list[str] = []
        while n > longest + 8:
            out.append(tasks.filler(r))
            n -= len(self.tokenizer.encode(" " + out[-1]))
        while n > 0:
            fitting = [k for k in self._lengths if k == n or k <= n - shortest]
            if not fitting:
                return None
            k = n if n in self._by_length and r.random() < 0.7 else r.choice(fitting)
            out.append(r.choice(self._by_length[k]))
            n -= k
        return out

    def _text(self, r: Random, task: tasks.Task, tokens: int, first: bool) -> str | None:
        """Facts among filler, with the question at the end (and in front when `first`)."""
        start = task.question if first else "Text:"
        question = f" Question: {task.question}"
        fixed = [start, *(" " + fact for fact in task.facts), question]
        fill = self._fill(r, tokens - sum(len(self.tokenizer.encode(s)) for s in fixed))
        if fill is None:
            return None
        n = len(fill) + len(task.facts)
        places = r.sample(range(n), len(task.facts))
        if task.ordered:
            places.sort()
        at = dict(zip(places, task.facts))
        rest = iter(fill)
        return start + "".join(" " + (at[i] if i in at else next(rest)) for i in range(n)) + question

    def chat(self, r: Random, name: str, total: int, response: int, room: int | None = None,
             first: bool | None = None) -> Example | None:
        """A question of a task, `total` tokens with a response region of `response`.

        None where chance gave no task that fits; the caller draws again.
        """
        t = self.tokenizer
        tokens = total - response - len(self._opening) - len(self._turn)
        if room is None:
            room = max(2, (total - response) // FACT_TOKENS)
        for _ in range(50):
            task = tasks.TASKS[name](r, room)
            answer = [*t.encode(task.answer), t.eot]
            if len(answer) > response:
                continue
            ask_first = r.random() < QUESTION_FIRST if first is None else first
            if sum(len(t.encode(" " + fact)) for fact in task.facts) > tokens - 20:
                room = max(2, room * 3 // 4)
                continue
            user = self._text(r, task, tokens, ask_first)
            if user is None:
                continue
            prompt = [*self._opening, *t.encode(user), *self._turn]
            if len(prompt) + response != total:
                continue
            padding = [t.eos] * (response - len(answer))
            return Example(name, user, task.answer, task.expected, prompt + answer + padding,
                           len(prompt), len(answer))
        return None

    def document(self, r: Random, total: int) -> list[int]:
        """A free text, cut or followed by end-of-text."""
        t = self.tokenizer
        ids = [t.bos] if r.random() < 0.5 else []
        while len(ids) < total:
            ids += [*t.encode(tasks.document(r, r.randint(4, max(4, total // 12)))), t.eos]
        return ids[:total]

    def phrases(self, r: Random, total: int) -> tuple[list[int], list[bool]]:
        """Random phrases, all of them twice in different order, and what to mask of the second
        copy: dense supervision for finding a match and copying what stands beside it."""
        t = self.tokenizer
        (dot,), (space,), digits = t.encode("."), t.encode(" "), t.encode("0123456789")
        half = (total - 2) // 2
        phrases: list[list[int]] = []
        left = half
        while left > 0:
            if r.random() < 0.5:
                phrase = r.choices(self._words, k=r.randint(2, 5))
            else:
                phrase = [*r.choices(self._words, k=2), space, *r.choices(digits, k=4)]
            phrases.append([*phrase[:left - 1], dot])
            left -= len(phrases[-1])
        ids = [t.bos, *(i for phrase in phrases for i in phrase)]
        masked = [False] * len(ids)
        share = r.choice([r.uniform(0.1, 0.4), r.uniform(0.2, 0.7)])
        r.shuffle(phrases)
        for phrase in phrases:
            ids += phrase
            holes = [r.random() < share for _ in phrase]
            if all(holes[:-1]):
                holes[r.randrange(max(1, len(phrase) - 1))] = False
            masked += holes
        ids += [t.eos] * (total - len(ids))
        masked += [False] * (total - len(masked))
        if not any(masked):
            masked[-5] = True
        return ids, masked
