#!/usr/bin/env python3
"""Evaluates the embedded model on a few examples and looks at what comes out: eval_test.py PROGRAM
ROOT."""

import html.parser
import json
import os
import pathlib
import re
import signal
import subprocess
import sys
import tempfile
import time
import unittest

PROGRAM = ""
ROOT = pathlib.Path()
PROMPT = ("Text: It was late. The code of the brave otter is 4821. Rain fell. "
          "Question: What is the code of the brave otter?")


def command(*arguments: str) -> list[str]:
    return [PROGRAM, arguments[0], "-m", str(ROOT / "models" / "demo"), "--threads", "1", *arguments[1:]]


def unmask(*arguments: str) -> subprocess.CompletedProcess:
    return subprocess.run(command(*arguments), capture_output=True, text=True, timeout=300,
                          check=False)


def lines_of(folder: str) -> list[dict]:
    text = (pathlib.Path(folder) / "results.jsonl").read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines()]


def without_progress(said: str) -> str:
    """What a slow machine says every ten seconds."""
    return re.sub(r"(?m)^unmask: \d+ of \d+, .* left\n", "", said)


def without_times(records: list[dict]) -> list[dict]:
    return [{key: value for key, value in record.items() if key != "seconds"} for record in records]


class Case(unittest.TestCase):
    def setUp(self):
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.folder = temporary.name

    def success(self, *arguments: str) -> str:
        result = unmask(*arguments)
        self.assertEqual((result.returncode, without_progress(result.stderr)), (0, ""))
        return result.stdout

    def failure(self, *parts: str, of: tuple, status: int = 1):
        result = unmask(*of)
        self.assertEqual((result.returncode, result.stdout), (status, ""), result.stderr)
        self.assertRegex(result.stderr, r"\Aunmask: error: [^\n]+\n\Z")
        for part in parts:
            self.assertIn(part, result.stderr)

    def write(self, name: str, *examples: dict) -> str:
        path = pathlib.Path(self.folder) / name
        path.write_text("".join(json.dumps(example) + "\n" for example in examples), encoding="utf-8")
        return str(path)


class Markup(html.parser.HTMLParser):
    """Counts the elements of a page and what they would fetch."""

    def __init__(self):
        super().__init__()
        self.counts: dict[str, int] = {}
        self.fetched: list[str] = []

    def handle_starttag(self, tag, attrs):
        self.counts[tag] = self.counts.get(tag, 0) + 1
        self.fetched += [value for name, value in attrs if name in ("src", "href")]


