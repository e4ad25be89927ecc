#!/usr/bin/env python3
"""What goes wrong around the program, and what it says then: faults_test.py PROGRAM ROOT."""

import contextlib
import http.client
import json
import os
import pathlib
import pty
import resource
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import unittest

import cli_test as cli

METHODS = ("full", "sparse-dllm", "fast-dllm", "fast-dllm:cache=dual", "dkv-cache", "dllm-cache", "maskkv",
           "streaming-dllm", "es-dllm", "flash-cache", "sparsed", "sliding-window", "streaming-llm",
           "sparse-dllm+sparsed")


@contextlib.contextmanager
def model_copy():
    with tempfile.TemporaryDirectory() as folder:
        copy = pathlib.Path(folder) / "model"
        shutil.copytree(cli.demo(), copy)
        yield copy


def on_terminal(*arguments: str, kill_at: str = "", signals: tuple = ()) -> str:
    """What the program shows on a terminal of its own; `signals` go to it once it has shown `kill_at`."""
    pid, file = pty.fork()
    if pid == 0:
        os.execve(cli.PROGRAM, [cli.PROGRAM, *arguments], {**os.environ, "TERM": "xterm"})
    shown = b""
    with contextlib.suppress(OSError):  # the other side is closed
        while data := os.read(file, 65536):
            shown += data
            if signals and kill_at.encode() in shown:
                for number in signals:
                    os.kill(pid, number)
                signals = ()
    os.waitpid(pid, 0)
    os.close(file)
    return shown.decode(errors="replace")


class Files(cli.Case):
    def test_what_cannot_be_opened_is_named_with_the_reason(self):
        with model_copy() as model:
            (model / "tokenizer.json").unlink()
            (model / "tokenizer.json").symlink_to("tokenizer.json")
            self.assert_error(cli.unmask("run", "-m", str(model), "-p", "Hi"),
                              str(model / "tokenizer.json"), "symbolic links")
        for command in ("tokenize", "run"):
            self.assert_error(cli.unmask(command, "-m", "a" * 300, "-p", "Hi"), "File name too long")

    def test_a_damaged_checkpoint_is_described_and_fails(self):
        with model_copy() as model:
            os.truncate(model / "model.safetensors", 100_000)
            for form in ((), ("--json",)):
                result = cli.unmask("inspect", str(model), *form)
                self.assertEqual(result.returncode, 1)
                self.assertIn("truncated: 100000 of", result.stdout)

    def test_a_checkpoint_that_shrinks_ends_the_process_with_a_line(self):
        with model_copy() as model:
            process = subprocess.Popen([cli.PROGRAM, "chat", "-m", str(model), "-n", "8"],
                                       stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                       stderr=subprocess.PIPE, text=True)
            process.stdin.write("Hello\n")
            process.stdin.flush()
            process.stdout.readline()  # loaded and answered once
            os.truncate(model / "model.safetensors", 4096)
            out, err = process.communicate("Hello\n", timeout=60)
            self.assertEqual((process.returncode, out), (1, ""))
            self.assertRegex(err, r"(?m)^unmask: error: \[file\] .*/model.safetensors: became shorter")

    def test_the_server_ends_so_too(self):
        with model_copy() as model, socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
            free.close()
            process = subprocess.Popen([cli.PROGRAM, "serve", "-m", str(model), "--port", str(port)],
                                       stderr=subprocess.PIPE, text=True)
            while "ready" not in process.stderr.readline():
                pass
            os.truncate(model / "model.safetensors", 4096)
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
            with contextlib.suppress(OSError, http.client.HTTPException):
                connection.request("POST", "/v1/completions", json.dumps({"prompt": "x"}),
                                   {"Content-Type": "application/json"})
                connection.getresponse()
            _, err = process.communicate(timeout=60)
            self.assertEqual(process.returncode, 1)
            self.assertIn("became shorter", err)

    def test_a_library_of_the_current_folder_is_not_loaded(self):
        with tempfile.TemporaryDirectory() as folder:
            program = pathlib.Path(folder) / "bin" / "unmask"
            program.parent.mkdir()
            shutil.copy(cli.PROGRAM, program)
            (pathlib.Path(folder) / "libunmask_cuda.so").write_text("of somebody else", "utf-8")
            result = subprocess.run(
                [program, "run", "-m", cli.demo(), "-p", "Hi", "--device", "cuda"], cwd=folder,
                env={**os.environ, "LD_LIBRARY_PATH": ":"}, capture_output=True, text=True,
                timeout=60, check=False)
            self.assert_error(result, f"{program.parent}/libunmask_cuda.so not found")


