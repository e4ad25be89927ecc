#!/usr/bin/env python3
"""Files, pipes and signals as the program meets them: streams_test.py PROGRAM ROOT."""

import csv
import fcntl
import json
import os
import pathlib
import platform
import signal
import stat
import subprocess
import sys
import tempfile
import threading
import time
import unittest

import cli_test as cli


class Trace(cli.Case):
    def test_has_every_decision(self):
        with tempfile.TemporaryDirectory() as folder:
            for name in ("trace.csv", "trace.jsonl"):
                path = pathlib.Path(folder) / name
                self.assert_success(cli.run("--no-early-stop", "--trace", str(path)))
                text = path.read_text(encoding="utf-8")
                rows = list(csv.DictReader(text.splitlines())) if name.endswith("csv") else [
                    json.loads(line) for line in text.splitlines()]
                self.assertEqual(len({int(row["position"]) for row in rows}), 32)
                self.assertEqual(max(int(row["step"]) for row in rows), 15)
            self.assertEqual(len(os.listdir(folder)), 2, "nothing else is left")

    def test_standard_output_takes_the_place_of_the_answer(self):
        lines = cli.run("--trace", "-").stdout.splitlines()
        self.assertTrue(all("confidence" in json.loads(line) for line in lines))
        self.assert_error(cli.run("--trace", "-", "--json"), "--trace")

    def test_special_files_are_written_into(self):
        with tempfile.TemporaryDirectory() as folder:
            pipe, link = os.path.join(folder, "pipe"), os.path.join(folder, "link")
            os.mkfifo(pipe)
            os.symlink("target", link)
            got = []
            reader = threading.Thread(target=lambda: got.append(pathlib.Path(pipe).read_text("utf-8")))
            reader.start()
            self.assert_success(cli.run("--trace", pipe))
            reader.join()
            self.assertTrue(stat.S_ISFIFO(os.stat(pipe).st_mode))
            self.assertIn('"confidence"', got[0])
            self.assert_success(cli.run("--trace", link))
            self.assertTrue(os.path.islink(link))
            self.assertIn('"confidence"', pathlib.Path(link).read_text("utf-8"))
            result = cli.run("--trace", "/dev/stdout")
            self.assert_success(result)
            self.assertIn(cli.ANSWER + "\n", result.stdout)
            self.assertIn('"confidence"', result.stdout)

    def test_a_full_disk_does_not_cost_the_answer(self):
        with open("/dev/full", "w", encoding="utf-8") as full:
            command = [cli.PROGRAM, "run", "-m", cli.demo(), "-n", "32", "--steps", "16", "-p",
                       cli.PROMPT, "--trace", f"/dev/fd/{full.fileno()}"]
            result = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False,
                                    pass_fds=[full.fileno()])
        self.assertEqual((result.returncode, result.stdout), (1, cli.ANSWER + "\n"))
        self.assertIn("No space left", result.stderr)

    def test_is_refused_before_any_work_where_it_cannot_be_written(self):
        self.assert_error(cli.run("--trace", "/nonexistent/trace.csv"), "/nonexistent/trace.csv")


def wait_until_it_writes(pid: int):
    """Until the process sleeps in a call that writes to a pipe that is full."""
    write = {"x86_64": "1", "aarch64": "64"}[platform.machine()]
    end = time.time() + 60
    while pathlib.Path(f"/proc/{pid}/syscall").read_text("ascii").split()[0] not in (write, "20"):
        if time.time() > end:
            raise AssertionError("it does not write")
        time.sleep(0.05)


