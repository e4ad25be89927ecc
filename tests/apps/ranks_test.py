#!/usr/bin/env python3
"""One model on several processes under mpirun: ranks_test.py PROGRAM ROOT. Exits with 77 where there is no
mpirun or no MPI plug-in beside the program."""

import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import unittest

import cli_test as cli

SKIPPED = 77
PATIENCE = 10.0  # seconds until all processes have ended
# Whatever the launcher: as root, more ranks than processors, each on any of them, and none that spins.
LAUNCH = {"OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
          "OMPI_MCA_rmaps_base_oversubscribe": "1", "OMPI_MCA_hwloc_base_binding_policy": "none",
          "OMPI_MCA_mpi_yield_when_idle": "1"}
TIMES = ("seconds", "seconds_to_first_text", "answer_tokens_per_second", "peak_memory_bytes", "threads")


def begin(*words: str, ranks: int = 2) -> subprocess.Popen:
    return subprocess.Popen(["mpirun", "-n", str(ranks), *words], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE, text=True, env={**os.environ, **LAUNCH},
                            start_new_session=True)


def together(*arguments: str, ranks: int = 2, stdin: str = "") -> subprocess.CompletedProcess:
    """A command of the program on so many processes."""
    process = begin(cli.PROGRAM, *arguments, "--ranks", "mpi", "--threads", "1", ranks=ranks)
    out, err = process.communicate(stdin, timeout=120)
    return subprocess.CompletedProcess(process.args, process.returncode, out, err)


def run_arguments(*arguments: str) -> tuple[str, ...]:
    return ("run", "-m", cli.demo(), "-n", "32", "--steps", "16", "-p", cli.PROMPT, *arguments)


def lasting(report: str) -> dict:
    """What does not depend on the machine's speed."""
    return {key: value for key, value in json.loads(report).items() if key not in TIMES}


def ranks_of(launcher: int) -> list[int]:
    """The processes of the program below mpirun, in the order in which they began."""
    found = []
    for status in pathlib.Path("/proc").glob("[0-9]*/stat"):
        try:
            after_name = status.read_text().rpartition(")")[2].split()
            program = os.readlink(status.parent / "exe")
        except OSError:
            continue
        if int(after_name[1]) == launcher and program == os.path.realpath(cli.PROGRAM):
            found.append(int(status.parent.name))
    return sorted(found)


