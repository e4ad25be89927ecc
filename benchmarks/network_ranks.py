#!/usr/bin/env python3
"""A full pass on two hosts that split its rows, against one process, beside what `unmask plan` expects:
network_ranks.py PROGRAM MODEL [--tokens 4096] [--dtype int8] [--gigabits 0.5 1 10] [--repeat 3]. The hosts are network
namespaces of this machine (tests/apps/hosts.py: root, Linux), with a thread each. Ratios are taken within a round, since
the machine's speed varies: medians over the rounds."""

import argparse
import json
import pathlib
import statistics
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "tests" / "apps"))
import hosts  # noqa: E402

BLOCK = 32


def last_pass(trace: pathlib.Path) -> float:
    """Its seconds: what the first one allocates is there. Lines have those since the request began."""
    ends = sorted({json.loads(line)["seconds"] for line in trace.read_text().splitlines() if "seconds" in line})
    return ends[-1] - ends[-2]


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("program")
    arguments.add_argument("model")
    arguments.add_argument("--tokens", type=int, default=4096)
    arguments.add_argument("--dtype", default="int8")
    arguments.add_argument("--gigabits", type=float, nargs="+", default=[0.5, 1, 10])
    arguments.add_argument("--repeat", type=int, default=3)
    a = arguments.parse_args()
    if reason := hosts.missing():
        sys.exit(f"no hosts: {reason}")
    with tempfile.TemporaryDirectory() as folder:
        measure(a, pathlib.Path(folder))


def measure(a: argparse.Namespace, folder: pathlib.Path):
    trace, prompt = folder / "trace.jsonl", folder / "prompt.txt"
    # As many words as tokens at most; the canvas is cut to size by the length that is generated.
    prompt.write_text("a " * (a.tokens - 2 * BLOCK))
    count = json.loads(subprocess.run([a.program, "tokenize", "-m", a.model, "-f", prompt, "--json"], check=True,
                                      capture_output=True, text=True).stdout)["count"]
    length = a.tokens - count
    run = [a.program, "run", "-m", a.model, "--raw", "-f", str(prompt), "-n", str(length), "--block-length", str(length),
           "--steps", "2", "--method", "full", "--suppress-eos", "--dtype", a.dtype, "--threads", "1", "--trace",
           str(trace)]
    shared = hosts.Hosts(2, folder)
    try:
        print("| Gbit/s | one process | two hosts | times as fast | expected |\n|---|---|---|---|---|")
        for gigabits in a.gigabits:
            shared.limit(gigabits)
            rounds = [(one_process(run, trace), two_hosts(shared, run, trace)) for _ in range(a.repeat)]
            measured = statistics.median(alone / both for alone, both in rounds)
            print(f"| {gigabits:g} | {statistics.median(r[0] for r in rounds):.2f} s "
                  f"| {statistics.median(r[1] for r in rounds):.2f} s | {measured:.2f} | {expected(a, gigabits):.2f} |",
                  flush=True)
    finally:
        shared.close()


def one_process(run: list[str], trace: pathlib.Path) -> float:
    subprocess.run(run, check=True, capture_output=True)
    return last_pass(trace)


def two_hosts(shared: hosts.Hosts, run: list[str], trace: pathlib.Path) -> float:
    process = shared.begin(*run, "--ranks", "mpi", "--split", "rows")
    _, err = process.communicate()
    if process.returncode != 0:
        sys.exit(err)
    return last_pass(trace)


def expected(a: argparse.Namespace, gigabits: float) -> float:
    """How many times as fast a full pass is, as planned."""
    plan = json.loads(subprocess.run([a.program, "plan", "-m", a.model, "--dtype", a.dtype, "--ranks", "2", "--threads",
                                      "1", "--network", str(gigabits), "--context", str(a.tokens), "--json"],
                                     check=True, capture_output=True, text=True).stdout)
    ways = plan["contexts"][0]["splits"]
    return ways["prompts"]["full"]["seconds"] / ways["rows"]["full"]["seconds"]


if __name__ == "__main__":
    main()
