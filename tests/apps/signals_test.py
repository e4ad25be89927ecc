#!/usr/bin/env python3
"""Signals at random moments: signals_test.py PROGRAM ROOT [TIMES, 3] [MODEL, models/demo] [SECONDS, 1.5].

Each command gets SIGINT, SIGTERM or SIGHUP TIMES times within its first SECONDS. It ends within two seconds
(half a second on a machine of one's own), says how far it was, and leaves no file that is not whole and the
terminal as it found it. Prints how long the ends took."""

import contextlib
import json
import os
import pathlib
import random
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import termios
import threading
import time
import unittest

import chat_test as chat
import cli_test as cli

TIMES, MODEL, SECONDS = 3, "", 1.5
PATIENCE = 2.0  # seconds
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
LONG = ("-n", "1024", "--preset", "exact", "--suppress-eos")


def ask(path: pathlib.Path, body: dict):
    """One request for a completion to the server behind a Unix socket; what comes is not looked at."""
    data = json.dumps(body)
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as client:
        client.connect(str(path))
        client.sendall("POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
                       f"Content-Length: {len(data)}\r\nConnection: close\r\n\r\n{data}".encode())
        while client.recv(65536):
            pass


class Signals(cli.Case):
    def setUp(self):
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.folder = pathlib.Path(temporary.name)
        self.choose = random.Random(self.id())
        self.times: list[float] = []

    def tearDown(self):
        if self.times:
            print(f"{self.id().rpartition('_')[2]:>8}: {len(self.times)} signals, ended after "
                  f"{statistics.median(self.times) * 1e3:.0f} ms in the median, "
                  f"{max(self.times) * 1e3:.0f} ms at most", flush=True)

    def begin(self, *words: str) -> subprocess.Popen:
        return subprocess.Popen([cli.PROGRAM, *words], cwd=self.folder, stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE, text=True)

    def strike(self, process: subprocess.Popen, number: int, seconds: float | None = None
               ) -> tuple[int, str, str]:
        """Status and streams of the process, which gets the signal at a random moment."""
        time.sleep(self.choose.uniform(0, seconds or SECONDS))
        late = process.poll() is not None
        process.send_signal(number)
        begin = time.monotonic()
        watchdog = threading.Timer(chat.SECONDS, process.kill)
        watchdog.start()
        out, errors = process.communicate()  # what fills a pipe would else wait for its reader
        watchdog.cancel()
        if not late:
            self.times.append(time.monotonic() - begin)
            self.assertLess(self.times[-1], PATIENCE)
        return process.returncode, out, errors

    def undisturbed(self, *words: str) -> float:
        """The seconds that it takes."""
        begin = time.monotonic()
        with self.begin(*words) as process:
            process.communicate()
        return time.monotonic() - begin

    def each_signal(self):
        for i in range(TIMES):
            yield SIGNALS[i % len(SIGNALS)]

    def assert_ended(self, status: int, number: int, errors: str, *words: str):
        """By the signal; by the system's own handling of it where the program had not yet begun."""
        self.assertIn(status, (128 + number, -number), errors)
        if status == 128 + number:
            self.assertRegex(errors, f"unmask: ({'|'.join(('interrupted', *words))})\n\\Z")

    def files(self) -> list[str]:
        return sorted(os.listdir(self.folder))

    def test_run(self):
        for number in self.each_signal():
            status, out, errors = self.strike(self.begin("run", "-m", MODEL, "-p", cli.PROMPT, *LONG,
                                                         "--trace", "trace.csv"), number)
            self.assert_ended(status, number, errors, "interrupted before the first step was done",
                              r"interrupted after step \d+ of 1024(; text so far above)?")
            self.assertEqual("text so far" in errors, out != "")
            self.assertEqual(self.files(), [])

    def test_batch(self):
        lines = [json.dumps({"id": i, "prompt": cli.PROMPT}) + "\n" for i in range(400)]
        for number in self.each_signal():
            (self.folder / "prompts").write_text("".join(lines), "utf-8")
            status, out, errors = self.strike(self.begin("batch", "-m", MODEL, "-f", "prompts", "-n", "32"), number)
            done = [json.loads(line)["id"] for line in out.splitlines()]
            self.assertEqual(done, sorted(done))
            if status == 0:  # nothing was left to be ended
                self.assertEqual(len(done), len(lines))
                continue
            self.assert_ended(status, number, errors, f"interrupted; {len(done)} of {len(lines)} prompts answered")
            self.assertEqual(self.files(), ["prompts"])

    def test_eval(self):
        for i, number in enumerate(self.each_signal()):
            out = self.folder / str(i)
            status, _, errors = self.strike(self.begin("eval", "-m", MODEL, "--task", "multikey", "--length", "128", "--limit",
                                                       "400", "--preset", "exact", "-o", str(out)), number)
            self.assert_ended(status, number, errors,
                              rf"interrupted after \d+ of 400 answers; the same command goes on from {out}")
            if out.exists():
                self.assertLessEqual(set(os.listdir(out)), {"results.jsonl"})

    def test_convert(self):
        for container in ("packed", "gguf"):
            for number in self.each_signal():
                whole = self.undisturbed("convert", "-m", MODEL, "--to", container, "-o", "model")
                size = (self.folder / "model").stat().st_size
                (self.folder / "model").unlink()
                status, _, errors = self.strike(self.begin("convert", "-m", MODEL, "--to", container, "-o",
                                                           "model"), number, whole)
                if status == 0:
                    (self.folder / "model").unlink()
                    continue
                self.assert_ended(status, number, errors, "interrupted; model is not written")
                if "wrote model" in errors:  # it was done and about to leave
                    self.assertEqual((self.files(), (self.folder / "model").stat().st_size), (["model"], size))
                    (self.folder / "model").unlink()
                self.assertEqual(self.files(), [])

    def test_inspect(self):
        for number in self.each_signal():
            whole = self.undisturbed("inspect", MODEL)
            status, _, errors = self.strike(self.begin("inspect", MODEL), number, whole)
            if status != 0:
                self.assert_ended(status, number, errors)

    def test_serve(self):
        for number in self.each_signal():
            process = self.begin("serve", "-m", MODEL, "--unix", "socket", "--grace", "0", "--no-log")
            said = ""
            while not said.endswith("ready\n"):
                said += process.stderr.readline()
            asking = threading.Thread(target=ask, args=(self.folder / "socket", {
                "prompt": cli.PROMPT, "max_tokens": 1024, "diffusion": {"preset": "exact", "suppress_eos": True}}))
            asking.start()
            status, _, _ = self.strike(process, number)
            asking.join()
            self.assertIn(status, (0, 128 + number))
            self.assertEqual(self.files(), [])

    def test_chat(self):
        """Ctrl-C ends an answer and not the conversation, whose end leaves the terminal as it was."""
        for number in self.each_signal():
            terminal = chat.Terminal("chat", "-m", MODEL, *LONG, "--no-history", state=str(self.folder))
            before = termios.tcgetattr(terminal.file)
            terminal.wait_for(chat.PROMPT)
            terminal.enter(chat.QUESTION)
            end = time.monotonic() + self.choose.uniform(0.2, SECONDS)
            while time.monotonic() < end:
                terminal.pump(0.05)
            begin = time.monotonic()
            terminal.send(chat.CTRL_C)
            terminal.wait_for("no part of the conversation")
            terminal.wait_for(chat.PROMPT)
            self.times.append(time.monotonic() - begin)
            self.assertLess(self.times[-1], PATIENCE)
            self.assertRegex(terminal.shown, r"interrupted (after step \d+ of 1024|before the first step was done);")
            terminal.enter("/retry")
            time.sleep(self.choose.uniform(0, SECONDS))
            begin = time.monotonic()
            os.kill(terminal.pid, signal.SIGTERM if number == signal.SIGINT else number)
            self.assertEqual(terminal.close(), 128 + (signal.SIGTERM if number == signal.SIGINT else number))
            self.times.append(time.monotonic() - begin)
            self.assertLess(self.times[-1], PATIENCE)
            self.assertGreater(terminal.shown.rfind("\x1b[?25h"), terminal.shown.rfind("\x1b[?25l"))
            with contextlib.suppress(termios.error):  # the other side is gone
                self.assertEqual(termios.tcgetattr(terminal.file)[:4], before[:4])


if __name__ == "__main__":
    cli.PROGRAM, cli.ROOT = os.path.abspath(sys.argv[1]), pathlib.Path(sys.argv[2]).resolve()
    chat.PROGRAM, MODEL = cli.PROGRAM, cli.demo()
    TIMES = int(sys.argv[3]) if len(sys.argv) > 3 else TIMES
    MODEL = os.path.abspath(sys.argv[4]) if len(sys.argv) > 4 else MODEL
    SECONDS = float(sys.argv[5]) if len(sys.argv) > 5 else SECONDS
    unittest.main(argv=sys.argv[:1])