class Eval(Case):
    SMALL = ("eval", "--task", "multikey,multivalue", "--length", "256,128", "--tokens-per-step", "4",
             "--limit")

    def test_finds_needles_and_loses_them_behind_a_window(self):
        out = self.success("eval", "--task", "multikey", "--length", "256", "--limit", "8", "--json",
                           "--tokens-per-step", "2", "--method", "full", "--method",
                           "sliding-window:share=0.2,block=16")
        full, window = json.loads(out)["methods"]
        self.assertGreaterEqual(full["score"], 0.75)
        self.assertLess(window["score"], full["score"])
        self.assertAlmostEqual(window["difference"]["mean"], window["score"] - full["score"])
        self.assertLess(window["planned"]["density"], 0.5)
        self.assertEqual(full["planned"]["density"], 1)

    def test_same_seed_same_results(self):
        runs = []
        for name, seed in (("a", "1"), ("b", "1"), ("c", "2")):
            self.success(*self.SMALL, "3", "--seed", seed, "-o", os.path.join(self.folder, name))
            runs.append(without_times(lines_of(os.path.join(self.folder, name))[1:]))
        self.assertEqual(runs[0], runs[1])
        self.assertNotEqual(runs[0], runs[2])
        self.assertEqual(len(runs[0]), 12)

    def end_early(self, arguments: tuple, results: pathlib.Path, end: signal.Signals) -> tuple[int, str, str]:
        """Runs until three more results are there."""
        def count() -> int:
            return results.read_text(encoding="utf-8").count("\n") if results.exists() else 0

        wanted = count() + 3
        with subprocess.Popen(command(*arguments), stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              text=True) as process:
            deadline = time.time() + 200
            while count() < wanted and time.time() < deadline:
                time.sleep(0.01)
            process.send_signal(end)
            out, err = process.communicate(timeout=300)
        return process.returncode, out, without_progress(err)

    def test_shares_may_die_and_are_summed_up(self):
        whole, shared = os.path.join(self.folder, "whole"), pathlib.Path(self.folder) / "shared"
        arguments = (*self.SMALL, "6", "-o")
        self.success(*arguments, whole)
        processes = [subprocess.Popen(command(*arguments, str(shared), "--shard", f"{i}/3"), stdout=subprocess.PIPE,
                                      stderr=subprocess.PIPE, text=True) for i in (1, 3)]
        killed = shared / "results.2-of-3.jsonl"
        outcome = self.end_early((*arguments, str(shared), "--shard", "2/3"), killed, signal.SIGKILL)
        self.assertEqual(outcome[0], -signal.SIGKILL)
        for process in processes:
            out, err = process.communicate(timeout=300)
            self.assertEqual((process.returncode, out), (0, ""))
            self.assertIn("without a share the same command sums all of", err)
        self.failure("found no folder", of=(*self.SMALL, "6", "--shard", "2/3"))
        self.success(*arguments, str(shared))  # finishes what the killed share had not
        found = [json.loads(line) for file in shared.glob("results*.jsonl")
                 for line in file.read_text(encoding="utf-8").splitlines()[1:]]
        by_key = {json.dumps([r["task"], r["length"], r["method"], r["index"]]): r for r in without_times(found)}
        self.assertEqual(len(by_key), len(found))
        expected = without_times(lines_of(whole)[1:])
        self.assertEqual(len(found), len(expected))
        for record in expected:
            self.assertEqual(by_key[json.dumps([record["task"], record["length"], record["method"],
                                                record["index"]])], record)
        scores = [json.loads((pathlib.Path(folder) / "summary.json").read_text())["methods"][0]["score"]
                  for folder in (whole, shared)]
        self.assertEqual(scores[0], scores[1])

    def test_a_killed_run_goes_on(self):
        whole, killed = os.path.join(self.folder, "whole"), os.path.join(self.folder, "killed")
        arguments = ("eval", "--task", "multikey", "--length", "384", "--limit", "8", "--method", "full",
                     "--method", "sparse-dllm", "-o")
        self.success(*arguments, whole)
        results = pathlib.Path(killed) / "results.jsonl"
        outcome = self.end_early((*arguments, killed), results, signal.SIGKILL)
        self.assertEqual(outcome, (-signal.SIGKILL, "", ""))
        with results.open("a", encoding="utf-8") as file:
            file.write('{"task": "multi')  # as a kill in the middle of a line would
        status, out, err = self.end_early((*arguments, killed), results, signal.SIGINT)
        self.assertEqual((status, out), (130, ""))
        self.assertIn("goes on", err)
        before = results.read_text(encoding="utf-8")
        self.success(*arguments, killed)
        self.assertTrue(results.read_text(encoding="utf-8").startswith(before), "nothing is repeated")
        self.assertEqual(without_times(lines_of(killed)), without_times(lines_of(whole)))
        self.assertEqual(sorted(os.listdir(killed)),
                         ["report.html", "results.jsonl", "summary.json", "summary.md"])

    def test_more_examples_and_methods_join_what_is_there(self):
        out = os.path.join(self.folder, "out")
        self.success(*self.SMALL, "3", "-o", out)
        first = lines_of(out)
        self.success(*self.SMALL, "4", "--method", "full", "--method", "dkv-cache", "-o", out)
        self.assertEqual(lines_of(out)[:len(first)], first)
        self.assertEqual(len(lines_of(out)), 1 + 4 * 4 * 2)
        self.failure("seed", "--out", of=(*self.SMALL, "3", "--seed", "9", "-o", out))

    def test_presets_are_rows_like_methods(self):
        summary = json.loads(self.success("eval", "--task", "single", "--length", "256", "--limit", "1",
                                          "--method", "exact", "--method", "balanced", "--wording", "both",
                                          "--json"))
        rows = {method["method"]: method["rows"] for method in summary["methods"]}
        self.assertEqual(list(rows), ["exact", "balanced"])
        self.assertLess(rows["balanced"], rows["exact"] / 4)
        self.assertEqual((summary["settings"]["preset"], summary["settings"]["wording"]), ("exact", "both"))

    def test_report_is_a_page_of_its_own(self):
        out = os.path.join(self.folder, "out")
        self.success(*self.SMALL, "3", "--fidelity", "--method", "full", "--method", "sparsed:block=8", "-o", out)
        page = Markup()
        page.feed((pathlib.Path(out) / "report.html").read_text(encoding="utf-8"))
        self.assertEqual(page.counts["svg"], 5, "three plots and two maps of heads")
        self.assertEqual((page.counts["table"], page.counts.get("script", 0)), (3, 0))
        self.assertEqual(page.fetched, [])

    def test_fidelity_needs_no_answers(self):
        file = self.write("prompts.jsonl", {"prompt": PROMPT})
        out = json.loads(self.success("eval", "-f", file, "-n", "32", "--fidelity", "--json", "--method", "full",
                                      "--method", "sparse-dllm:keep=0.2"))
        full, sparse = (method["fidelity"] for method in out["methods"])
        self.assertEqual([full[key]["mean"] for key in ("token_agreement", "step_agreement")], [1, 1])
        self.assertAlmostEqual(full["retained_mass"]["mean"], 1)
        self.assertLess(sparse["retained_mass"]["mean"], 1)
        self.assertGreater(sparse["output_error"]["mean"], 0)
        self.assertEqual(len(sparse["retained_mass_of_heads"]), 20)
        self.assertIsNone(out["methods"][0]["score"])

    def test_files_are_scored_by_their_metric(self):
        file = self.write("mine.jsonl", {"prompt": PROMPT, "answer": "brave otter: 4821"},
                          {"prompt": PROMPT, "answer": "4821"},
                          {"question": PROMPT, "answer": "so\n#### 4,821", "metric": "numeric"},
                          {"prompt": PROMPT, "answer": r"^brave \w+: \d{4}$", "metric": "regex"},
                          {"prompt": PROMPT, "answers": ["4821", "17"], "metric": "all"},
                          {"prompt": PROMPT, "answers": ["OTTER", "17"], "metric": "any"})
        out = os.path.join(self.folder, "out")
        self.success("eval", "-f", file, "-n", "32", "--tokens-per-step", "2", "-o", out)
        self.assertEqual([line["score"] for line in lines_of(out)[1:]], [1, 0, 1, 1, 0.5, 1])

    def test_choices_are_scored_by_likelihood(self):
        choices = ["brave otter: 1234", "brave otter: 4821", "river"]
        file = self.write("choices.jsonl", {"question": PROMPT, "choices": choices, "answer": 1})
        out = json.loads(self.success("eval", "-f", file, "--mc-samples", "16", "--json"))
        self.assertEqual(out["methods"][0]["score"], 1)
        self.failure("choices", "methods", of=("eval", "-f", file, "--method", "sparsed"))
        self.failure("choices", "fidelity", of=("eval", "-f", file, "--fidelity"))

    def test_refuses_what_is_impossible(self):
        for part, arguments in (("nothing to evaluate", ()), ("magic", ("--task", "vt", "--method", "magic")),
                                ("/nonexistent", ("-f", "/nonexistent")), ("--length", ("--task", "multiquery", "--length", "80")),
                                ("two tasks", ("--task", "vt,vt")), ("temperature", ("--task", "vt", "--length", "256", "--fidelity", "--temperature", "1"))):
            self.failure(part, of=("eval", *arguments))
        self.failure("--task", of=("eval", "--task", "tenkey"), status=2)
        self.failure("--experiment", of=("eval", "--experiment", "none"), status=2)


    def test_shells_complete_it(self):
        script = subprocess.run([PROGRAM, "completion", "bash"], capture_output=True, text=True, timeout=60,
                                check=True).stdout
        self.assertIn("eval,--experiment) mapfile -t COMPREPLY < <(compgen -W 'compare sparsed-ablation", script)
        self.assertIn("eval,-o|eval,--out) mapfile -t COMPREPLY < <(compgen -d", script)