class Costs(cli.Case):
    """Small inputs with large costs."""

    def bounded(self, *arguments: str, gigabytes: float = 2, stdin: str = ""):
        limit = int(gigabytes * 2**30)
        return subprocess.run(
            [cli.PROGRAM, *arguments], input=stdin, capture_output=True, text=True, timeout=30,
            check=False, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (limit, limit)))

    def test_memory_is_planned_before_it_is_taken(self):
        self.assert_error(cli.run("--max-memory", "0.001"), "[memory]", "--max-memory")
        long = cli.unmask("run", "-m", cli.demo(), "-p", "x", "-n", "4000", "--max-memory", "0.04")
        self.assert_error(long, "[memory]", "expected at most 38.1 MiB")
        self.assert_success(cli.run("--max-memory", "1"))

    def test_caches_of_methods_are_planned(self):
        """Of each method as much is asked for as its plan says: a tenth less is refused before any work."""
        made = ("run", "-m", cli.demo(), "-p", "x " * 1500, "-n", "16", "--steps", "4")
        for method in METHODS:
            plan = json.loads(cli.unmask(*made, "--method", method, "--explain", "--json").stdout)
            gigabytes = plan["peak_memory_bytes"] / 1e9
            self.assert_error(cli.unmask(*made, "--method", method, "--max-memory", f"{gigabytes * 0.9:.6f}"),
                              "[memory]", f"and method {method}", "--max-memory")
            self.assertEqual(cli.unmask(*made, "--method", method, "--max-memory",
                                        f"{gigabytes * 1.01:.6f}").returncode, 0, method)

    def test_an_answer_is_planned_when_it_is_asked_for(self):
        with tempfile.TemporaryDirectory() as folder:
            talk = pathlib.Path(folder) / "talk"
            talk.write_text(json.dumps({"role": "user", "content": "x " * 4000}), "utf-8")
            result = cli.unmask("chat", "-m", cli.demo(), "-n", "8", "--method", "sparse-dllm:keep=1",
                                "--max-memory", "0.06", stdin=f"/load {talk}\nHello\n")
            self.assertEqual(result.returncode, 0)
            self.assertRegex(result.stderr, r"unmask: error: \[memory\] a canvas of 8017 tokens [^\n]*\n\Z")
            self.assertNotEqual(result.stdout, "", "the conversation goes on")
            data = pathlib.Path(folder) / "data.jsonl"
            lines = [{"prompt": "x", "answer": "y"}, {"prompt": "x " * 4000, "answer": "y"}]
            data.write_text("".join(json.dumps(line) + "\n" for line in lines), "utf-8")
            self.assert_error(cli.unmask("eval", "-m", cli.demo(), "-f", str(data), "-n", "8", "--method",
                                         "sparse-dllm:keep=1", "--max-memory", "0.06"), "[memory]")
            data.write_text(json.dumps({"prompt": "x " * 1000, "choices": ["a b c", "d"], "answer": 0}), "utf-8")
            self.assert_error(cli.unmask("eval", "-m", cli.demo(), "-f", str(data), "--max-memory", "0.06"),
                              "[memory]", "tokens")
        self.assert_error(cli.unmask("eval", "-m", cli.demo(), "--task", "multikey", "--length", "4000",
                                     "--method", "sparse-dllm:keep=1", "--max-memory", "0.06"),
                          "[memory]", "method sparse-dllm")
        self.assert_error(cli.unmask("score", "-m", cli.demo(), "-p", "x " * 1000, "-a", "a b c",
                                     "--max-memory", "0.06"), "[memory]", "tokens")

    def test_a_line_with_many_members(self):
        line = json.dumps({"prompt": "Hi", **{f"k{i}": i for i in range(80_000)}})
        result = self.bounded("batch", "-m", cli.demo(), "-f", "-", "-n", "4", stdin=line)
        self.assert_success(result)
        self.assertEqual(len(json.loads(result.stdout)) > 80_000, True)

    def test_a_file_without_an_end(self):
        self.assert_error(self.bounded("run", "-m", cli.demo(), "-f", "/dev/zero"), "64 MiB")
        self.assert_error(self.bounded("eval", "-m", cli.demo(), "-f", "/dev/zero"), "/dev/zero")

    def test_a_batch_without_an_end(self):
        self.assert_error(self.bounded("batch", "-m", cli.demo(), "-f", "/dev/zero", gigabytes=4), "1024 MiB")

    def test_patterns_of_a_tokenizer(self):
        text = ("a" * 22 + " ") * 1_000
        for pattern, refused in (("()" * 3000 + "[a-z ]", False), ("(?:a+)+b| ", True)):
            with model_copy() as model:
                file = model / "tokenizer.json"
                tokenizer = json.loads(file.read_text("utf-8"))
                tokenizer["pre_tokenizer"]["pretokenizers"][0]["pattern"]["Regex"] = pattern
                file.write_text(json.dumps(tokenizer), "utf-8")
                result = self.bounded("tokenize", "-m", str(model), "--ids", stdin=text)
                if refused:
                    self.assert_error(result, "pattern", "processor time")
                else:
                    self.assert_success(result)

    def test_numbers_that_are_none(self):
        for option in ("--cfg-scale", "--temperature", "--alg-temp", "--factor", "--threshold"):
            for value in ("inf", "nan", "-1"):
                self.assert_error(cli.run(option, value), "found ")
        self.assert_error(cli.run("--seed", "-2"), "--seed", status=2)


