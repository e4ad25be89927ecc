#!/usr/bin/env python3
"""Batches and conversations among random faults: soak_test.py PROGRAM ROOT LIBRARY [SECONDS, 30].

Beside one long conversation, whose memory and descriptors are watched, batches and short conversations are
killed, stopped for a while, told to end, lose their reader, or have a call of the system fail (LIBRARY is that of
injection_test.py). Whatever comes out is what an undisturbed run says, and every end is one of those that the fault
allows. The seed of the faults is printed; SOAK_SEED repeats them."""

import collections
import json
import os
import pathlib
import random
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time

PATIENCE = 60  # seconds
CODES = range(4821, 4833)
CALLS = {"open": 20, "read": 40, "mmap": 60, "pthread_create": 2, "malloc": 60_000}  # and how many there are
FAULTS = ("none", "stop", "interrupt", "end", "kill", "close", "fail")
SIGNALS = {"interrupt": signal.SIGINT, "end": signal.SIGTERM, "kill": signal.SIGKILL}
GROWTH_MIB, WARM = 8, 10  # what a conversation may grow after so many answers


def question(code: int) -> str:
    return f"Text: The code of the brave otter is {code}. Rain fell. Question: What is the code of the brave otter?"


class Soak:
    def __init__(self, program: str, root: pathlib.Path, library: str, folder: pathlib.Path, seed: int):
        self.program, self.model, self.library, self.folder = program, str(root / "models/demo"), library, folder
        self.choose = random.Random(seed)
        self.counts = collections.Counter()
        self.seconds = 0.0  # that an undisturbed run takes
        self.prompts = folder / "prompts.jsonl"
        self.prompts.write_text("".join(json.dumps({"id": i, "prompt": question(code)}) + "\n"
                                        for i, code in enumerate(CODES)), "utf-8")
        self.answers: dict[str, list[str]] = {}
        for command in ("batch", "chat"):  # undisturbed
            status, out, errors = self.run(command, "none")
            assert status == 0, errors
            self.answers[command] = self.said(command, out)

    def begin(self, command: str, environment: dict, stdout: int = subprocess.PIPE) -> subprocess.Popen:
        words = {"batch": ["-f", str(self.prompts), "--preset", "exact"], "chat": ["--no-history"]}[command]
        return subprocess.Popen([self.program, command, "-m", self.model, "-n", "16", *words],
                                env={**os.environ, **environment}, cwd=self.folder, stdin=subprocess.PIPE,
                                stdout=stdout, stderr=subprocess.PIPE, text=True)

    def run(self, command: str, fault: str) -> tuple[int, str, str]:
        """Status and streams of a run with one fault at a random moment."""
        environment = {}
        if fault == "fail":
            call = self.choose.choice(list(CALLS))
            environment = {"LD_PRELOAD": self.library, "FAIL_CALL": call,
                           "FAIL_AT": str(self.choose.randint(1, CALLS[call]))}
        begin = time.monotonic()
        if fault == "close":
            reader, writer = os.pipe()
            process = self.begin(command, environment, writer)
            os.close(writer)
            stroke = threading.Timer(self.choose.uniform(0, self.seconds), os.close, (reader,))
        else:
            process = self.begin(command, environment)
            stroke = threading.Timer(self.choose.uniform(0, self.seconds), strike, (process, fault))
        stroke.start()
        text = "".join(f"/reset\n{question(code)}\n" for code in CODES) if command == "chat" else None
        out, errors = process.communicate(text, PATIENCE)
        stroke.join()
        if fault == "none":
            self.seconds = time.monotonic() - begin
        return process.returncode, out or "", errors

    @staticmethod
    def said(command: str, out: str) -> list[str]:
        """The answers that are whole."""
        lines = out.split("\n")[:-1]
        return lines if command == "chat" else [json.loads(line).get("text", "") for line in lines]

    def check(self, command: str, fault: str, status: int, out: str, errors: str):
        allowed = {"none": (0,), "stop": (0,), "interrupt": (0, 130, -2), "end": (0, 143, -15), "kill": (0, -9),
                   "close": (0, 1, -13), "fail": (0, 1)}[fault]
        lines = len(re.findall("(?m)^unmask: error: ", errors))
        said = self.said(command, out)
        wanted = self.answers[command]
        whole = said == wanted[:len(said)]
        if fault == "fail":  # costs an answer, not those behind it
            whole = set(said) <= {*wanted, ""}
        elif command == "chat" and fault in ("interrupt", "end"):  # one shows its text so far
            whole = sum(one not in wanted for one in said) <= 1
        if status not in allowed or not whole or "defect" in errors or (status == 1 and lines == 0 and not said):
            raise AssertionError(f"{command}, {fault}: status {status}, {said}, {errors}")
        self.counts["answers"] += len(said)
        self.counts["ended with an error"] += status == 1
        self.counts["cancelled"] += status in (130, 143)
        self.counts["killed"] += status < 0

    def one(self):
        command, fault = self.choose.choice(("batch", "chat")), self.choose.choice(FAULTS)
        self.counts[command] += 1
        self.check(command, fault, *self.run(command, fault))
        left = [path.name for path in self.folder.iterdir() if path != self.prompts]
        if left:
            raise AssertionError(f"{command}, {fault}: leaves {left}")