class Score(Case):
    def score(self, *arguments: str) -> list[dict]:
        out = self.success("score", "-p", PROMPT, "--json", *arguments)
        return [json.loads(line) for line in out.splitlines()]

    def test_prefers_the_right_answer(self):
        right, wrong = self.score("-a", "brave otter: 4821", "-a", "brave otter: 1234")
        self.assertGreater(right["log_likelihood"], wrong["log_likelihood"] + 2)
        self.assertAlmostEqual(right["probability"] + wrong["probability"], 1)
        self.assertGreater(right["standard_error"], 0)
        self.assertEqual(right["samples"], 128)

    def test_is_repeatable_and_prints_a_line(self):
        arguments = ("-a", "brave otter: 4821", "--mc-samples", "16")
        self.assertEqual(self.score(*arguments), self.score(*arguments))
        self.assertNotEqual(self.score(*arguments), self.score(*arguments, "--seed", "1"))
        self.assertRegex(self.success("score", "-p", PROMPT, "-a", "river"),
                         r"\A-\d+\.\d{3} \+- 0\.000 nats, .* share 1\.000: river\n\Z")
        self.failure("empty", of=("score", "-p", PROMPT, "-a", ""))
        self.failure("--answer", of=("score", "-p", PROMPT), status=2)


class Tune(Case):
    def examples(self, count: int, **members) -> str:
        file = pathlib.Path(self.folder) / "examples.jsonl"
        lines = [{"prompt": PROMPT.replace("4821", str(4000 + i)), "gen_length": 32, **members} for i in range(count)]
        file.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
        return str(file)

    def test_writes_a_profile_that_other_commands_take(self):
        profile, page = (os.path.join(self.folder, name) for name in ("mine.json", "page.html"))
        result = unmask("tune", "-f", self.examples(2, answer="otter", metric="any"), "--max-loss", "60",
                        "--json", "-o", profile, "--plot", page)
        self.assertEqual((result.returncode, without_progress(result.stderr)), (0, ""))
        said = json.loads(result.stdout)
        self.assertEqual((said["examples"], said["complete"]), (2, True))
        self.assertEqual(said["profiles"][0]["name"], "exact")
        best = next(p for p in said["profiles"] if p["name"] == said["best"])
        self.assertLess(best["rows"], said["profiles"][0]["rows"] / 4)
        written = json.loads(pathlib.Path(profile).read_text(encoding="utf-8"))
        self.assertEqual((written["preset"], written.get("method")), (best["preset"], best.get("method")))
        self.assertIn("</svg>", pathlib.Path(page).read_text(encoding="utf-8"))
        ran = json.loads(self.success("run", "-p", PROMPT, "--profile", profile, "--json"))
        self.assertEqual(ran["preset"], best["preset"])
        other = json.loads(self.success("run", "-p", PROMPT, "--profile", profile, "--method", "full", "--json"))
        self.assertEqual(other["method"], "full")

    def test_says_that_few_examples_tell_little(self):
        result = unmask("tune", "-f", self.examples(1), "--budget", "1s")
        self.assertIn("1 example cannot tell a loss of 1 points", result.stderr)
        self.assertRegex(result.stdout, r"(?m)^exact +1 +1\.000 ")

    def test_refuses_what_it_cannot_do(self):
        file = self.examples(1)
        self.failure("--budget", of=("tune", "-f", file, "--budget", "soon"), status=2)
        self.failure("--file", of=("tune",), status=2)
        self.failure("--profile", "unmask tune", of=("run", "-p", "a", "--profile", file), status=2)
        pathlib.Path(file).write_text('{"unmask_profile": 1, "preset": "fast"}', encoding="utf-8")
        self.failure("--preset", of=("run", "-p", "a", "--preset", "fast", "--profile", file), status=2)