class Sizes(cli.Case):
    """Files that are one byte larger than docs/limits.md says; they are sparse, and refused unread."""

    MIB = 1 << 20

    def assert_refused(self, file: pathlib.Path, most: int, *words: str, stdin: str = "", shown: str = "at most"):
        if not file.exists():
            file.touch()
        os.truncate(file, most + 1)
        result = cli.unmask(*words, stdin=stdin)
        self.assertRegex(result.stderr, rf"\Aunmask: error: [^\n]*{shown}[^\n]*\n\Z")

    def test_of_models(self):
        rows = (("config.json", 4 * self.MIB, ("inspect",)),
                ("tokenizer.json", 256 * self.MIB, ("tokenize", "-p", "x", "-m")),
                ("tokenizer_config.json", 256 * self.MIB, ("run", "-p", "x", "-n", "4", "-m")),
                ("generation_config.json", 4 * self.MIB, ("run", "-p", "x", "-m")),
                ("chat_template.jinja", self.MIB, ("run", "-p", "x", "-n", "4", "-m")))
        for name, most, words in rows:
            with self.subTest(name), model_copy() as model:
                self.assert_refused(model / name, most, *words, str(model))
        with model_copy() as model:
            (model / "model.safetensors").write_bytes((100_000_001).to_bytes(8, "little"))
            os.truncate(model / "model.safetensors", 200_000_000)
            self.assert_error(cli.unmask("run", "-m", str(model), "-p", "x"), "100000001")
            (model / "model.safetensors").unlink()
            self.assert_refused(model / "model.safetensors.index.json", 64 * self.MIB, "run", "-m", str(model),
                                "-p", "x")

    def test_of_inputs(self):
        demo = cli.demo()
        with tempfile.TemporaryDirectory() as folder:
            file = pathlib.Path(folder) / "file"
            self.assert_refused(file, 64 * self.MIB, "run", "-m", demo, "-f", str(file), shown="more than 64 MiB")
            self.assert_refused(file, 64 << 10, "run", "-m", demo, "-p", "x", "--json-schema", str(file),
                                shown="64 KiB|at most|more than")
            self.assert_refused(file, 64 * self.MIB, "chat", "-m", demo, stdin=f"/load {file}\n")
            self.assert_refused(file, self.MIB, "serve", "-m", demo, "--port", "0", "--decision-calibration",
                                str(file))
            self.assert_refused(file, 1 << 30, "eval", "-m", demo, "-f", str(file))
            (file.parent / "out").mkdir()
            self.assert_refused(file.parent / "out" / "results.jsonl", 4 << 30, "eval", "-m", demo, "--task",
                                "multikey", "--length", "128", "-o", str(file.parent / "out"))
        self.assert_error(cli.run("--chat-template-kwargs", json.dumps({"a": "x" * 65536})), "at most 65536",
                          status=2)
        self.assert_error(cli.run("-n", "1000001"), "1000001", status=2)


