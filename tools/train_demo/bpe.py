"""Byte-level BPE: encodes and decodes with a tokenizer.json, and trains a new one.

The pre-tokenizer splits off single digits and leading spaces stay with words. It is written here for
ASCII; what tokenizer.json holds is its Unicode form, and the two agree on the training texts.
"""

from __future__ import annotations

import collections
import json
import pathlib
import re

PATTERN = re.compile(r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\nA-Za-z0-9]?[A-Za-z]+|[0-9]"
                     r"| ?[^\sA-Za-z0-9]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+")
UNICODE_PATTERN = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}"
                   r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+")
SPECIALS = ["<|startoftext|>", "<|endoftext|>", "<|mdm_mask|>", "<|start_header_id|>",
            "<|end_header_id|>", "<|eot_id|>"]
VOCABULARY = 2048
UNUSED = 2  # ids after the special tokens, for a multiple of 64
FIRST_SPECIAL = VOCABULARY - len(SPECIALS) - UNUSED

Merge = tuple[str, str]


def _byte_symbols() -> dict[int, str]:
    """The printable character that stands for each byte in tokenizer files."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [b for b in range(256) if b not in printable]
    return {b: chr(b) for b in printable} | {b: chr(256 + i) for i, b in enumerate(others)}


SYMBOLS = _byte_symbols()
BYTES = {symbol: byte for byte, symbol in SYMBOLS.items()}


def _merged(symbols: list[str], pair: Merge) -> list[str]:
    out: list[str] = []
    i = 0
    while i < len(symbols):
        if tuple(symbols[i:i + 2]) == pair:
            out.append(symbols[i] + symbols[i + 1])
            i += 2
        else:
            out.append(symbols[i])
            i += 1
    return out


def train(counts: dict[str, int], n_merges: int) -> list[Merge]:
    """The most frequent pairs, one after the other; ties go to the later in the alphabet."""
    words = [([SYMBOLS[b] for b in word.encode()], count) for word, count in counts.items()]
    pairs: collections.Counter[Merge] = collections.Counter()
    holders: dict[Merge, set[int]] = collections.defaultdict(set)
    for i, (symbols, count) in enumerate(words):
        for pair in zip(symbols, symbols[1:]):
            pairs[pair] += count
            holders[pair].add(i)
    merges: list[Merge] = []
    while len(merges) < n_merges and pairs:
        best, count = max(pairs.items(), key=lambda item: (item[1], item[0]))
        if count <= 0:
            break
        merges.append(best)
        for i in holders.pop(best):
            symbols, count = words[i]
            for pair in zip(symbols, symbols[1:]):
                pairs[pair] -= count
            symbols = _merged(symbols, best)
            words[i] = (symbols, count)
            for pair in zip(symbols, symbols[1:]):
                pairs[pair] += count
                holders[pair].add(i)
        del pairs[best]
    return merges


class Tokenizer:
    """Encodes texts without special tokens; those have ids of their own as attributes."""

    def __init__(self, merges: list[Merge]) -> None:
        self.merges = merges
        self._rank = {pair: i for i, pair in enumerate(merges)}
        self.vocabulary = {symbol: i for i, symbol in enumerate(sorted(SYMBOLS.values()))}
        for a, b in merges:
            self.vocabulary.setdefault(a + b, len(self.vocabulary))
        if len(self.vocabulary) > FIRST_SPECIAL:
            raise ValueError(f"[bpe] vocabulary: found {len(self.vocabulary)} entries, expected "
                             f"{FIRST_SPECIAL} at most")
        self.specials = {text: FIRST_SPECIAL + i for i, text in enumerate(SPECIALS)}
        (self.bos, self.eos, self.mask, self.start_header, self.end_header,
         self.eot) = self.specials.values()
        self._symbols = {i: symbol for symbol, i in self.vocabulary.items()}
        self._cache: dict[str, list[int]] = {}

    @staticmethod
    def load(path: pathlib.Path) -> Tokenizer:
        """From a tokenizer.json that this module made."""
        data = json.loads(path.read_text(encoding="utf-8"))
        tokenizer = Tokenizer([tuple(m.split(" ")) for m in data["model"]["merges"]])
        if tokenizer.vocabulary != data["model"]["vocab"]:
            raise ValueError(f"[bpe] {path}: its vocabulary does not follow from its merges")
        return tokenizer

    def _word(self, word: str) -> list[int]:
        ids = self._cache.get(word)
        if ids is None:
            symbols = [SYMBOLS[b] for b in word.encode()]
            while True:
                known = [p for p in zip(symbols, symbols[1:]) if p in self._rank]
                if not known:
                    break
                symbols = _merged(symbols, min(known, key=self._rank.__getitem__))
            ids = self._cache[word] = [self.vocabulary[s] for s in symbols]
        return ids

    def encode(self, text: str) -> list[int]:
        return [i for word in PATTERN.findall(text) for i in self._word(word)]

    def decode(self, ids: list[int]) -> str:
        """The text of the ordinary tokens; special ones are left out."""
        symbols = "".join(self._symbols.get(i, "") for i in ids)
        return bytes(BYTES[s] for s in symbols).decode("utf-8", "replace")
