#!/usr/bin/python3
"""Trains the demo model; README.md beside this file tells how.

Several processes of one thread each share the weights. In a step they take micro-batches from a
common queue and add up gradients of their own; then each updates its share of all weights. A run
stops and goes on at any step, with any number of processes.
"""

from __future__ import annotations

import argparse
import collections
import dataclasses
import json
import math
import mmap
import multiprocessing
import os
import pathlib
import signal
import sys
import time

import torch
import torch.nn.functional as F

import batches
import fastops
import plan as plans
from bpe import Tokenizer
from examples import Builder
from export import export
from model import Config, Model, parameter_count, random_init
from structured_init import structured_init

ROOT = pathlib.Path(__file__).resolve().parents[2]
WARM_UP = 40  # steps
BETAS = (0.9, 0.95)
DECAY = 0.01
EPSILON = 1e-8
LONGEST_GRADIENT = 1.0
LOG_STEPS = 20
SAVE_STEPS = 60


def shared_vector(n: int) -> torch.Tensor:
    """Zeros that processes forked later see together."""
    return torch.frombuffer(mmap.mmap(-1, 4 * n), dtype=torch.float32)


@dataclasses.dataclass
class State:
    """Weights, AdamW's moments, and how far the run has come."""

    weights: torch.Tensor
    first: torch.Tensor
    second: torch.Tensor
    step: int = 0
    tokens: int = 0

    def save(self, path: pathlib.Path) -> None:
        part = path.with_suffix(".part")
        torch.save(dataclasses.asdict(self), part)
        os.replace(part, path)

    def load(self, path: pathlib.Path) -> None:
        saved = torch.load(path)
        for name in ("weights", "first", "second"):
            getattr(self, name).copy_(saved[name])
        self.step, self.tokens = saved["step"], saved["tokens"]


class Team:
    """What the processes share: gradients (one vector each), a queue and barriers."""

    def __init__(self, size: int, parameters: int) -> None:
        self.size = size
        self.gradients = shared_vector(size * parameters).view(size, parameters)
        self.norms = shared_vector(size)
        self.tokens = shared_vector(size)
        self.barrier = multiprocessing.Barrier(size)
        self._next = multiprocessing.Value("i", 0)

    def take(self) -> int:
        """Number of the next micro-batch of this step."""
        with self._next.get_lock():
            taken = self._next.value
            self._next.value += 1
            return taken

    def refill(self) -> None:
        self._next.value = 0


class Tally:
    """Mean loss of chats, and token accuracy by task where the whole answer was masked."""

    def __init__(self) -> None:
        self._sums: dict[str, list[float]] = collections.defaultdict(lambda: [0.0, 0.0])

    def add(self, name: str, value: float) -> None:
        entry = self._sums[name]
        entry[0] += value
        entry[1] += 1

    def take(self) -> dict[str, float]:
        means = {name: round(s / n, 3) for name, (s, n) in sorted(self._sums.items())}
        self._sums.clear()
        return means


def run_micro_batch(model: Model, batch: batches.MicroBatch, mask: int, tally: Tally,
                    share: float) -> None:
    """Adds `share` times the gradient of the mean loss of the sequences."""
    device = model.flat.device
    ids = torch.tensor([s.ids for s in batch.sequences], device=device)
    masked = torch.tensor([s.masked for s in batch.sequences], device=device)
    weights = torch.tensor([s.weights for s in batch.sequences], device=device) * masked
    positions = torch.tensor([s.positions for s in batch.sequences], device=device)
    hidden = model.hidden(ids.masked_fill(masked, mask), positions, batch.tail)
    end = slice(batch.length - batch.tail, batch.length)
    holes = masked[:, end]
    logits = model.logits(hidden[holes])
    wanted = ids[:, end][holes]
    weights = (weights / weights.sum(1, keepdim=True))[:, end][holes] / len(batch.sequences)
    loss = (F.cross_entropy(logits, wanted, reduction="none") * weights).sum()
    (loss * share).backward()
    tally.add("loss " + batch.name, loss.item())
    right = torch.zeros_like(holes)
    right[holes] = logits.argmax(-1) == wanted
    for sequence, row in zip(batch.sequences, right):
        if sequence.example and sequence.whole:
            start = sequence.example.prompt - end.start
            answer = row[start:start + sequence.example.answer_tokens]
            tally.add(sequence.example.task, answer.float().mean().item())


def adamw(state: State, gradient: torch.Tensor, part: slice, rate: float) -> None:
    """Updates a part of the weights; `state.step` counts from 0."""
    t = state.step + 1
    weights, first, second = state.weights[part], state.first[part], state.second[part]
    first.mul_(BETAS[0]).add_(gradient, alpha=1 - BETAS[0])
    second.mul_(BETAS[1]).addcmul_(gradient, gradient, value=1 - BETAS[1])
    root = (second / (1 - BETAS[1]**t)).sqrt_().add_(EPSILON)
    weights.mul_(1 - rate * DECAY).addcdiv_(first, root, value=-rate / (1 - BETAS[0]**t))


