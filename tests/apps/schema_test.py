#!/usr/bin/env python3
"""Answers that satisfy a schema, as the program writes them: schema_test.py PROGRAM ROOT."""

import json
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

PROGRAM = ""
ROOT = pathlib.Path()
PROMPT = ("Text: It was late. The code of the brave otter is 4821. Rain fell. "
          "Question: What is the code of the brave otter?")
SCHEMA = {"type": "object",
          "properties": {"name": {"type": "string", "minLength": 1, "maxLength": 12},
                         "code": {"type": "integer", "minimum": 1000, "maximum": 9999},
                         "sure": {"type": "boolean"}},
          "required": ["name", "code", "sure"]}


def unmask(command: str, *arguments: str, stdin: str = "") -> subprocess.CompletedProcess:
    return subprocess.run([PROGRAM, command, "-m", str(ROOT / "models" / "demo"), *arguments],
                          input=stdin, capture_output=True, text=True, timeout=60, check=False)


class Case(unittest.TestCase):
    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.file = pathlib.Path(directory.name, "schema.json")
        self.file.write_text(json.dumps(SCHEMA), encoding="utf-8")

    def run_schema(self, *arguments: str) -> subprocess.CompletedProcess:
        return unmask("run", "-p", PROMPT, "--json-schema", str(self.file), *arguments)

    def assert_document(self, text: str):
        document = json.loads(text)
        self.assertEqual(list(document), ["name", "code", "sure"])  # in the schema's order
        self.assertIsInstance(document["name"], str)
        self.assertTrue(1 <= len(document["name"]) <= 12)
        self.assertIs(type(document["code"]), int)
        self.assertTrue(1000 <= document["code"] <= 9999)
        self.assertIs(type(document["sure"]), bool)

    def assert_error(self, result: subprocess.CompletedProcess, *parts: str, status: int = 1):
        self.assertEqual((result.returncode, result.stdout), (status, ""), result.stderr)
        self.assertRegex(result.stderr, r"\Aunmask: error: [^\n]+\n\Z")
        for part in parts:
            self.assertIn(part, result.stderr)


class Run(Case):
    def test_every_preset_writes_a_document(self):
        for preset in ("exact", "balanced", "fast"):
            for more in ((), ("--temperature", "1", "--seed", "4"), ("--steps", "8"),
                         ("--max-tokens", "200"), ("--raw",)):
                result = self.run_schema("--preset", preset, *more)
                self.assertEqual((result.returncode, result.stderr), (0, ""), (preset, more))
                self.assert_document(result.stdout)

    def test_the_model_hears_of_the_schema(self):
        prompts = [json.loads(self.run_schema("--json", *more).stdout)["prompt_tokens"]
                   for more in (("--raw",), ())]
        self.assertGreater(prompts[1], prompts[0] + 50)

    def test_says_whether_there_was_room(self):
        report = json.loads(self.run_schema("--json").stdout)
        self.assert_document(report["text"])
        self.assertEqual(report["constraint"], {"forced": False})
        error = self.run_schema("-n", "3")
        self.assert_error(error, "found 3 tokens, expected at least")
        least = int(error.stderr.split("at least ")[1].split(",")[0])
        self.assert_document(self.run_schema("-n", str(least)).stdout)
        self.assert_error(self.run_schema("-n", str(least - 1)), f"at least {least},")

    def test_json_object(self):
        result = unmask("run", "-p", PROMPT, "--json-object", "-n", "48")
        self.assertEqual((result.returncode, result.stderr), (0, ""))
        self.assertIsInstance(json.loads(result.stdout), dict)

    def test_refuses_what_it_cannot_promise(self):
        self.file.write_text('{"type": "object", "properties": {"a": {"not": {}}}}',
                             encoding="utf-8")
        self.assert_error(self.run_schema(), "[schema] /properties/a/not: ")
        self.file.write_text('{"type": ', encoding="utf-8")
        self.assert_error(self.run_schema(), str(self.file))
        self.file.unlink()
        self.assert_error(self.run_schema(), str(self.file), "cannot be read")

    def test_excludes_what_interferes(self):
        for other in (("--top-p", "0.9"), ("--top-k", "4"), ("--suppress-eos",), ("--defer-eos",),
                      ("--no-early-stop",), ("--json-object",), ("--fill", "a ___ b")):
            result = self.run_schema(*other)
            self.assertNotEqual(result.returncode, 0)
            self.assertIn("excludes", result.stderr)


class Batch(Case):
    def batch(self, *lines: dict) -> subprocess.CompletedProcess:
        return unmask("batch", "-f", "-", "-n", "64",
                      stdin="".join(json.dumps(line) + "\n" for line in lines))

    def test_each_line_has_its_own(self):
        system = {"role": "system", "content": "Be brief."}
        result = self.batch({"id": 1, "prompt": PROMPT, "json_schema": SCHEMA},
                            {"id": 2, "prompt": PROMPT, "json_object": True},
                            {"id": 3, "prompt": PROMPT, "json_object": False},
                            {"id": 4, "messages": [system, {"role": "user", "content": PROMPT}],
                             "json_schema": SCHEMA})
        self.assertEqual((result.returncode, result.stderr), (0, ""))
        answers = [json.loads(line) for line in result.stdout.splitlines()]
        self.assertEqual([answer["id"] for answer in answers], [1, 2, 3, 4])
        self.assertEqual(answers[0]["json_schema"], SCHEMA)
        self.assert_document(answers[0]["text"])
        self.assertIsInstance(json.loads(answers[1]["text"]), dict)
        self.assertNotIn("constraint", answers[2])
        self.assert_document(answers[3]["text"])

    def test_says_which_line_is_wrong(self):
        self.assert_error(self.batch({"prompt": "a", "json_schema": {"not": {}}}), ":1: ", "/not")
        self.assert_error(self.batch({"prompt": "a", "json_object": 1}), ":1: ", "json_object")
        self.assert_error(self.batch({"prompt": "a", "json_object": True, "json_schema": SCHEMA}),
                          "exclude")


if __name__ == "__main__":
    PROGRAM, ROOT = os.path.abspath(sys.argv[1]), pathlib.Path(sys.argv[2]).resolve()
    unittest.main(argv=sys.argv[:1] + sys.argv[3:])
