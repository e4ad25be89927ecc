#!/usr/bin/env python3
"""What a check of a GPU found, against what is aimed at.

    tools/gpu_targets.py FOLDER    # with the files that tools/gpu_check.py leaves, findings-*.json

Gains of SparseD are over full steps by the faster of our kernel and cuDNN's; its own full steps are
ours. Writes FOLDER/targets.json.
"""

import json
import pathlib
import sys
from typing import NamedTuple

GENERATED = 128
SKIP = 0.2  # of SparseD's steps are full (arXiv 2509.24014)


class Model(NamedTuple):
    shape: str
    name: str
    like_for_like: float  # least gain of SparseD over full attention
    over_plain: float     # the same where the full steps compute every row to its logits
    cached_ms: float


MODELS = (Model("llada-8b", "LLaDA-8B", 1.55, 1.65, 12),
          Model("dream-7b", "Dream-7B", 1.50, 1.60, 7))


class Target(NamedTuple):
    what: str
    value: float | None  # None: one of the values it compares was not found
    unit: str
    at_least: float | None = None
    at_most: float | None = None

    def met(self) -> bool:
        return (self.value is not None and
                (self.at_least is None or self.value >= self.at_least) and
                (self.at_most is None or self.value <= self.at_most))

    def line(self) -> str:
        bound = f">= {self.at_least:g}" if self.at_least is not None else f"<= {self.at_most:g}"
        value = "not found" if self.value is None else f"{self.value:9.4g}"
        return (f"{self.what:74} {value} {self.unit:2}  {bound:>8}  "
                f"{'met' if self.met() else 'MISSED'}")


class Findings:
    """Values by what was found and in which unit; None where it was not."""

    def __init__(self, documents: list[dict]):
        self.values = {(f["what"], f["unit"]): f["value"] for d in documents for f in d["findings"]}

    def get(self, what: str, unit: str) -> float | None:
        return self.values.get((what, unit))


def of_kernels(findings: Findings, model: Model) -> list[Target]:
    found = []

    def compare(what: str, length: int, unit: str, over: str, **bound: float):
        at = f"{model.name} {length}: "
        value, base = findings.get(at + what, unit), findings.get(at + over, unit)
        if value or base:
            found.append(Target(f"{at}{what} over {over}", value / base if value and base else None,
                                "", **bound))

    for length in (32896, 65664):
        compare("dense", length, "TFLOP/s", "dense, cuDNN", at_least=0.92)
    compare("sparse, 30 % kept", 65664, "TFLOP/s", "dense, cuDNN", at_least=0.85)
    compare("sparse, 30 % kept", 65664, "ms", "dense, cuDNN", at_most=0.35)
    compare("selection", 65664, "ms", "dense", at_most=0.6)
    return found


def of_steps(findings: Findings, model: Model) -> list[Target]:
    found = []
    for prompt in (8192, 16384, 65536):
        def time(what: str, unit: str = "s", generated: int = GENERATED) -> float | None:
            return findings.get(f"{model.shape}: {what}, {prompt} + {generated} tokens", unit)

        full, plain = time("full step"), time("plain step")
        measuring, sparse = time("SparseD: step that measures"), time("SparseD: sparse step")
        at = f"{model.name}, {prompt} + {GENERATED} tokens"
        cudnn = time("full step by cuDNN")
        if full and plain and measuring and sparse:
            saved = None if cudnn is None else max(0.0, full - cudnn)
            for count in (128, 1024):
                whole = int(count * SKIP) + 1
                own = whole * full + measuring + (count - whole - 1) * sparse

                def gain(step: float) -> float | None:
                    return None if saved is None else count * (step - saved) / own

                least = model.like_for_like if prompt == 65536 else 1
                found.append(Target(f"{at}: SparseD, {count} steps, like for like", gain(full), "x",
                                    at_least=least))
                if prompt == 65536:
                    found.append(Target(f"{at}: SparseD, {count} steps, over the plain engine",
                                        gain(plain), "x", at_least=model.over_plain))
        if prompt == 65536:
            over_full = time("Sparse-dLLM: gain, a token a step", "x", 32)
            cached = time("Sparse-dLLM: cached step", "ms", 32)
            if over_full and cached:
                found.append(Target(f"{at}: Sparse-dLLM over full", over_full, "x", at_least=14))
                found.append(Target(f"{at}: cached step", cached, "ms", at_most=model.cached_ms))
    return found


def targets(documents: list[dict]) -> list[Target]:
    findings = Findings(documents)
    return [t for m in MODELS for t in of_kernels(findings, m) + of_steps(findings, m)]


def report(folder: pathlib.Path) -> list[Target]:
    """Prints the targets of a folder of findings and writes them beside these."""
    documents = [json.loads(path.read_text()) for path in sorted(folder.glob("findings-*.json"))]
    found = targets(documents)
    for target in found:
        print(target.line())
    if not found:
        print("nothing was found that has a target")
    rows = [{**t._asdict(), "met": t.met()} for t in found]
    (folder / "targets.json").write_text(json.dumps(rows, indent=1) + "\n")
    return found


if __name__ == "__main__":
    if len(sys.argv) != 2 or sys.argv[1].startswith("-"):
        sys.exit(__doc__)
    report(pathlib.Path(sys.argv[1]))
