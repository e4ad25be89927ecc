#!/usr/bin/python3
"""Trains a tokenizer on texts of the generator and writes its tokenizer.json.

The shipped model keeps the tokenizer of an earlier version of the generator; a new one is needed
only for new words. The other files of a tokenizer name special tokens alone and stay as they are.
"""

from __future__ import annotations

import argparse
import collections
import json
import pathlib
from random import Random

import tasks
import words
from bpe import FIRST_SPECIAL, PATTERN, UNICODE_PATTERN, Tokenizer, train

TEXTS = 6000
ROOM = 8  # facts a text
LISTED_WORD = 400  # counts that make words of the lists, with a space in front, one token
BARE_WORD = 60
FRAME_WORD = 3000


def word_counts(texts: int, seed: int) -> collections.Counter[str]:
    """How often the generator writes each piece that the pre-tokenizer cuts off."""
    r = Random(seed)
    counts: collections.Counter[str] = collections.Counter()

    def add(text: str) -> None:
        counts.update(PATTERN.findall(text))

    for _ in range(texts):
        for make in tasks.TASKS.values():
            task = make(r, ROOM)
            add("".join(" " + fact for fact in task.facts) + " " + task.question)
            add(task.answer)
        add(tasks.document(r, 12))
        for _ in range(8):
            add(" " + tasks.filler(r))
    lists = (words.ADJECTIVES, words.ANIMALS, words.NAMES, words.ROOMS, words.CITIES,
             words.LANGUAGES, words.JOBS, words.FOODS, words.VARIABLES, words.THINGS)
    for word in (word for group in lists for word in group):
        counts[" " + word] += LISTED_WORD
        counts[word] += BARE_WORD
    for word in ("Text", " Question", "user", "assistant", "\n\n"):
        counts[word] += FRAME_WORD
    return counts


def tokenizer_json(tokenizer: Tokenizer) -> dict[str, object]:
    """The content of a tokenizer.json."""
    plain = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False}
    byte_level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True,
                  "use_regex": False}
    split = {"type": "Split", "pattern": {"Regex": UNICODE_PATTERN}, "behavior": "Isolated",
             "invert": False}
    return {
        "version": "1.0", "truncation": None, "padding": None,
        "added_tokens": [{"id": i, "content": text, **plain, "special": True}
                         for text, i in tokenizer.specials.items()],
        "normalizer": None,
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": [split, byte_level]},
        "post_processor": byte_level, "decoder": byte_level,
        "model": {"type": "BPE", "dropout": None, "unk_token": None,
                  "continuing_subword_prefix": None, "end_of_word_suffix": None,
                  "fuse_unk": False, "byte_fallback": False, "ignore_merges": False,
                  "vocab": tokenizer.vocabulary,
                  "merges": [" ".join(pair) for pair in tokenizer.merges]}}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("file", type=pathlib.Path, help="tokenizer.json to write")
    parser.add_argument("--texts", type=int, default=TEXTS)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    merges = train(word_counts(options.texts, options.seed), FIRST_SPECIAL - 256)
    text = json.dumps(tokenizer_json(Tokenizer(merges)), ensure_ascii=False, indent=1)
    part = options.file.with_suffix(".part")
    part.write_text(text, encoding="utf-8")
    part.replace(options.file)


if __name__ == "__main__":
    main()
