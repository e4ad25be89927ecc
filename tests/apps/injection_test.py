#!/usr/bin/env python3
"""Lets one call of the system after the other fail: injection_test.py PROGRAM ROOT LIBRARY [STRIDE, 1300].
LIBRARY is preloaded, or "linked": the calls are in PROGRAM, whose sanitizer then looks for what is lost.

The 1st, 2nd, 3rd ... call of a kind fails until the program has come to its end untouched. Whatever fails,
it ends with an answer or with one line and exit status 1, and leaves either a whole file or none. Of the
calls of malloc every STRIDE-th fails: there are tens of thousands, most of them before anything is read."""

import contextlib
import http.client
import json
import os
import pathlib
import re
import signal
import subprocess
import sys
import tempfile
import threading
import unittest

import cli_test as cli

LIBRARY = ""
STRIDE = 1300
PATIENCE = 60  # seconds that a run may take
# Libraries ask for memory a few hundred times before main, the declarations of options 20,000 times.
FIRST_MALLOCS = [1_000, 3_000, 10_000]
DECLARED = 20_000


def numbers(call: str):
    """Of the calls that fail."""
    if call != "malloc":
        return range(1, 1_000)
    return [*FIRST_MALLOCS, *range(DECLARED, 200_000, STRIDE)]


def whole_json(path: pathlib.Path) -> bool:
    return all(isinstance(json.loads(line), dict) for line in path.read_text("utf-8").splitlines())


class Injection(cli.Case):
    def with_each_failing(self, calls: list[str], scenario):
        """Calls `scenario` with a folder to run in and the environment for it, once for each call that fails."""
        for call in calls:
            for number in numbers(call):
                with self.subTest(call=call, number=number), tempfile.TemporaryDirectory() as folder:
                    mark = pathlib.Path(folder) / "mark"
                    work = pathlib.Path(folder) / "work"
                    work.mkdir()
                    preloaded = {} if LIBRARY == "linked" else {"LD_PRELOAD": LIBRARY}
                    scenario(work, {**os.environ, **preloaded, "FAIL_CALL": call, "FAIL_AT": str(number),
                                    "FAIL_MARK": str(mark), "HOME": str(work)})
                    if not mark.exists():
                        break
            else:
                self.fail(f"there is no end of calls of {call}")

    def assert_no_defect(self, errors: str):
        for word in ("defect", "Sanitizer"):
            self.assertNotIn(word, errors)

    def assert_ended_well(self, status: int, errors: str):
        self.assertIn(status, (0, 1), errors)
        self.assertEqual(len(re.findall("(?m)^unmask: error: ", errors)), status, errors)
        self.assert_no_defect(errors)

    def check(self, calls: list[str], words: list[str], whole=lambda path: True):
        """Runs `words`, once for each failing call; `whole` looks at what is left in the folder."""
        def scenario(folder: pathlib.Path, environment: dict):
            result = subprocess.run([cli.PROGRAM, *words], cwd=folder, env=environment,
                                    capture_output=True, text=True, timeout=PATIENCE, check=False)
            self.assert_ended_well(result.returncode, result.stderr)
            for path in folder.rglob("*"):
                self.assertTrue(path.is_dir() or whole(path), f"{path}: {result.stderr}")

        self.with_each_failing(calls, scenario)

    def test_run(self):
        self.check(["open", "read", "mmap", "write", "mkostemp", "fsync", "rename", "pthread_create",
                    "malloc"],
                   ["run", "-m", cli.demo(), "-p", "Hi", "-n", "4", "--trace", "trace.jsonl"],
                   lambda path: path.name == "trace.jsonl" and whole_json(path))

    def test_batch(self):
        with tempfile.NamedTemporaryFile("w", suffix=".jsonl") as file:
            file.write('{"prompt": "a"}\n{"prompt": "b"}\n')
            file.flush()
            self.check(["open", "read", "mmap", "pthread_create", "malloc"],
                       ["batch", "-m", cli.demo(), "-f", file.name, "-n", "4"])

    def test_eval(self):
        def whole(path: pathlib.Path) -> bool:
            # Results are written as they come; half a line is dropped when they are read again.
            return path.name == "results.jsonl" or "." in path.name and path.suffix in (
                ".json", ".md", ".html")

        self.check(["open", "read", "write", "mkdir", "mkostemp", "fsync", "rename", "flock", "malloc"],
                   ["eval", "-m", cli.demo(), "--task", "multikey", "--length", "128", "--limit", "1",
                    "--tokens-per-step", "16", "-o", "out"], whole)

    def test_convert(self):
        for container in ("packed", "gguf"):
            self.check(["open", "mmap", "write", "mkostemp", "fsync", "rename", "malloc"],
                       ["convert", "-m", cli.demo(), "--to", container, "-o", "model"],
                       lambda path: path.name == "model" and path.stat().st_size > 5_000_000)

    def test_chat(self):
        def scenario(folder: pathlib.Path, environment: dict):
            result = subprocess.run([cli.PROGRAM, "chat", "-m", cli.demo(), "-n", "4"], cwd=folder,
                                    env=environment, input="a\n/save talk\n", capture_output=True,
                                    text=True, timeout=PATIENCE, check=False)
            # What fails after the start costs an answer or a file, not the conversation.
            errors = result.stderr.count("unmask: error: ")
            self.assertTrue(result.returncode in (0, 1) and result.returncode <= errors <= 1,
                            result.stderr)
            self.assert_no_defect(result.stderr)
            for path in folder.iterdir():
                self.assertTrue(path.name == "talk" and whole_json(path), f"{path}: {result.stderr}")

        self.with_each_failing(["open", "read", "mmap", "write", "mkostemp", "fsync", "rename",
                                "pthread_create", "malloc"], scenario)

    def test_serve(self):
        """From its start to its end, with a request between that is answered, if not the first time."""
        def scenario(folder: pathlib.Path, environment: dict):
            command = [cli.PROGRAM, "serve", "-m", cli.demo(), "--port", "0", "--no-log", "--grace", "1"]
            with subprocess.Popen(command, cwd=folder, env=environment, stderr=subprocess.PIPE,
                                  text=True) as process:
                watchdog = threading.Timer(PATIENCE, process.kill)
                watchdog.start()
                errors, answered = "", False
                for line in process.stderr:
                    errors += line
                    if line == "unmask: ready\n":
                        port = int(re.search(r"http://127\.0\.0\.1:(\d+)", errors)[1])
                        answered = any(ask(port) == 200 for _ in range(3))
                        if answered:
                            process.send_signal(signal.SIGTERM)
                watchdog.cancel()
            self.assert_ended_well(process.returncode, errors)
            self.assertTrue(answered or process.returncode == 1, errors)

        self.with_each_failing(["open", "read", "socket", "mmap", "pthread_create", "malloc"], scenario)


def ask(port: int) -> int | None:
    """The status of the reply to a question; None: there was none."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE / 4)
    with contextlib.closing(connection), contextlib.suppress(OSError, http.client.HTTPException):
        connection.request("POST", "/v1/completions", json.dumps({"prompt": "a", "max_tokens": 4}),
                           {"Content-Type": "application/json"})
        return connection.getresponse().status
    return None


if __name__ == "__main__":
    cli.PROGRAM, cli.ROOT = os.path.abspath(sys.argv[1]), pathlib.Path(sys.argv[2]).resolve()
    LIBRARY = sys.argv[3] if sys.argv[3] == "linked" else os.path.abspath(sys.argv[3])
    STRIDE = int(sys.argv[4]) if len(sys.argv) > 4 else STRIDE
    unittest.main(argv=sys.argv[:1])
