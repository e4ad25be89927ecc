#!/usr/bin/env python3
"""Kills the program at random moments and goes on from what it left: crash_test.py PROGRAM ROOT [TIMES, 12].

`eval`, `batch` and `convert` are killed (SIGKILL) TIMES times each. Whatever was finished before is still
there, and the end is that of a run that nobody disturbed."""

import json
import os
import pathlib
import random
import subprocess
import sys
import tempfile
import time
import unittest

import cli_test as cli

TIMES = 12
LINES = 8  # of a batch


def finished(text: bytes) -> bytes:
    """Without the line in which the program was killed."""
    return text[:text.rfind(b"\n") + 1]


def lasting(value):
    """JSON but for times, and memory that depends on who runs beside."""
    if isinstance(value, dict):
        return {name: lasting(part) for name, part in value.items()
                if "second" not in name and name != "peak_memory_bytes"}
    return [lasting(part) for part in value] if isinstance(value, list) else value


def records(text: bytes) -> list:
    return [lasting(json.loads(line)) for line in text.splitlines()]


class Crash(cli.Case):
    def setUp(self):
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.folder = pathlib.Path(temporary.name)
        self.choose = random.Random(self.id().rpartition(".")[2])
        self.kills = 0

    def run_until(self, words: list, seconds: float | None, **streams) -> bool:
        """Whether the program came to its end, which must be a good one; it is killed after `seconds`."""
        with tempfile.TemporaryFile("w+") as errors:
            process = subprocess.Popen([cli.PROGRAM, *words], stderr=errors, **streams)
            try:
                process.wait(seconds)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
                self.kills += 1
                return False
            errors.seek(0)
            self.assertEqual(process.returncode, 0, errors.read())
            return True

    def undisturbed(self, words: list, **streams) -> float:
        """The seconds that it takes."""
        begin = time.monotonic()
        self.assertTrue(self.run_until(words, None, **streams))
        return time.monotonic() - begin

    def test_eval(self):
        def words(folder: pathlib.Path) -> list:
            return ["eval", "-m", cli.demo(), "--task", "multikey", "--length", "128", "--limit", "6",
                    "--tokens-per-step", "4", "-o", folder]

        def summary(folder: pathlib.Path):
            return lasting(json.loads((folder / "summary.json").read_text("utf-8")))

        whole = self.folder / "whole"
        seconds = self.undisturbed(words(whole), stdout=subprocess.DEVNULL)
        wanted = records((whole / "results.jsonl").read_bytes())
        while self.kills < TIMES:
            folder = self.folder / str(self.kills)
            results, before, ended = folder / "results.jsonl", b"", False
            while not ended:
                moment = self.choose.uniform(0, seconds) if self.kills < TIMES else None
                ended = self.run_until(words(folder), moment, stdout=subprocess.DEVNULL)
                now = results.read_bytes() if results.exists() else b""
                self.assertTrue(now.startswith(before), f"{before} was lost: {now}")
                before = finished(now)
            self.assertEqual(records(before), wanted)
            self.assertEqual(summary(folder), summary(whole))

    def test_batch(self):
        prompts, rest, answers = (self.folder / name for name in ("prompts", "rest", "answers"))
        lines = [json.dumps({"id": i, "prompt": cli.PROMPT.replace("4821", f"482{i}")}) + "\n"
                 for i in range(LINES)]

        def answer(seconds: float | None) -> bool:
            """Goes on behind the last line that is there."""
            done = finished(answers.read_bytes())
            answers.write_bytes(done)
            rest.write_text("".join(lines[done.count(b"\n"):]), "utf-8")
            if not rest.stat().st_size:
                return True
            with answers.open("ab") as out:
                return self.run_until(words(rest), seconds, stdout=out)

        def words(file: pathlib.Path) -> list:
            return ["batch", "-m", cli.demo(), "-f", file, "-n", "16", "--preset", "exact",
                    "--batch-size", "3"]

        prompts.write_text("".join(lines), "utf-8")
        with answers.open("wb") as out:
            seconds = self.undisturbed(words(prompts), stdout=out)
        wanted = records(answers.read_bytes())
        self.assertEqual([record["id"] for record in wanted], list(range(LINES)))
        while self.kills < TIMES:
            answers.write_bytes(b"")
            while not answer(self.choose.uniform(0, seconds) if self.kills < TIMES else None):
                pass
            self.assertEqual(records(answers.read_bytes()), wanted)

    def test_convert(self):
        for container in ("packed", "gguf"):
            target = self.folder / container
            words = ["convert", "-m", cli.demo(), "--to", container, "-o", target]
            seconds = self.undisturbed(words)
            whole = target.read_bytes()
            enough = self.kills + TIMES / 2
            while self.kills < enough:
                target.unlink()
                old = self.choose.choice((None, b"of before"))
                if old:
                    target.write_bytes(old)
                while not self.run_until(words, self.choose.uniform(0, seconds) if self.kills < enough else None):
                    found = target.read_bytes() if target.exists() else None
                    self.assertTrue(found in (old, whole), "a part of a file has its name")
                self.assertTrue(target.read_bytes() == whole)


if __name__ == "__main__":
    cli.PROGRAM, cli.ROOT = os.path.abspath(sys.argv[1]), pathlib.Path(sys.argv[2]).resolve()
    TIMES = int(sys.argv[3]) if len(sys.argv) > 3 else TIMES
    unittest.main(argv=sys.argv[:1])