class Calibrate(Case):
    def test_writes_what_the_server_reads_and_repeats_itself(self):
        file = os.path.join(self.folder, "calibration.json")
        arguments = ("calibrate", "--questions", "60", "--labels", "text", "--json", "-o", file)
        result = unmask(*arguments)
        self.assertEqual(result.returncode, 0)
        self.assertIn("warning: the temperature of predicate lies at a limit", result.stderr)
        said = json.loads(result.stdout)
        self.assertEqual(json.loads(pathlib.Path(file).read_text(encoding="utf-8")), said["calibration"])
        self.assertEqual([kind["type"] for kind in said["types"]], ["predicate", "choice", "score"])
        choice = said["types"][1]
        self.assertGreaterEqual(choice["accuracy"], 0.9)
        self.assertGreater(choice["label_mass"], 0.9)
        self.assertEqual((choice["questions"], choice["held_out"]), (20, 10))
        self.assertEqual(json.loads(unmask(*arguments).stdout)["calibration"], said["calibration"])

    def test_refuses_what_it_cannot_do(self):
        self.failure("--questions", of=("calibrate", "--questions", "3"), status=2)
        self.failure("--labels", of=("calibrate", "--labels", "words"), status=2)
        file = os.path.join(self.folder, "broken.json")
        pathlib.Path(file).write_text('{"choice": 0}', encoding="utf-8")
        self.failure("predicate", of=("serve", "--port", "0", "--decision-calibration", file))


if __name__ == "__main__":
    PROGRAM, ROOT = os.path.abspath(sys.argv[1]), pathlib.Path(sys.argv[2]).resolve()
    unittest.main(argv=sys.argv[:1] + sys.argv[3:])