def strike(process: subprocess.Popen, fault: str):
    """What happens to a run from outside; nothing does where a call of its own fails."""
    if fault == "stop":
        process.send_signal(signal.SIGSTOP)
        time.sleep(0.3)
        process.send_signal(signal.SIGCONT)
    elif fault in SIGNALS:
        process.send_signal(SIGNALS[fault])


class LongConversation:
    """Asks until it is told to end; each answer must be the right one."""

    def __init__(self, soak: Soak):
        self.process = soak.begin("chat", {})
        self.answered, self.first, self.wrong = 0, None, None
        self.stop = threading.Event()
        self.wanted = soak.answers["chat"][0]
        self.thread = threading.Thread(target=self.talk)
        self.thread.start()

    def talk(self):
        while not self.stop.is_set():
            self.process.stdin.write(f"/reset\n{question(CODES[0])}\n")
            self.process.stdin.flush()
            answer = self.process.stdout.readline().rstrip("\n")
            if answer != self.wanted:
                self.wrong = answer
                return
            self.answered += 1
            if self.answered == WARM:
                self.first = self.held()

    def held(self) -> tuple[float, int]:
        """MiB that are resident, and open descriptors."""
        status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text("utf-8")
        return (int(re.search(r"VmRSS:\s+(\d+)", status)[1]) / 1024,
                len(os.listdir(f"/proc/{self.process.pid}/fd")))

    def end(self) -> str:
        """What became of it; raises where something did not hold."""
        self.stop.set()
        self.thread.join(PATIENCE)
        last = self.held()
        _, errors = self.process.communicate("", PATIENCE)
        if self.wrong is not None or self.process.returncode != 0:
            raise AssertionError(f"the long conversation said {self.wrong!r}: {errors}")
        first = self.first or last
        if last[0] > first[0] + GROWTH_MIB or last[1] > first[1]:
            raise AssertionError(f"the long conversation grew from {first} to {last}")
        return (f"a conversation of {self.answered} answers: {first[0]:.1f} MiB after {WARM}, {last[0]:.1f} at the "
                f"end; descriptors {first[1]}, {last[1]}")


def main() -> int:
    program, root = os.path.abspath(sys.argv[1]), pathlib.Path(sys.argv[2]).resolve()
    seconds = float(sys.argv[4]) if len(sys.argv) > 4 else 30
    seed = int(os.environ.get("SOAK_SEED", random.SystemRandom().randrange(1 << 32)))
    print(f"faults of seed {seed}", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        soak = Soak(program, root, os.path.abspath(sys.argv[3]), pathlib.Path(folder), seed)
        conversation = LongConversation(soak)
        end = time.monotonic() + seconds
        try:
            while time.monotonic() < end:
                soak.one()
        finally:
            held = conversation.end()
    print(", ".join(f"{name}: {count}" for name, count in soak.counts.items()))
    print(held)
    return 0


if __name__ == "__main__":
    sys.exit(main())
