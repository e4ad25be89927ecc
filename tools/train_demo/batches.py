"""Micro-batches: sequences, what is masked of them, and what each masked token weighs.

A micro-batch follows from the seed, the step and its number in the step alone, so a run can stop and
go on, and the number of processes does not change the data.
"""

from __future__ import annotations

import dataclasses
from random import Random

from examples import Builder, Example
from plan import Phase

MICRO_TOKENS = 2048
LONGEST_RANGE = 4200  # of the position ids, with the gaps
PADDING_WEIGHT = 0.1  # of an end-of-text token after the answer
TAIL = 64  # longest response region


@dataclasses.dataclass
class Sequence:
    ids: list[int]
    masked: list[bool]
    weights: list[float]
    positions: list[int]
    example: Example | None = None
    whole: bool = False  # the answer is masked completely


@dataclasses.dataclass
class MicroBatch:
    """`tail`: how many of the last positions hold all that is masked; `name` for the log."""

    name: str
    sequences: list[Sequence]
    length: int
    tail: int


def _response_mask(r: Random, example: Example) -> tuple[list[bool], bool]:
    """A state of decoding: random, all masked, padding known already, or by blocks."""
    total = len(example.ids)
    start, end = example.prompt, example.prompt + example.answer_tokens
    share = 1.0 if r.random() < 0.3 else r.uniform(0.02, 1)
    masked = [i >= start and r.random() < share for i in range(total)]
    form = r.random()
    if form < 0.2:  # the engine decodes padding first
        masked[end:] = [False] * (total - end)
    elif form > 0.75 and total - start > 32:
        block = r.choice([16, 32])
        current = r.randrange((total - start) // block)
        for i in range(start, total):
            if (i - start) // block != current:
                masked[i] = (i - start) // block > current
    if not any(masked[start:end]):
        masked[start + r.randrange(example.answer_tokens)] = True
    return masked, share == 1


def _hole_mask(r: Random, n: int) -> list[bool]:
    """Single tokens or holes of up to eight, as a user punches them."""
    share = r.uniform(0.05, 0.7)
    if r.random() < 0.5:
        masked = [r.random() < share for _ in range(n)]
    else:
        masked = [False] * n
        while sum(masked) < share * n * 0.7:
            at = r.randrange(n)
            for i in range(at, min(n, at + r.randint(1, 8))):
                masked[i] = True
    if not any(masked):
        masked[r.randrange(n)] = True
    return masked


def _positions(r: Random, length: int, prompt: int) -> list[int]:
    """Position ids with up to three gaps in the prompt, so that short texts span long ranges."""
    positions = list(range(length))
    room = r.choice([512, 1024, 2048, 3072, LONGEST_RANGE]) - length
    if room <= 0 or r.random() < 0.5:
        return positions
    n = r.randint(1, 3)
    cuts = sorted(r.randrange(8, max(9, prompt - 24)) for _ in range(n))
    for cut, offset in zip(cuts, sorted(r.randint(0, room) for _ in range(n))):
        positions[cut:] = [i + offset for i in range(cut, length)]
    return positions


def _chat(r: Random, builder: Builder, phase: Phase, length: int) -> Sequence:
    names, weights = list(phase.tasks), list(phase.tasks.values())
    while True:
        task = r.choices(names, weights)[0]
        if task in ("dense", "several_people"):
            response = 48 if length <= 128 else 64
        else:
            response = r.choice([16, 32, 32, 48] if length <= 128 else [16, 32, 32, 48, 64])
        room = None
        if r.random() < 0.3:
            room = max(2, int((length - response) / 24 * r.random()))
        example = builder.chat(r, task, length, response, room)
        if example is not None:
            break
    masked, whole = _response_mask(r, example)
    padding = length - example.prompt - example.answer_tokens
    weights = [0.0] * example.prompt + [1.0] * example.answer_tokens + [PADDING_WEIGHT] * padding
    return Sequence(example.ids, masked, weights, _positions(r, length, example.prompt), example,
                    whole)


def micro_batch(builder: Builder, phase: Phase, seed: int, step: int, index: int) -> MicroBatch:
    """The data of one forward and backward pass."""
    r = Random(f"{seed}/{step}/{index}")
    length = r.choices(list(phase.lengths), list(phase.lengths.values()))[0]
    count = max(1, MICRO_TOKENS // length)
    form = r.random()
    if form >= phase.phrases + phase.documents:
        chats = [_chat(r, builder, phase, length) for _ in range(count)]
        return MicroBatch("chat", chats, length, TAIL)
    name = "phrases" if form < phase.phrases else "documents"
    sequences = []
    for _ in range(count):
        if name == "phrases":
            ids, masked = builder.phrases(r, length)
        else:
            ids = builder.document(r, length)
            masked = _hole_mask(r, length)
        sequences.append(Sequence(ids, masked, [1.0] * length, _positions(r, length, length)))
    return MicroBatch(name, sequences, length, length)
