#!/usr/bin/env python3
"""What serving costs: serve_benchmark.py PROGRAM ROOT [REPEATS, 3] [METHOD ...]. The same 32 prompts one request at
a time and eight at a time, and in a file for `unmask batch`. Seconds of processor time in user mode and on the
clock, a line a repeat, with the share of all processors that others took meanwhile. Read the line with the
smallest share: threads that wait for each other on a crowded machine make small steps dear, which flatters the
gain, so the best ratio is the most disturbed one."""

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


def busy_seconds() -> float:
    """Of all processors, whoever used them."""
    user, nice, system, _, _, irq, softirq, steal = map(int, pathlib.Path("/proc/stat").read_text().split()[1:9])
    return (user + nice + system + irq + softirq + steal) / os.sysconf("SC_CLK_TCK")


def own_seconds(server: Server) -> float:
    times, stat = os.times(), pathlib.Path(f"/proc/{server.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
    return sum(times[:4]) + (int(stat[11]) + int(stat[12])) / os.sysconf("SC_CLK_TCK")


def repeat(program: str, server: Server, model: pathlib.Path, method: str) -> str:
    """All three back to back, so that they meet the same neighbours; and how much those took."""
    busy, own, begin = busy_seconds(), own_seconds(server), time.monotonic()
    (a, a_clock), answers = of_server(server, method, 1)
    (t, t_clock), same = of_server(server, method, IN_FLIGHT)
    assert same == answers
    b, b_clock = of_batch(program, model, method)
    others = busy_seconds() - busy - (own_seconds(server) - own)
    share = others / (time.monotonic() - begin) / os.cpu_count()
    return (f"| {method} | {share:.0%} | {a:.2f} / {a_clock:.2f} s | {t:.2f} / {t_clock:.2f} s"
            f" | {a / t:.2f}x / {a_clock / t_clock:.2f}x | {b:.2f} / {b_clock:.2f} s"
            f" | {t / b:.2f}x / {t_clock / b_clock:.2f}x |")


def main() -> None:
    program, root = sys.argv[1], pathlib.Path(sys.argv[2])
    repeats = int(sys.argv[3]) if len(sys.argv) > 3 else 3
    print("| method | others | one at a time, user / clock | eight at a time | gain | `unmask batch` "
          "| server over batch |")
    print("|---|---|---|---|---|---|---|")
    with Server(program, root, "--no-log") as server:
        for method in sys.argv[4:] or METHODS:
            for _ in range(repeats):
                print(repeat(program, server, root / "models/demo", method), flush=True)


if __name__ == "__main__":
    main()