class Ranks(cli.Case):
    def setUp(self):
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.folder = pathlib.Path(temporary.name)

    def wait_for_ranks(self, process: subprocess.Popen, ranks: int) -> list[int]:
        until = time.monotonic() + PATIENCE
        while len(found := ranks_of(process.pid)) < ranks:
            self.assertLess(time.monotonic(), until, "the ranks did not begin")
            time.sleep(0.05)
        return found

    def assert_ended(self, pids: list[int]):
        for pid in pids:
            self.assertFalse(pathlib.Path(f"/proc/{pid}/exe").exists(), f"{pid} lives")

    def test_any_number_of_ranks_gives_the_report_of_one_process(self):
        for options in ((), ("--dtype", "int8", "--method", "sparse-dllm:keep=0.5", "--temperature", "0.7"),
                        ("--dtype", "int4", "--method", "sparsed:skip=0.2,select=0.5,block=8")):
            arguments = run_arguments("--json", *options)
            alone = cli.unmask(*arguments)
            self.assert_success(alone)
            for ranks in (1, 2, 3, 4):
                found = together(*arguments, ranks=ranks)
                self.assertEqual(found.returncode, 0, found.stderr)
                self.assertEqual(lasting(found.stdout), lasting(alone.stdout), (options, ranks))

    def test_a_long_canvas_is_shared_by_its_rows(self):
        for options in ((), ("--dtype", "int4", "--method", "sparse-dllm:keep=0.5+sparsed:skip=0.2,select=0.5,block=8"),
                        ("--method", "sliding-window:window=32,block=16"),  # ranks exchange what it sees
                        ("--dtype", "int8", "--method", "dllm-cache", "--temperature", "0.7", "--cfg", "0.5")):
            arguments = ("run", "-m", cli.demo(), "-n", "160", "--steps", "12", "-p", cli.PROMPT, "--json", *options)
            alone = cli.unmask(*arguments)
            self.assert_success(alone)
            for ranks in (2, 3, 5):
                found = together(*arguments, "--split", "rows", "--verify-ranks", ranks=ranks)
                self.assertEqual(found.returncode, 0, found.stderr)
                self.assertEqual(lasting(found.stdout), lasting(alone.stdout), (options, ranks))

    def test_files_of_other_formats_are_shared_as_well(self):
        packed = self.folder / "demo.unmask"
        self.assertEqual(cli.unmask("convert", "-m", cli.demo(), "--dtype", "int8", "-o", str(packed)).returncode, 0)
        gguf = cli.ROOT / "tests" / "golden" / "gguf-llada-tiny" / "model.gguf"
        for model in (packed, gguf):
            arguments = ("run", "-m", str(model), "--raw", "-p", "Once", "-n", "16", "--json")
            found = together(*arguments, ranks=3)
            self.assertEqual(found.returncode, 0, found.stderr)
            self.assertEqual(lasting(found.stdout), lasting(cli.unmask(*arguments).stdout), model)

    def test_confidences_are_those_of_one_process(self):
        def decided(trace: pathlib.Path) -> list:
            lines = [json.loads(line) for line in trace.read_text().splitlines()]
            return [{k: v for k, v in line.items() if k != "seconds"} for line in lines]
        one, three = self.folder / "one.jsonl", self.folder / "three.jsonl"
        self.assert_success(cli.unmask(*run_arguments("--trace", str(one))))
        found = together(*run_arguments("--trace", str(three), "--verify-ranks"), ranks=3)
        self.assertEqual((found.returncode, found.stdout), (0, cli.ANSWER + "\n"), found.stderr)
        self.assertEqual(decided(three), decided(one))

    def test_a_batch_is_read_and_printed_by_rank_0(self):
        lines = "".join(json.dumps({"id": i, "prompt": f"{cli.PROMPT} {i}"}) + "\n" for i in range(5))
        arguments = ("batch", "-m", cli.demo(), "-f", "-", "-n", "16", "--batch-size", "3")
        alone = cli.unmask(*arguments, stdin=lines)
        found = together(*arguments, stdin=lines)
        self.assertEqual(found.returncode, 0, found.stderr)
        self.assertEqual([lasting(line) for line in found.stdout.splitlines()],
                         [lasting(line) for line in alone.stdout.splitlines()])

    def test_a_conversation_goes_on_over_several_answers(self):
        arguments = ("chat", "-m", cli.demo(), "-n", "16", "--no-history")
        lines = f"{cli.PROMPT}\nAgain?\n"
        found = together(*arguments, stdin=lines)
        self.assertEqual(found.returncode, 0, found.stderr)
        self.assertEqual(found.stdout, cli.unmask(*arguments, stdin=lines).stdout)

    def test_rank_0_serves(self):
        path = self.folder / "socket"
        server = begin(cli.PROGRAM, "serve", "-m", cli.demo(), "--unix", str(path), "--ranks", "mpi")
        self.addCleanup(server.kill)
        body = json.dumps({"prompt": cli.PROMPT, "max_tokens": 16})
        request = (f"POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
                   f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n{body}")
        for line in server.stderr:
            if "ready" in line:
                break
        texts = []
        for _ in range(2):
            with socket.socket(socket.AF_UNIX) as client:
                client.connect(str(path))
                client.sendall(request.encode())
                answer = b"".join(iter(lambda: client.recv(65536), b"")).decode()
            texts.append(json.loads(answer.partition("\r\n\r\n")[2])["choices"][0]["text"])
        self.assertEqual(texts[0], texts[1])
        pids = self.wait_for_ranks(server, 2)
        os.kill(pids[0], signal.SIGTERM)
        server.communicate(timeout=PATIENCE)
        self.assert_ended(pids)

    def test_a_killed_rank_ends_all(self):
        for victim in (0, 1):
            process = begin(cli.PROGRAM, "run", "-m", cli.demo(), "-n", "1024", "--preset", "exact",
                            "--suppress-eos", "-p", "Tell me", "--ranks", "mpi", ranks=3)
            self.addCleanup(process.kill)
            pids = self.wait_for_ranks(process, 3)
            time.sleep(1)
            os.kill(pids[victim], signal.SIGKILL)
            _, err = process.communicate(timeout=PATIENCE)
            self.assertNotEqual(process.returncode, 0)
            self.assertIn("signal 9", err)
            self.assert_ended(pids)

    def test_a_rank_without_memory_is_named_and_ends_all(self):
        failing = pathlib.Path(cli.PROGRAM).parent / "libfailing_calls.so"
        if not failing.exists():
            self.skipTest("no library with failing calls")
        words = [cli.PROGRAM, *run_arguments("--ranks", "mpi", "--dtype", "int8")]
        # While the weights are packed, which takes memory a dozen times, and in the first step.
        for call, said in ((5, "[ranks] rank 1 of 2 could not load the model"),
                           (20, "unmask: error: [ranks] rank 1 of 2: out of memory")):
            process = begin(*words, ":", "-n", "1", "env", f"LD_PRELOAD={failing}", "FAIL_CALL=aligned_alloc",
                            f"FAIL_AT={call}", *words, ranks=1)
            self.addCleanup(process.kill)
            out, err = process.communicate(timeout=60)
            self.assertEqual((process.returncode != 0, out), (True, ""))
            self.assertIn(said, err)
            self.assertRegex(err, "rank 1 of 2: out of memory")

    def test_an_interrupt_shows_the_text_so_far_and_ends_all(self):
        process = begin(cli.PROGRAM, "run", "-m", cli.demo(), "-n", "1024", "--preset", "exact",
                        "--suppress-eos", "-p", "Tell me", "--ranks", "mpi")
        self.addCleanup(process.kill)
        pids = self.wait_for_ranks(process, 2)
        time.sleep(2)
        os.kill(pids[0], signal.SIGINT)
        _, err = process.communicate(timeout=PATIENCE)
        self.assertIn("interrupted after step", err)
        self.assert_ended(pids)

    def test_ranks_that_differ_are_refused(self):
        words = [cli.PROGRAM, *run_arguments("--ranks", "mpi")]
        for more, said in ((["--dtype", "int8"], "[ranks] weights: found int8 on rank 1 of 2, expected "),
                           (["--split", "rows"], "[ranks] split: found rows on rank 1 of 2, expected columns"),
                           (["--verify-ranks"], "[ranks] verification of ranks: found on on rank 1 of 2, expected off"),
                           (["--lora", str(self.folder)], "unmask: error: rank 1 of 2: [")):
            process = begin(*words, ":", "-n", "1", *words, *more, ranks=1)
            out, err = process.communicate(timeout=60)
            self.assertEqual((process.returncode != 0, out), (True, ""))
            self.assertIn(said, err)

    def test_mistakes_are_told_once(self):
        found = together(*run_arguments("--method", "nothing"))
        self.assertNotEqual(found.returncode, 0)
        self.assertEqual(found.stderr.count("unknown method"), 1, found.stderr)
        by_rows = together(*run_arguments("--device", "cuda", "--split", "rows"))
        self.assertIn("[ranks] split: found rows, expected columns", by_rows.stderr)

    def test_what_is_filled_in_has_no_colours(self):
        words = ("run", "-m", cli.demo(), "-p", cli.PROMPT, "--fill", "brave otter:___{5}")
        self.assertEqual(together(*words).stdout, cli.ANSWER + "\n")

    def test_one_process_alone_says_that_it_is_alone(self):
        found = cli.unmask(*run_arguments("--ranks", "mpi"))
        self.assertEqual((found.returncode, found.stdout), (0, cli.ANSWER + "\n"))
        self.assertIn("mpirun -n N", found.stderr)
        for needs_ranks in (("--verify-ranks",), ("--split", "rows")):
            self.assert_error(cli.unmask(*run_arguments(*needs_ranks)), "--ranks", status=2)


if __name__ == "__main__":
    cli.PROGRAM = sys.argv[1]
    cli.ROOT = pathlib.Path(sys.argv[2])
    if shutil.which("mpirun") is None:
        print("skipped: there is no mpirun")
        sys.exit(SKIPPED)
    if not (pathlib.Path(cli.PROGRAM).parent / "libunmask_mpi.so").exists():
        print("skipped: the MPI plug-in was not built")
        sys.exit(SKIPPED)
    unittest.main(argv=[sys.argv[0], *sys.argv[3:]])
