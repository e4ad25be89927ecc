#!/usr/bin/env python3
"""`unmask batch -o`: runs that end early go on, and shares come together: resume_test.py PROGRAM ROOT."""

import fcntl
import json
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import time
import unittest

import cli_test as cli

ITEMS = 12
TIMES = ("seconds", "seconds_to_first_text", "answer_tokens_per_second", "peak_memory_bytes", "threads")


def lasting(line: str) -> dict:
    return {key: value for key, value in json.loads(line).items() if key not in TIMES}


class Resume(cli.Case):
    def setUp(self):
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.folder = pathlib.Path(temporary.name)
        self.prompts, self.answers = self.folder / "prompts.jsonl", self.folder / "answers.jsonl"
        # Two of them alike: each is answered.
        texts = [f"{cli.PROMPT} {max(i, 1)}" for i in range(ITEMS)]
        self.write([json.dumps({"id": i, "prompt": text}) for i, text in enumerate(texts)])

    def write(self, lines: list[str]):
        self.lines = lines
        self.prompts.write_text("\n".join(lines) + "\n", encoding="utf-8")

    def words(self, *more: str) -> list[str]:
        return ["batch", "-m", cli.demo(), "-f", str(self.prompts), "-n", "32", "--steps", "16", "--threads", "1",
                "--batch-size", "1", "-o", str(self.answers), *more]

    def batch(self, *more: str) -> subprocess.CompletedProcess:
        return cli.unmask(*self.words(*more))

    def finish(self, *more: str):
        done = self.batch(*more)
        self.assertEqual((done.returncode, done.stdout), (0, ""), done.stderr)

    def kill_after(self, lines: int, file: pathlib.Path, *more: str) -> int:
        """Ends a run by SIGKILL when its file has so many lines; how many it has then."""
        process = subprocess.Popen([cli.PROGRAM, *self.words(*more)], stdout=subprocess.DEVNULL,
                                   stderr=subprocess.DEVNULL)
        until = time.monotonic() + 60
        while not file.exists() or file.read_text().count("\n") < lines:
            self.assertIsNone(process.poll(), "it ended by itself")
            self.assertLess(time.monotonic(), until, "no answers")
            time.sleep(0.005)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        return file.read_text().count("\n")

    def expected(self) -> list[dict]:
        """What the whole prints."""
        whole = self.words()
        at = whole.index("-o")
        printed = cli.unmask(*whole[:at], *whole[at + 2:])
        self.assert_success(printed)
        return [lasting(line) for line in printed.stdout.splitlines()]

    def found(self) -> list[dict]:
        answers = [lasting(line) for line in self.answers.read_text().splitlines()]
        self.assertEqual([int(a.pop("batch_item").split("-")[0]) - 1 for a in answers], [a["id"] for a in answers])
        return answers

    def test_a_killed_run_goes_on(self):
        kept = self.kill_after(3, self.answers)
        self.assertLess(kept, ITEMS)
        before = self.answers.read_text()
        with self.answers.open("a") as file:
            file.write('{"id": 99, "te')  # as a process leaves it that dies while it writes
        self.finish()
        self.assertTrue(self.answers.read_text().startswith(before))
        self.assertEqual(self.found(), self.expected())
        # With nothing left to do the model is not even loaded.
        done = self.answers.read_text()
        self.finish()
        self.assertEqual(self.answers.read_text(), done)

    def test_shares_come_together(self):
        for share in (1, 3, 4):
            self.finish("--shard", f"{share}/4")
        second = self.folder / "answers.2-of-4.jsonl"
        self.kill_after(1, second, "--shard", "2/4")
        self.finish("--shard", "2/4")
        names = sorted(path.name for path in self.folder.glob("answers*"))
        self.assertEqual(names, [f"answers.{i}-of-4.jsonl" for i in range(1, 5)])
        ids = [json.loads(line)["id"] for name in names for line in (self.folder / name).read_text().splitlines()]
        self.assertEqual(sorted(ids), list(range(ITEMS)))
        self.finish()
        self.assertEqual(self.found(), self.expected())

    def test_the_whole_answers_what_shares_have_left_out(self):
        self.finish("--shard", "2/3")
        self.finish("--shard", "1/2")  # lines of both are in neither twice
        files = [*self.folder.glob("answers.*-of-*")]
        ids = [json.loads(line)["id"] for path in files for line in path.read_text().splitlines()]
        self.assertEqual(len(ids), len(set(ids)))
        self.finish()
        found = self.found()
        self.assertEqual(found[:len(ids)], sorted(found[:len(ids)], key=lambda answer: answer["id"]))
        self.assertEqual(sorted(found, key=lambda answer: answer["id"]), self.expected())

    def test_lines_may_be_added(self):
        all_lines = self.lines
        self.write(all_lines[:4])
        self.finish()
        self.write(all_lines)
        self.finish()
        self.assertEqual(self.found(), self.expected())

    def test_answers_of_something_else_are_refused(self):
        self.finish("--shard", "1/4")
        for more in (("--shard", "1/4", "--temperature", "0.5"), ("--shard", "1/4", "--dtype", "int8"),
                     ("--method", "fast-dllm")):
            self.assert_error(self.batch(*more), "answers.1-of-4.jsonl:1: answers another line 1")
        self.write([json.dumps({"id": i, "prompt": f"Who is {i}?"}) for i in range(ITEMS)])
        self.assert_error(self.batch("--shard", "1/4"), "answers another line 1")
        self.answers.write_text('{"text": "mine"}\n')
        self.assert_error(self.batch(), "answers.jsonl:1: found no answer of a batch")
        self.assertEqual(self.answers.read_text(), '{"text": "mine"}\n')

    def test_one_process_writes(self):
        self.finish("--shard", "1/4")
        with (self.folder / "answers.1-of-4.jsonl").open() as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            for more in (("--shard", "1/4"), ()):
                self.assert_error(self.batch(*more), "another process writes its results there")
            self.finish("--shard", "2/4")

    def test_what_was_skipped_can_be_mended(self):
        whole = self.lines[:3]
        self.write([*whole[:1], json.dumps({"prompt": ""}), *whole[2:]])
        skipped = self.batch("--on-error", "skip")
        self.assertEqual((skipped.returncode, skipped.stdout), (1, ""), skipped.stderr)
        self.assertEqual([answer["id"] for answer in self.found()], [0, 2])
        self.write(whole)
        self.finish()
        self.assertEqual(sorted(self.found(), key=lambda answer: answer["id"]), self.expected())


if __name__ == "__main__":
    cli.PROGRAM = sys.argv[1]
    cli.ROOT = pathlib.Path(sys.argv[2])
    unittest.main(argv=[sys.argv[0], *sys.argv[3:]])
