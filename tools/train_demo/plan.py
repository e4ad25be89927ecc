"""What is trained when: lengths, shares of tasks and learning rates, by the count of tokens."""

from __future__ import annotations

import dataclasses
import json
import pathlib

PEAK = 1e-3


@dataclasses.dataclass(frozen=True)
class Phase:
    """Up to `until` million tokens; the learning rate goes straight from the last phase's `rate`
    to this one's. `lengths` and `tasks` are weights. Of the micro-batches, `phrases` are repeated
    phrases, `documents` free texts, and the others chats."""

    until: float
    lengths: dict[int, float]
    tasks: dict[str, float]
    phrases: float
    documents: float
    rate: float
    micro_batches: int  # of 2,048 tokens (or one longer sequence) in a step


def load(path: pathlib.Path) -> list[Phase]:
    """From a JSON file {"tasks": {...}, "phases": [...]}; a phase may bring tasks of its own."""
    data = json.loads(path.read_text(encoding="utf-8"))
    phases = []
    for entry in data["phases"]:
        entry = {"tasks": data["tasks"], **entry}
        entry["lengths"] = {int(k): w for k, w in entry["lengths"].items()}
        phases.append(Phase(**entry))
    return phases


def phase_at(phases: list[Phase], tokens: int) -> Phase | None:
    """The phase that the next step belongs to, None at the end."""
    return next((p for p in phases if tokens < p.until * 1e6), None)


def rate_at(phases: list[Phase], tokens: int) -> float:
    """Learning rate without warm-up."""
    start, before = 0.0, PEAK
    for phase in phases:
        if tokens < phase.until * 1e6:
            part = (tokens - start * 1e6) / ((phase.until - start) * 1e6)
            return before + part * (phase.rate - before)
        start, before = phase.until, phase.rate
    return before