class Interrupt(cli.Case):
    # Enough steps to be still at work when the signal comes.
    LONG = ("-m", cli.demo, "-n", "1024", "--steps", "1024", "--block-length", "1024", "--suppress-eos")

    def interrupted(self, command: str, *arguments: str, number=signal.SIGINT, seconds=3.0
                    ) -> tuple[int, str, str]:
        words = [word() if callable(word) else word for word in self.LONG]
        process = subprocess.Popen([cli.PROGRAM, command, *words, *arguments],
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        time.sleep(seconds)
        process.send_signal(number)
        start = time.time()
        out, err = process.communicate(timeout=60)
        self.assertLess(time.time() - start, 2)  # half a second on a machine of one's own
        return process.returncode, out, err

    def test_shows_the_text_so_far(self):
        for number in (signal.SIGINT, signal.SIGTERM):
            status, out, err = self.interrupted("run", "-p", cli.PROMPT, number=number)
            self.assertEqual(status, 128 + number)
            self.assertRegex(err, r"\Aunmask: interrupted after step \d+( of \d+)?; text so far above\n\Z")
            self.assertNotEqual(out.strip(), "")

    def test_a_long_step_ends_in_its_midst(self):
        # One pass over so many rows takes a minute.
        status, out, err = self.interrupted("run", "-p", "x " * 20000, "--threads", "1", seconds=4)
        self.assertEqual((status, out), (130, ""))
        self.assertIn("unmask: interrupted before the first step was done\n", err)

    def test_leaves_no_half_trace(self):
        with tempfile.TemporaryDirectory() as folder:
            self.interrupted("run", "-p", cli.PROMPT, "--trace", os.path.join(folder, "trace.csv"))
            self.assertEqual(os.listdir(folder), [])

    def test_json_says_that_it_was_cancelled(self):
        status, out, _ = self.interrupted("run", "-p", cli.PROMPT, "--json")
        report = json.loads(out)
        self.assertEqual((status, report["finish"]), (130, "cancelled"))
        self.assertGreater(report["masks_left"], 0)

    def test_batch_prints_what_is_done(self):
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "prompts.jsonl"
            path.write_text('{"prompt":"x"}\n', encoding="utf-8")
            status, out, err = self.interrupted("batch", "-f", str(path))
        self.assertEqual((status, out), (130, ""))
        self.assertRegex(err, r"unmask: interrupted; 0 of 1 prompts answered\n\Z")


    def test_answers_that_wait_for_their_reader_are_kept(self):
        read, write = os.pipe()
        fcntl.fcntl(write, fcntl.F_SETPIPE_SZ, 4096)
        process = subprocess.Popen([cli.PROGRAM, "batch", "-m", cli.demo(), "-f", "-", "-n", "8"],
                                   stdin=subprocess.PIPE, stdout=write, stderr=subprocess.PIPE, text=True)
        os.close(write)
        for _ in range(20):
            process.stdin.write(json.dumps({"prompt": "x", "padding": "y" * 1000}) + "\n")
        process.stdin.close()
        wait_until_it_writes(process.pid)
        process.send_signal(signal.SIGTERM)
        time.sleep(0.2)
        with open(read, encoding="utf-8") as answers:
            whole = [json.loads(line) for line in answers]
        with process.stderr:
            self.assertEqual(process.stderr.read(), f"unmask: interrupted; {len(whole)} of 20 prompts answered\n")
        self.assertEqual(process.wait(60), 128 + signal.SIGTERM)
        self.assertGreaterEqual(len(whole), 3, "as many as a full pipe holds")


class BatchInput(cli.Case):
    LINE = '{"id":1e400,"n":1.0,"prompt":"x"}'

    def batch(self, *arguments: str, stdin: str = "", **options) -> subprocess.CompletedProcess:
        return subprocess.run([cli.PROGRAM, "batch", "-m", cli.demo(), "-n", "4", "--steps", "4",
                               *arguments], input=stdin, capture_output=True, text=True, timeout=60,
                              check=False, **options)

    def test_comes_from_a_pipe(self):
        for file in ("-", "/dev/stdin"):
            result = self.batch("-f", file, stdin=self.LINE + "\n")
            self.assert_success(result)
            self.assertTrue(result.stdout.startswith('{"id":1e400,"n":1.0,"prompt":"x","text":'))
            self.assertEqual(result.stdout.count("\n"), 1)

    def test_bad_lines_are_skipped_when_asked(self):
        lines = "\n".join(["{", self.LINE, '{"prompt":""}', self.LINE])
        self.assert_error(self.batch("-f", "-", stdin=lines), "-:1")
        result = self.batch("-f", "-", "--on-error", "skip", stdin=lines)
        self.assertEqual((result.returncode, result.stdout.count("\n")), (1, 2))
        said = result.stderr.splitlines()
        self.assertEqual(len(said), 3)
        self.assertIn("-:1", said[0])
        self.assertIn("-:3", said[1])
        self.assertEqual(said[2], "unmask: 2 of 4 lines skipped")
        self.assert_error(self.batch("-f", "-", stdin="{"), "-:1")


if __name__ == "__main__":
    cli.PROGRAM, cli.ROOT = os.path.abspath(sys.argv[1]), pathlib.Path(sys.argv[2]).resolve()
    unittest.main(argv=sys.argv[:1] + sys.argv[3:])
