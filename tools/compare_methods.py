#!/usr/bin/env python3
"""Accuracy, work, time and memory of every method on a model: compare_methods.py --help.

Each method and task is one process of `unmask batch`, one example at a time, so that its peak memory
is its own. Prints a Markdown table, or with --json one object a line.
"""

import argparse
import json
import pathlib
import statistics
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
METHODS = [
    "full",
    "sparsed:block=32,select=0.5",
    "sparsed:block=32,select=0.3",
    "sparsed:block=16,select=0.1",
    "sparsed:block=32,coverage=0.9",
    "sparse-dllm:keep=0.5",
    "sparse-dllm:keep=0.3",
    "sparse-dllm:keep=0.1",
    "sparse-dllm:keep=0.5,score=random",
    "sparse-dllm:keep=0.5+sparsed:block=32,skip=0",
    "maskkv:keep=0.3",
    "fast-dllm:cache=prefix",
    "fast-dllm:cache=dual",
    "streaming-dllm",
    "dkv-cache",
    "dllm-cache",
    "sliding-window:window={third},block=16",
    "streaming-llm:window={third},block=16,sinks=16",
]


def read_examples(path: pathlib.Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def lengthened(examples: list[dict], factor: int, limit: int) -> list[dict]:
    """The first examples `factor` times as long: the texts of neighbours, and their own question."""

    def split(example: dict) -> tuple[str, str]:
        text, question = example["messages"][0]["content"].removeprefix("Text: ").split(" Question: ")
        return text, question

    result = []
    for i, example in enumerate(examples[:limit]):
        text, question = split(example)
        key = question.removesuffix("?").split(" of ")[-1]
        texts = [text]
        for step in range(1, len(examples)):
            other = split(examples[(i + step) % len(examples)])[0]
            if key not in other and len(texts) < factor:  # the answer stays the only one
                texts.append(other)
        middle = i % factor  # the asked fact wanders through the whole text
        texts = texts[1:middle + 1] + texts[:1] + texts[middle + 1:]
        content = f"Text: {' '.join(texts)} Question: {question}"
        result.append(example | {"messages": [{"role": "user", "content": content}]})
    return result


def run(arguments, examples: list[dict], method: str) -> dict:
    with tempfile.NamedTemporaryFile("w", suffix=".jsonl") as prompts:
        for example in examples:
            prompts.write(json.dumps({key: example[key] for key in ("messages", "expected")}) + "\n")
        prompts.flush()
        command = [str(arguments.program), "batch", "-m", str(arguments.model), "-f", prompts.name,
                   "--batch-size", "1", "-n", "32", "--block-length", "32", "--steps", "16",
                   "--no-early-stop", "--method", method]
        if arguments.threads:
            command += ["--threads", str(arguments.threads)]
        output = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    answers = [json.loads(line) for line in output.splitlines()]
    expected = [(text, answer["text"]) for answer in answers for text in answer["expected"]]
    return {
        "method": method,
        "examples": len(answers),
        "tokens": round(statistics.mean(answer["canvas"] for answer in answers)),
        "recall": sum(text in answer for text, answer in expected) / len(expected),
        "rows": round(statistics.mean(answer["rows"] for answer in answers)),
        "seconds": statistics.median(answer["seconds"] for answer in answers),
        "peak_memory_bytes": max(answer["peak_memory_bytes"] for answer in answers),
    }


def parse_task(text: str) -> tuple[pathlib.Path, int]:
    """FILE, or FILE*N for texts N times as long."""
    name, _, factor = text.partition("*")
    return pathlib.Path(name), int(factor or 1)


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    demo = ROOT / "tests" / "demo"
    parser.add_argument("tasks", nargs="*", type=parse_task, metavar="FILE[*N]",
                        default=[(demo / "multikey_512.jsonl", 1), (demo / "multiquery_512.jsonl", 1),
                                 (demo / "multikey_1024.jsonl", 1), (demo / "multikey_1024.jsonl", 3)],
                        help="examples; *N joins the texts of N of them")
    parser.add_argument("--program", type=pathlib.Path, default=ROOT / "build" / "release" / "unmask")
    parser.add_argument("--model", type=pathlib.Path, default=ROOT / "models" / "demo")
    parser.add_argument("--limit", type=int, default=100, help="examples a task")
    parser.add_argument("--methods", nargs="+", default=METHODS)
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--json", action="store_true")
    return parser.parse_args()


def main() -> int:
    arguments = parse_arguments()
    for path, factor in arguments.tasks:
        examples = read_examples(path)
        examples = (lengthened(examples, factor, arguments.limit) if factor > 1
                    else examples[:arguments.limit])
        name = path.stem.rsplit("_", 1)[0]
        full_seconds = None
        for method in arguments.methods:
            canvas = examples[0].get("total_tokens", 512) * factor
            row = run(arguments, examples, method.format(third=canvas * 3 // 10))
            if full_seconds is None:  # the first method is what the others are compared with
                full_seconds = row["seconds"]
                if not arguments.json:
                    print(f"\n**{name}, {row['tokens']} tokens**, {row['examples']} examples\n\n"
                          "| method | recall | rows | seconds | speed-up | peak memory |\n"
                          "|---|---|---|---|---|---|")
            row |= {"task": name, "speed_up": full_seconds / row["seconds"]}
            print(json.dumps(row) if arguments.json else
                  f"| `{row['method']}` | {row['recall']:.3f} | {row['rows']:,} | "
                  f"{row['seconds']:.3f} | {row['speed_up']:.2f} | "
                  f"{row['peak_memory_bytes'] / 2**20:.0f} MiB |", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
