#!/usr/bin/python3
"""Accuracy of models on fresh examples of the training tasks, with the engine's full attention.

Prints one Markdown row a task and length: for each model the share of expected strings found and
the share of examples with all of them. The examples follow from the seed, which no training uses.
With --write it only writes them, in the form of tests/demo.
"""

from __future__ import annotations

import argparse
import json
import pathlib
import subprocess
import tempfile
from random import Random

from bpe import Tokenizer
from examples import Builder, Example

ROOT = pathlib.Path(__file__).resolve().parents[2]
DEFAULT = ["single:1024,2048,4096", "multikey:1024,2048,4096", "multiquery:512,1024",
           "multivalue:512", "people:256,1024", "two_facts:512", "tracking:512", "moves:512",
           "common_word:256", "repeat:256", "json:256", "function:256"]


def make_examples(builder: Builder, task: str, length: int, count: int, response: int,
                  seed: int) -> list[Example]:
    """Examples whose text the engine will cut into the same tokens."""
    r = Random(f"evaluate/{seed}/{task}/{length}")
    made: list[Example] = []
    while len(made) < count:
        example = builder.chat(r, task, length, response, first=False)
        if example is not None:
            made.append(example)
    return made


def batch_lines(examples: list[Example]) -> str:
    """The input of `unmask batch`, which hands everything back with each answer."""
    lines = []
    for i, e in enumerate(examples):
        total = len(e.ids)
        lines.append(json.dumps({
            "id": f"{e.task}_{total}_{i}", "task": e.task, "total_tokens": total,
            "prompt_tokens": e.prompt, "gen_length": total - e.prompt,
            "messages": [{"role": "user", "content": e.user}], "expected": e.expected}) + "\n")
    return "".join(lines)


def answers(program: pathlib.Path, model: pathlib.Path, lines: str, response: int,
            threads: int) -> list[dict]:
    """What the engine says: two tokens a step, one block, temperature 0."""
    with tempfile.NamedTemporaryFile("w", suffix=".jsonl") as prompts:
        prompts.write(lines)
        prompts.flush()
        command = [str(program), "batch", "-m", str(model), "-f", prompts.name, "--batch-size", "1",
                   "-n", str(response), "--block-length", str(response),
                   "--steps", str(response // 2), "--no-early-stop"]
        if threads:
            command += ["--threads", str(threads)]
        output = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    return [json.loads(line) for line in output.splitlines()]


def score(results: list[dict]) -> tuple[float, float]:
    """Share of the expected strings that were found, and share of answers that hold all."""
    found = [[text in result["text"] for text in result["expected"]] for result in results]
    strings = [hit for hits in found for hit in hits]
    return sum(strings) / len(strings), sum(all(hits) for hits in found) / len(found)


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("tasks", nargs="*", default=DEFAULT, metavar="TASK:LENGTH,LENGTH...")
    parser.add_argument("--model", type=pathlib.Path, action="append",
                        help="folder of a model (build/train_demo/model); may come several times")
    parser.add_argument("--limit", type=int, default=100, help="examples a task and length")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--response", type=int, default=32, help="tokens to generate")
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--program", type=pathlib.Path,
                        default=ROOT / "build" / "release" / "unmask")
    parser.add_argument("--show", type=int, default=0, help="answers to print a task")
    parser.add_argument("--write", type=pathlib.Path, help="folder for the examples")
    options = parser.parse_args()
    options.model = options.model or [ROOT / "build" / "train_demo" / "model"]
    return options


def table_row(options: argparse.Namespace, lines: str) -> str:
    """What each model finds in the examples."""
    cells = []
    for model in options.model:
        results = answers(options.program, model, lines, options.response, options.threads)
        cells.append("{:.3f}, {:.3f}".format(*score(results)))
        for result in results[:options.show]:
            print(f"    {result['expected']} <- {result['text']!r}")
    return " | ".join(cells)


def main() -> None:
    options = parse_arguments()
    builder = Builder(Tokenizer.load(options.model[0] / "tokenizer.json"))
    if not options.write:
        print("| task | tokens | " + " | ".join(f"{m.name}: found, all" for m in options.model)
              + " |\n|---|---|" + "---|" * len(options.model), flush=True)
    for entry in options.tasks:
        task, _, lengths = entry.partition(":")
        for length in map(int, lengths.split(",")):
            lines = batch_lines(make_examples(builder, task, length, options.limit,
                                              options.response, options.seed))
            if options.write:
                (options.write / f"{task}_{length}.jsonl").write_text(lines, encoding="utf-8")
            else:
                print(f"| {task} | {length:,} | {table_row(options, lines)} |", flush=True)


if __name__ == "__main__":
    main()