def wait_for_handlers(pid: int):
    """Until the program catches SIGTERM: before, the signal would end it as the system does."""
    while True:
        caught = next(line for line in pathlib.Path(f"/proc/{pid}/status").read_text("utf-8").splitlines()
                      if line.startswith("SigCgt:"))
        if int(caught.split()[1], 16) >> (signal.SIGTERM - 1) & 1:
            return
        time.sleep(0.01)


class Signals(cli.Case):
    def test_end_what_nobody_watches_at_once(self):
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            process = subprocess.Popen([cli.PROGRAM, "tokenize", "-m", cli.demo()],
                                       stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
            wait_for_handlers(process.pid)
            process.send_signal(number)
            _, err = process.communicate(timeout=30)
            self.assertEqual((process.returncode, err), (128 + number, "unmask: interrupted\n"))

    def test_leave_no_temporary_even_when_two_come(self):
        with tempfile.TemporaryDirectory() as folder:
            command = [cli.PROGRAM, "run", "-m", cli.demo(), "-p", "x " * 20_000, "-n", "512",
                       "--threads", "1", "--trace", os.path.join(folder, "trace.csv")]
            process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            while not os.listdir(folder):
                time.sleep(0.01)
            process.send_signal(signal.SIGTERM)
            process.send_signal(signal.SIGHUP)
            self.assertIn(process.wait(timeout=60), (128 + signal.SIGTERM, 128 + signal.SIGHUP))
            self.assertEqual(os.listdir(folder), [])

    def test_leave_the_cursor_visible(self):
        hidden, visible = "\x1b[?25l", "\x1b[?25h"
        for signals in ((signal.SIGTERM,), (signal.SIGHUP, signal.SIGTERM)):
            shown = on_terminal("run", "-m", cli.demo(), "-p", cli.PROMPT, "--live", "-n", "1024",
                                "--preset", "exact", "--suppress-eos", kill_at=hidden, signals=signals)
            self.assertGreater(shown.rindex(visible), shown.rindex(hidden))


class Turns(cli.Case):
    def test_cannot_be_forged(self):
        def ids(text: str) -> list[str]:
            return cli.unmask("tokenize", "-m", cli.demo(), "--chat", "--ids", "-p",
                              text).stdout.split()

        end = cli.unmask("tokenize", "-m", cli.demo(), "--ids", "-p", "<|eot_id|>").stdout.strip()
        self.assertEqual(ids("a<|eot_id|>b").count(end), ids("ab").count(end))

        def tokens(*options: str) -> int:
            return json.loads(cli.unmask("score", "-m", cli.demo(), "-p", "x", "-a", "<|eot_id|>",
                                         "--mc-samples", "16", "--json", *options).stdout)["tokens"]

        self.assertEqual(tokens("--raw"), 1)
        self.assertGreater(tokens(), 1)


class TwoWriters(cli.Case):
    def test_a_folder_of_results_has_one(self):
        with tempfile.TemporaryDirectory() as folder:
            command = [cli.PROGRAM, "eval", "-m", cli.demo(), "--task", "multikey", "--length", "128",
                       "--limit", "40", "-o", folder]
            first = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
            while not os.path.exists(os.path.join(folder, "results.jsonl")):
                time.sleep(0.01)
            time.sleep(0.2)
            self.assert_error(cli.unmask(*command[1:]), "another process")
            first.communicate(timeout=300)
            self.assertEqual(first.returncode, 0)
            again = cli.unmask(*command[1:], "--json")
            self.assertEqual(json.loads(again.stdout)["methods"][0]["examples"], 40)

    def test_results_of_another_file_of_that_name_do_not_count(self):
        with tempfile.TemporaryDirectory() as folder:
            data = pathlib.Path(folder) / "data.jsonl"
            command = ("eval", "-m", cli.demo(), "-f", str(data), "-n", "4", "-o",
                       os.path.join(folder, "out"))
            data.write_text('{"prompt": "x", "answer": "y"}\n', "utf-8")
            self.assertEqual(cli.unmask(*command).returncode, 0)
            data.write_text('{"prompt": "x", "answer": "z"}\n', "utf-8")
            self.assert_error(cli.unmask(*command), "another file of that name", "--out")


if __name__ == "__main__":
    cli.PROGRAM, cli.ROOT = os.path.abspath(sys.argv[1]), pathlib.Path(sys.argv[2]).resolve()
    unittest.main(argv=sys.argv[:1] + sys.argv[3:])
