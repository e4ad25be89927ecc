#!/usr/bin/env python3
"""Presets and lengths as a user gives them: preset_test.py PROGRAM ROOT."""

import json
import subprocess
import sys
import unittest

PROMPT = ("Text: It was late. The code of the brave otter is 4821. Rain fell. "
          "Question: What is the code of the brave otter?")
ANSWER = "brave otter: 4821"


def ask(*arguments: str) -> subprocess.CompletedProcess:
    return subprocess.run([PROGRAM, "run", "-m", f"{ROOT}/models/demo", *arguments], input=PROMPT,
                          capture_output=True, text=True, timeout=60, check=False)


class PresetTest(unittest.TestCase):
    def refused(self, status: int, *arguments: str, says: str):
        result = ask(*arguments)
        self.assertEqual((result.returncode, result.stdout), (status, ""))
        self.assertRegex(result.stderr, r"\Aunmask: error: [^\n]+\n\Z")
        self.assertIn(says, result.stderr)

    def test_presets_say_what_they_stand_for(self):
        rows = {}
        for preset in ("exact", "balanced", "fast"):
            result = ask("--preset", preset, "--json")
            report = json.loads(result.stdout)
            self.assertEqual((report["preset"], report["text"]), (preset, ANSWER))
            rows[preset] = report["rows"]
            plan = ask("--preset", preset, "--explain").stdout
            self.assertRegex(plan, rf"\Apreset +{preset}: \w")
        self.assertLess(rows["balanced"], rows["exact"] / 4)
        self.assertEqual(json.loads(ask("--json").stdout)["preset"], "balanced")
        exact = json.loads(ask("--preset", "exact", "--json").stdout)
        self.assertEqual(exact["rows"], exact["canvas"] * exact["forward_passes"])
        self.assertEqual((exact["method"], exact["threshold"]), ("full", None))
        own = json.loads(ask("--method", "sparse-dllm", "--threshold", "0.8", "--json").stdout)
        self.assertEqual((own["method"], own["threshold"]), ("sparse-dllm", 0.8))
        self.refused(2, "--preset", "quick", says="exact")

    def test_drafts_give_the_same_text_in_fewer_passes(self):
        options = ("-n", "32", "--steps", "16", "--method", "fast-dllm:cache=dual", "--json")
        plain = json.loads(ask(*options).stdout)
        drafted = json.loads(ask(*options, "--drafts", "4").stdout)
        self.assertEqual((drafted["text"], drafted["steps"]), (plain["text"], plain["steps"]))
        self.assertLess(drafted["forward_passes"], plain["forward_passes"])
        self.refused(1, "--drafts", "2", "--threshold", "0.9", says="threshold")

    def test_takes_any_length_and_any_number_of_steps(self):
        for options in (("-n", "100"), ("-n", "33"), ("--steps", "10"), ("--steps", "1000"),
                        ("--block-length", "5"), ("--tokens-per-step", "7"), ("-n", "1")):
            result = ask(*options)
            self.assertEqual((result.returncode, result.stderr), (0, ""), options)
        adjusted = ask("-n", "64", "--steps", "1")
        self.assertEqual(adjusted.stdout, ANSWER + "\n")
        self.assertRegex(adjusted.stderr, r"\Aunmask: [^\n]*64 tokens instead of 32[^\n]*\n\Z")
        grown = json.loads(ask("-n", "8", "--block-length", "8", "--max-tokens", "24",
                               "--suppress-eos", "--json").stdout)
        self.assertEqual(grown["answer_tokens"], 24)
        self.assertEqual(ask("-n", "4", "--max-tokens", "64").stdout, ANSWER + "\n")
        short = json.loads(ask("--max-tokens", "4096", "--json").stdout)
        self.assertEqual((short["text"], short["canvas"]), (ANSWER, short["prompt_tokens"] + 64))

    def test_refuses_what_contradicts_itself(self):
        self.refused(1, "-n", "64", "--max-tokens", "32", says="1 to 32")
        self.refused(2, "--steps", "4", "--tokens-per-step", "2", says="--steps")


if __name__ == "__main__":
    PROGRAM, ROOT = sys.argv.pop(1), sys.argv.pop(1)
    unittest.main()
