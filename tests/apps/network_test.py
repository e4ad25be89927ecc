#!/usr/bin/env python3
"""One model on hosts with addresses of their own, over TCP, and hosts that get lost: network_test.py PROGRAM ROOT. Exits
with 77 where there is no root, no mpirun or no MPI plug-in beside the program."""

import json
import os
import pathlib
import sys
import tempfile
import time
import unittest

import cli_test as cli
import hosts

SKIPPED = 77
PATIENCE = 20.0  # seconds until a host that answers no more has ended all
TIMES = ("seconds", "seconds_to_first_text", "answer_tokens_per_second", "peak_memory_bytes", "threads")


def lasting(report: str) -> dict:
    """What does not depend on the machine's speed."""
    return {key: value for key, value in json.loads(report).items() if key not in TIMES}


class Network(cli.Case):
    def setUp(self):
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.folder = pathlib.Path(temporary.name)

    def connect(self, count: int) -> hosts.Hosts:
        connected = hosts.Hosts(count, self.folder)
        self.addCleanup(connected.close)
        return connected

    def test_hosts_give_the_report_of_one_process(self):
        arguments = ("run", "-m", cli.demo(), "-n", "160", "--steps", "6", "-p", cli.PROMPT, "--json")
        alone = cli.unmask(*arguments)
        self.assert_success(alone)
        for count in (2, 3):
            connected = self.connect(count)
            connected.limit(gigabits=1, delay_microseconds=50)
            for split in ("rows", "columns"):
                process = connected.begin(cli.PROGRAM, *arguments, "--threads", "1", "--ranks", "mpi",
                                          "--split", split)
                out, err = process.communicate(timeout=120)
                self.assertEqual(process.returncode, 0, err)
                self.assertEqual(lasting(out), lasting(alone.stdout), (count, split))
            connected.close()

    def test_a_lost_host_ends_all_and_leaves_what_was_finished(self):
        prompts, answers = self.folder / "prompts.jsonl", self.folder / "answers.jsonl"
        prompts.write_text("".join(json.dumps({"id": i, "prompt": f"{cli.PROMPT} {i}"}) + "\n" for i in range(24)))
        arguments = ("batch", "-m", cli.demo(), "-f", str(prompts), "-n", "160", "--steps", "40", "--batch-size", "1",
                     "--threads", "1")
        connected = self.connect(2)
        process = connected.begin(cli.PROGRAM, *arguments, "-o", str(answers), "--ranks", "mpi", "--split", "rows")
        self.addCleanup(process.kill)
        until = time.monotonic() + 120
        while not answers.exists() or answers.read_text().count("\n") < 2:
            self.assertIsNone(process.poll())
            self.assertLess(time.monotonic(), until, "no answers")
            time.sleep(0.05)
        connected.cut_off(1)
        _, err = process.communicate(timeout=PATIENCE)
        self.assertNotEqual(process.returncode, 0)
        self.assertIn("lost communication", err)
        left = [host for host in connected.names if self.programs_on(host)]
        self.assertEqual(left, [], "programs are left")
        kept = answers.read_text().splitlines()
        self.assertGreaterEqual(len(kept), 2)
        self.assertLess(len(kept), 24)
        # One machine goes on, as the bits are the same.
        alone = cli.unmask(*arguments, "-o", str(answers))
        self.assert_success(alone)
        found = answers.read_text().splitlines()
        self.assertEqual(found[:len(kept)], kept)
        printed = cli.unmask(*arguments).stdout.splitlines()
        self.assertEqual([{**lasting(line), "batch_item": None} for line in found],
                         [{**lasting(line), "batch_item": None} for line in printed])

    def programs_on(self, host: str) -> list[str]:
        """Programs of ours that still run there, after a while."""
        until = time.monotonic() + PATIENCE
        while time.monotonic() < until:
            pids = hosts.ip("netns", "pids", host).stdout.split()
            programs = [pid for pid in pids if os.path.realpath(f"/proc/{pid}/exe") == os.path.realpath(cli.PROGRAM)]
            if not programs:
                return []
            time.sleep(0.2)
        return programs


if __name__ == "__main__":
    cli.PROGRAM = sys.argv[1]
    cli.ROOT = pathlib.Path(sys.argv[2])
    reason = hosts.missing()
    if not reason and not (pathlib.Path(cli.PROGRAM).parent / "libunmask_mpi.so").exists():
        reason = "the MPI plug-in was not built"
    if reason:
        print(f"skipped: {reason}")
        sys.exit(SKIPPED)
    unittest.main(argv=[sys.argv[0], *sys.argv[3:]])