class Worker:
    """One process: its model, its gradient vector and its share of the weights."""

    def __init__(self, rank: int, team: Team, state: State, options: argparse.Namespace) -> None:
        self.rank, self.team, self.state, self.options = rank, team, state, options
        torch.set_num_threads(1)
        self.tokenizer = Tokenizer.load(options.tokenizer / "tokenizer.json")
        self.builder = Builder(self.tokenizer)
        self.plan = plans.load(options.plan)
        on_gpu = options.device == "cuda"
        self.weights = state.weights.to(options.device)
        self.model = Model(Config(layers=options.layers), self.weights,
                           None if on_gpu or options.plain else fastops.load())
        self.gradient = (torch.zeros_like(self.weights) if on_gpu
                         else team.gradients[rank])
        self.model.bind_gradients(self.gradient)
        n = -(-state.weights.numel() // team.size)
        self.part = slice(rank * n, (rank + 1) * n)
        self.tally = Tally()

    def accumulate(self, phase: plans.Phase) -> None:
        """Gradients of the micro-batches that this process gets hold of."""
        self.gradient.zero_()
        self.team.tokens[self.rank] = 0
        while (index := self.team.take()) < phase.micro_batches:
            batch = batches.micro_batch(self.builder, phase, self.options.seed, self.state.step,
                                        index)
            run_micro_batch(self.model, batch, self.tokenizer.mask, self.tally,
                            1 / phase.micro_batches)
            self.team.tokens[self.rank] += batch.length * len(batch.sequences)
        if self.gradient is not self.team.gradients[self.rank]:
            self.team.gradients[self.rank].copy_(self.gradient)

    def update(self, rate: float) -> float:
        """One step of all processes; returns the norm of the gradient."""
        self.team.barrier.wait()
        gradient = self.team.gradients[:, self.part].sum(0)
        self.team.norms[self.rank] = gradient.norm()
        if self.rank == 0:
            self.team.refill()
        self.team.barrier.wait()
        norm = self.team.norms.norm().item()
        gradient.mul_(min(1.0, LONGEST_GRADIENT / (norm + 1e-6)))
        adamw(self.state, gradient, self.part, rate)
        tokens = int(self.team.tokens.sum())
        self.team.barrier.wait()
        self.state.step += 1
        self.state.tokens += tokens
        if self.weights is not self.state.weights:
            self.weights.copy_(self.state.weights)
        return norm

    def run(self) -> None:
        began, at = time.time(), self.state.tokens
        while (phase := plans.phase_at(self.plan, self.state.tokens)) is not None:
            rate = plans.rate_at(self.plan, self.state.tokens)
            rate *= min(1, (self.state.step + 1) / WARM_UP)
            self.accumulate(phase)
            norm = self.update(rate)
            if self.rank == 0 and self.state.step % LOG_STEPS == 0:
                speed = (self.state.tokens - at) / (time.time() - began)
                self.log(rate, norm, speed)
                began, at = time.time(), self.state.tokens
            if self.rank == 0 and self.state.step % SAVE_STEPS == 0:
                self.save()
        if self.rank == 0:
            self.save()

    def log(self, rate: float, norm: float, speed: float) -> None:
        line = {"step": self.state.step, "tokens": self.state.tokens, "rate": round(rate, 7),
                "norm": round(norm, 3), "tokens_per_s": round(speed), **self.tally.take()}
        text = json.dumps(line)
        print(text, flush=True)
        with (self.options.out / "log.jsonl").open("a", encoding="utf-8") as file:
            file.write(text + "\n")

    def save(self) -> None:
        """The state to go on from, and the model as it is; one model a million tokens stays."""
        self.state.save(self.options.out / "state.pt")
        stage = f"model-{math.floor(self.state.tokens / 1e6):03d}M"
        for name in ("model", stage):
            export(self.model, self.tokenizer, self.options.tokenizer, self.options.out / name)


def parse_arguments() -> argparse.Namespace:
    here = pathlib.Path(__file__).parent
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=pathlib.Path, default=ROOT / "build" / "train_demo",
                        help="folder of the state, the log and the models")
    parser.add_argument("--plan", type=pathlib.Path, default=here / "plan.json")
    parser.add_argument("--tokenizer", type=pathlib.Path, default=ROOT / "models" / "demo",
                        help="folder with tokenizer.json and its companions")
    parser.add_argument("--layers", type=int, default=5)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--processes", type=int, default=os.cpu_count())
    parser.add_argument("--plain", action="store_true", help="torch operations only, no kernels")
    parser.add_argument("--random-init", action="store_true", help="no structured initialisation")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    options = parser.parse_args()
    if options.device != "cpu":
        options.processes = 1
    return options


def initial_state(options: argparse.Namespace) -> State:
    """The saved state of an earlier run, or fresh weights."""
    config = Config(layers=options.layers)
    n = parameter_count(config)
    state = State(shared_vector(n), shared_vector(n), shared_vector(n))
    saved = options.out / "state.pt"
    if saved.exists():
        state.load(saved)
        print(f"going on from {saved}: step {state.step}, {state.tokens} tokens", flush=True)
        return state
    model = Model(config, state.weights)
    random_init(model, options.seed)
    if not options.random_init:
        mask = Tokenizer.load(options.tokenizer / "tokenizer.json").mask
        structured_init(model, mask, options.seed)
    return state


def work(rank: int, team: Team, state: State, options: argparse.Namespace) -> None:
    """One process from start to end; when it fails, the others stop waiting for it."""
    try:
        Worker(rank, team, state, options).run()
    except BaseException:
        team.barrier.abort()
        raise


def main() -> None:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    options = parse_arguments()
    torch.set_num_threads(1)
    options.out.mkdir(parents=True, exist_ok=True)
    fast = options.device == "cpu" and not options.plain and fastops.load() is not None
    print(f"{options.processes} processes on {options.device},",
          "with kernels of our own" if fast else "with torch operations only", flush=True)
    state = initial_state(options)
    team = Team(options.processes, state.weights.numel())
    others = [multiprocessing.Process(target=work, args=(rank, team, state, options), daemon=True)
              for rank in range(1, options.processes)]
    for process in others:
        process.start()
    work(0, team, state, options)
    for process in others:
        process.join()


if __name__ == "__main__":
    multiprocessing.set_start_method("fork")
    main()
