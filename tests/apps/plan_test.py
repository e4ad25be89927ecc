#!/usr/bin/env python3
"""`unmask plan`, what several machines would make of a model: plan_test.py PROGRAM ROOT."""

import json
import pathlib
import subprocess
import sys
import unittest

import cli_test as cli


class Plan(cli.Case):
    def plan(self, *arguments: str) -> subprocess.CompletedProcess:
        return cli.unmask("plan", "-m", cli.demo(), "--dtype", "int8", "--threads", "1", *arguments)

    def test_compares_the_ways_to_share(self):
        result = self.plan("--ranks", "4", "--network", "1e6", "--latency", "0", "--context", "512,1024", "--json")
        self.assert_success(result)
        report = json.loads(result.stdout)
        self.assertEqual([plan["context"] for plan in report["contexts"]], [512, 1024])
        for plan in report["contexts"]:
            prompts, rows, columns = (plan["splits"][name] for name in ("prompts", "rows", "columns"))
            self.assertEqual((prompts["full"]["received_bytes"], rows["cached"]["received_bytes"]), (0, 0))
            self.assertLess(rows["full"]["received_bytes"], columns["full"]["received_bytes"])
            self.assertLess(rows["full"]["seconds"], prompts["full"]["seconds"])
            self.assertEqual((plan["many_prompts"], prompts["fits"]), ("prompts", True))
            self.assertNotEqual(plan["one_prompt"], "prompts")

    def test_plans_machines_that_are_not_here(self):
        once, twice = (json.loads(self.plan("--machine", f"{p},{p},{r}", "--memory", "1", "--json").stdout)
                       for p, r in ((0.01, 10), (0.02, 20)))
        self.assertEqual((once["product_operations_per_second"], once["read_bytes_per_second"]), (1e10, 1e10))
        seconds = [report["contexts"][0]["splits"]["prompts"]["full"]["seconds"] for report in (once, twice)]
        self.assertAlmostEqual(seconds[0], 2 * seconds[1])
        self.assert_error(self.plan("--machine", "1,2"), "--machine", status=2)

    def test_says_what_to_choose(self):
        text = self.plan("--network", "1e-3").stdout
        self.assertIn("one prompt: one machine alone", text)
        small = self.plan("--memory", "1e-6")
        self.assert_success(small)
        self.assertIn("no machine has the memory", small.stdout)
        self.assert_error(self.plan("--context", "40"), "expected at least 64, two blocks")
        self.assert_error(self.plan("--ranks", "1"), "--ranks", status=2)


if __name__ == "__main__":
    cli.PROGRAM = sys.argv[1]
    cli.ROOT = pathlib.Path(sys.argv[2])
    unittest.main(argv=[sys.argv[0], *sys.argv[3:]])
