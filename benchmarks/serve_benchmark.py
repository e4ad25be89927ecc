#!/usr/bin/env python3
"""What serving costs: serve_benchmark.py PROGRAM ROOT [REPEATS, 3] [METHOD ...]. The same 32 prompts one request at
a time and eight at a time, and in a file for `unmask batch`. Seconds of processor time in user mode and on the
clock; the least of the repeats, because others disturb and never help."""

import concurrent.futures
import json
import os
import pathlib
import resource
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "tests/serve"))
from harness import Server  # noqa: E402

METHODS = ("fast-dllm", "sparse-dllm", "full")
TOKENS, BLOCK, IN_FLIGHT, PROMPTS = 64, 32, 8, 32
TEXT = "The brave otter walked along the river while the calm fox slept under a tree and the rain fell. " * 7
QUESTIONS = [f"Text: {TEXT}The code of the brave otter is {1000 + 17 * i}. "
             "Question: What is the code of the brave otter?" for i in range(PROMPTS)]
Seconds = tuple[float, float]  # of the processor in user mode, on the clock


def body(question: str, method: str) -> dict:
    return {"messages": [{"role": "user", "content": question}], "max_tokens": TOKENS, "seed": 1,
            "diffusion": {"method": method, "gen_length": TOKENS, "steps": TOKENS, "block_length": BLOCK,
                          "preset": "exact", "early_stop": False}}


def user_seconds(pid: int) -> float:
    return int(pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[11]) / os.sysconf("SC_CLK_TCK")


def of_server(server: Server, method: str, in_flight: int) -> tuple[Seconds, list[str]]:
    def ask(question: str) -> str:
        return server.post("/v1/chat/completions", body(question, method)).json["choices"][0]["message"]["content"]

    user, begin = user_seconds(server.process.pid), time.monotonic()
    with concurrent.futures.ThreadPoolExecutor(in_flight) as pool:
        answers = list(pool.map(ask, QUESTIONS))
    return (user_seconds(server.process.pid) - user, time.monotonic() - begin), answers


def of_batch(program: str, model: pathlib.Path, method: str) -> Seconds:
    """Twice the prompts less once, so that loading the model does not count."""
    figures = []
    for times in (1, 2):
        with tempfile.NamedTemporaryFile("w", suffix=".jsonl") as file:
            file.writelines(json.dumps({"prompt": question}) + "\n" for question in QUESTIONS * times)
            file.flush()
            user, begin = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime, time.monotonic()
            subprocess.run([program, "batch", "-m", model, "-f", file.name, "--batch-size", str(IN_FLIGHT), "--preset",
                            "exact", "--method", method, "-n", str(TOKENS), "--steps", str(TOKENS), "--block-length",
                            str(BLOCK), "--no-early-stop"], check=True, capture_output=True)
            figures.append((resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - user, time.monotonic() - begin))
    return figures[1][0] - figures[0][0], figures[1][1] - figures[0][1]


def main() -> None:
    program, root = sys.argv[1], pathlib.Path(sys.argv[2])
    repeats = int(sys.argv[3]) if len(sys.argv) > 3 else 3
    model = root / "models/demo"
    print("| method | one at a time, user / clock | eight at a time | gain | `unmask batch` | server over batch |")
    print("|---|---|---|---|---|---|")
    for method in sys.argv[4:] or METHODS:
        alone, together, batch = [], [], []
        with Server(program, root, "--no-log") as server:
            for _ in range(repeats):
                seconds, answers = of_server(server, method, 1)
                alone.append(seconds)
                seconds, same = of_server(server, method, IN_FLIGHT)
                together.append(seconds)
                assert same == answers
        batch = [of_batch(program, model, method) for _ in range(repeats)]
        (a, a_clock), (t, t_clock), (b, b_clock) = (
            tuple(min(column) for column in zip(*figures)) for figures in (alone, together, batch))
        print(f"| {method} | {a:.2f} / {a_clock:.2f} s | {t:.2f} / {t_clock:.2f} s"
              f" | {a / t:.2f}x / {a_clock / t_clock:.2f}x | {b:.2f} / {b_clock:.2f} s | {t / b:.2f}x / {t_clock / b_clock:.2f}x |", flush=True)


if __name__ == "__main__":
    main()
