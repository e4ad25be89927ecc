#!/usr/bin/env python3
"""Lets one call of the system after the other fail: injection_test.py PROGRAM ROOT LIBRARY.

Whatever fails, the program ends with an answer or with one line and exit status 1, and leaves either a
whole file or none."""

import json
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

import cli_test as cli

LIBRARY = ""
# The numbers of calls that fail. Libraries ask for memory a few hundred times before main, the
# declarations of options 20,000 times.
CALLS = {"open": range(1, 9), "pread": range(1, 7), "mmap": range(1, 4), "write": range(1, 4),
         "fsync": range(1, 3), "rename": range(1, 3), "flock": range(1, 2),
         "pthread_create": range(1, 2),
         "malloc": [1_000, 3_000, 10_000, *range(20_000, 36_000, 1_300)]}


def whole_json(path: pathlib.Path) -> bool:
    return all(isinstance(json.loads(line), dict) for line in path.read_text("utf-8").splitlines())


class Injection(cli.Case):
    def check(self, calls: list[str], words: list[str], whole=lambda path: True):
        """Runs `words` in a folder, once for each failing call; `whole` looks at what is left there."""
        for call in calls:
            for number in CALLS[call]:
                with self.subTest(call=call, number=number), tempfile.TemporaryDirectory() as folder:
                    environment = {**os.environ, "LD_PRELOAD": LIBRARY, "FAIL_CALL": call,
                                   "FAIL_AT": str(number)}
                    result = subprocess.run([cli.PROGRAM, *words], cwd=folder, env=environment,
                                            capture_output=True, text=True, timeout=60, check=False)
                    self.assertIn(result.returncode, (0, 1), result.stderr)
                    lines = [line for line in result.stderr.splitlines() if ": error: " in line]
                    self.assertEqual(len(lines), result.returncode, result.stderr)
                    self.assertNotIn("defect", result.stderr)
                    for path in pathlib.Path(folder).rglob("*"):
                        self.assertTrue(path.is_dir() or whole(path), f"{path}: {result.stderr}")

    def test_run(self):
        self.check(["open", "pread", "mmap", "write", "fsync", "rename", "pthread_create", "malloc"],
                   ["run", "-m", cli.demo(), "-p", "Hi", "-n", "4", "--trace", "trace.jsonl"],
                   lambda path: path.name == "trace.jsonl" and whole_json(path))

    def test_batch(self):
        with tempfile.NamedTemporaryFile("w", suffix=".jsonl") as file:
            file.write('{"prompt": "a"}\n{"prompt": "b"}\n')
            file.flush()
            self.check(["open", "mmap", "pthread_create", "malloc"],
                       ["batch", "-m", cli.demo(), "-f", file.name, "-n", "4"])

    def test_eval(self):
        def whole(path: pathlib.Path) -> bool:
            # Results are written as they come; half a line is dropped when they are read again.
            return path.name == "results.jsonl" or "." in path.name and path.suffix in (
                ".json", ".md", ".html")

        self.check(["open", "write", "fsync", "rename", "flock", "malloc"],
                   ["eval", "-m", cli.demo(), "--task", "multikey", "--length", "128", "--limit", "2",
                    "-o", "out"], whole)

    def test_convert(self):
        for container in ("packed", "gguf"):
            self.check(["open", "mmap", "write", "fsync", "rename", "malloc"],
                       ["convert", "-m", cli.demo(), "--to", container, "-o", "model"],
                       lambda path: path.name == "model" and path.stat().st_size > 5_000_000)


if __name__ == "__main__":
    cli.PROGRAM, cli.ROOT = os.path.abspath(sys.argv[1]), pathlib.Path(sys.argv[2]).resolve()
    LIBRARY = os.path.abspath(sys.argv[3])
    unittest.main(argv=sys.argv[:1] + sys.argv[4:])
