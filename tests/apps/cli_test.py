#!/usr/bin/env python3
"""Runs the program on small models and looks at what comes out: cli_test.py PROGRAM ROOT."""

import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import unittest
import xml.etree.ElementTree

PROGRAM = ""
ROOT = pathlib.Path()
PROMPT = ("Text: It was late. The code of the brave otter is 4821. Rain fell. "
          "Question: What is the code of the brave otter?")
ANSWER = "brave otter: 4821"


def demo() -> str:
    return str(ROOT / "models" / "demo")


def unmask(*arguments: str, stdin: str = "") -> subprocess.CompletedProcess:
    return subprocess.run([PROGRAM, *arguments], input=stdin, capture_output=True, text=True,
                          timeout=60, check=False)


def run(*arguments: str, stdin: str = PROMPT) -> subprocess.CompletedProcess:
    return unmask("run", "-m", demo(), "-n", "32", "--steps", "16", *arguments, stdin=stdin)


class Case(unittest.TestCase):
    def assert_success(self, result: subprocess.CompletedProcess):
        self.assertEqual((result.returncode, result.stderr), (0, ""))

    def assert_error(self, result: subprocess.CompletedProcess, *parts: str, status: int = 1):
        self.assertEqual(result.returncode, status, result.stderr)
        self.assertEqual(result.stdout, "")
        self.assertRegex(result.stderr, r"\Aunmask: error: [^\n]+\n\Z")
        for part in parts:
            self.assertIn(part, result.stderr)


class Run(Case):
    def test_prints_the_answer_and_nothing_else(self):
        for result in (run(), run("-p", PROMPT, stdin=""), run("--live")):
            self.assert_success(result)
            self.assertEqual(result.stdout, ANSWER + "\n")

    def test_json_adds_up(self):
        result = run("--json", "--seed", "3", "--preset", "exact")
        self.assert_success(result)
        report = json.loads(result.stdout)
        self.assertEqual(report["text"], ANSWER)
        self.assertEqual(report["finish"], "stop")
        self.assertEqual(report["canvas"], report["prompt_tokens"] + 32)
        self.assertEqual(report["rows"], report["canvas"] * report["forward_passes"])
        self.assertEqual((report["masks_left"], report["seed"]), (0, 3))
        self.assertLessEqual(report["steps"], 16)
        self.assertAlmostEqual(report["tokens_per_forward"],
                               report["answer_tokens"] / report["forward_passes"])
        self.assertLessEqual(report["seconds_to_first_text"], report["seconds"])

    def test_a_device_computes_or_says_why_not(self):
        result = run("--device", "cuda")
        if result.returncode == 0:
            self.assertEqual(result.stdout, ANSWER + "\n")
        else:
            self.assert_error(result, "[cuda] ", "--device cpu")
        self.assert_error(run("--device", "cuda", "--dtype", "f32"), "bf16")
        result = run("--device", "auto")
        self.assertEqual((result.returncode, result.stdout), (0, ANSWER + "\n"))
        self.assertRegex(result.stderr, r"\A(unmask: [^\n]*on the cpu: \[cuda\] [^\n]*\n)?\Z")

    def test_without_an_end_token_the_length_ends_it(self):
        report = json.loads(run("--suppress-eos", "--json").stdout)
        self.assertEqual((report["finish"], report["answer_tokens"]), ("length", 32))

    def test_same_seed_same_text_with_any_number_of_threads(self):
        hot = ("--temperature", "3")
        texts = {run(*hot, "--seed", "5", "--threads", n).stdout for n in ("1", "2", "2")}
        self.assertEqual(len(texts), 1)
        self.assertNotEqual(texts, {run(*hot, "--seed", "6").stdout})

    def test_raw_takes_the_prompt_as_it_is(self):
        counts = [json.loads(run("--json", *raw).stdout)["prompt_tokens"] for raw in ((), ("--raw",))]
        self.assertLess(counts[1], counts[0])

    def test_fill_keeps_the_given_text(self):
        result = unmask("run", "-m", demo(), "--fill", "The code ___{3} otter is ___.")
        self.assert_success(result)
        self.assertRegex(result.stdout, r"\AThe code.* otter is.*\.\n\Z")
        self.assert_error(unmask("run", "-m", demo(), "--fill", "no hole"), "___")
        self.assert_error(unmask("run", "-m", demo(), "--fill", "a ___", "--system", "x"), "-p or -f")

    def test_fills_holes_of_an_answer(self):
        result = unmask("run", "-m", demo(), "-p", PROMPT, "--fill", "brave otter:___{5}")
        self.assert_success(result)
        self.assertEqual(result.stdout, ANSWER + "\n")
        report = json.loads(unmask("run", "-m", demo(), "-p", PROMPT, "--fill", "brave otter:___{5}",
                                   "--json").stdout)
        self.assertEqual((report["text"], report["canvas"] - report["prompt_tokens"]), (ANSWER, 5))

    def test_a_drawn_seed_is_named(self):
        result = run("--seed", "-1", "--json")
        self.assertEqual(result.returncode, 0)
        self.assertEqual(result.stderr, f"unmask: seed {json.loads(result.stdout)['seed']}\n")
        self.assert_error(run("--seed", "-2"), "--seed", status=2)

    def test_names_what_was_meant(self):
        for arguments, said in ((["rnu"], "did you mean run?"),
                                (["run", "-m", "x", "--tempature", "1"], "did you mean --temperature?"),
                                (["run", "--modle", "x", "-p", "hi"], "did you mean --model?"),
                                (["run", "-m", "x", "--ctx-size", "8"], "there is nothing to set"),
                                (["run", "-m", "x", "What is it?"], "a prompt stands behind -p"),
                                ([], "which command?")):
            self.assert_error(unmask(*arguments), said, status=2)
        misspelt = unmask("run", "-m", "x", "--promt", "a long text that nobody wants to see again")
        self.assert_error(misspelt, "there is no option --promt; did you mean --prompt?", status=2)
        self.assertNotIn("nobody", misspelt.stderr)
        self.assertEqual(unmask("help", "run").stdout, unmask("run", "--help").stdout)
        for word in ("version", "-v", "-V"):
            self.assertEqual(unmask(word).stdout, unmask("--version").stdout)

    def test_refuses_what_is_impossible(self):
        self.assert_error(run("--top-p", "0.5"), "--top-p")
        self.assert_error(run("--threshold", "2"), "threshold")
        self.assert_error(run("--method", "magic"), "magic")
        self.assert_error(run(stdin=""), "empty")
        self.assert_error(run("-f", "/nonexistent"), "/nonexistent")
        self.assert_error(run("--steps", "0"), "--steps", status=2)

    def test_says_what_is_wrong_with_a_model(self):
        self.assert_error(unmask("run", "-m", "/nonexistent", "-p", "x"), "no such directory")
        with tempfile.TemporaryDirectory() as empty:
            self.assert_error(unmask("run", "-m", empty, "-p", "x"), "config.json")
        tiny = ROOT / "tests" / "golden" / "checkpoints" / "llada-tiny"
        self.assert_error(unmask("run", "-m", str(tiny), "-p", "x"), "tokenizer")

    def test_warns_about_a_canvas_that_is_too_long(self):
        result = unmask("run", "-m", demo(), "-p", "x", "-n", "4100", "--steps", "1",
                        "--block-length", "4100")
        self.assertEqual(result.returncode, 0)
        self.assertRegex(result.stderr, r"\Aunmask: warning: [^\n]*4096 positions[^\n]*\n\Z")


class Explain(Case):
    def test_plans_the_rows_that_a_run_computes(self):
        for method in ("full", "sparse-dllm:keep=0.3", "sparsed:skip=0.1,block=32"):
            options = ("--method", method, "--no-early-stop", "--json")
            plan = run("--explain", *options)
            self.assert_success(plan)
            report = json.loads(run(*options).stdout)
            plan = json.loads(plan.stdout)
            self.assertEqual(plan["rows"], report["rows"])
            self.assertEqual(len(plan["steps"]), report["steps"])
            self.assertGreaterEqual(plan["operations_of_full_over_method"], 1)

    def test_prints_a_table(self):
        result = run("--explain", "--method", "sparse-dllm+sparsed:block=32", "--dtype", "int8")
        self.assert_success(result)
        self.assertRegex(result.stdout, r"(?m)^backend   cpu .*products: int8 packed$")
        for part in ("steps", "density", "2-15", "total", "GFLOP", "against"):
            self.assertIn(part, result.stdout)
        self.assert_error(run("--explain", "--live"), "--live", status=2)

    def test_says_what_drafts_cost(self):
        options = ("--explain", "--method", "fast-dllm:cache=dual", "--drafts", "3")
        text = run(*options)
        self.assert_success(text)
        self.assertRegex(text.stdout, r"(?m)^drafts    3 canvases a pass")
        self.assertRegex(text.stdout, r"(?m)^ +by this machine's ceilings the passes take [0-9.]+ times as long")
        cost = json.loads(run(*options, "--json").stdout)["drafts_cost"]
        self.assertGreaterEqual(cost["times"], 1)
        self.assertGreater(cost["ridge_rows"], 0)
        self.assertNotIn("drafts", run("--explain", "--method", "full").stdout)


class Batch(Case):
    def batch(self, *lines: str, options: tuple = ()) -> subprocess.CompletedProcess:
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "prompts.jsonl"
            path.write_text("\n".join(lines), encoding="utf-8")
            return unmask("batch", "-m", demo(), "-n", "32", "--steps", "16", "-f", str(path), *options)

    def test_each_answer_is_that_of_a_single_run(self):
        prompts = [PROMPT, PROMPT.replace("4821", "17"), "Text: nothing. Question: what?", "x"]
        lines = [json.dumps({"id": i, "prompt": prompt}) for i, prompt in enumerate(prompts)]
        for size in ("1", "3", "8"):
            result = self.batch(*lines, "", options=("--batch-size", size, "--method", "sparse-dllm"))
            # A slow machine hears how far it is.
            result.stderr = re.sub(r"unmask: \d of 4 prompts, [^\n]* left\n", "", result.stderr)
            self.assert_success(result)
            answers = [json.loads(line) for line in result.stdout.splitlines()]
            self.assertEqual([answer["id"] for answer in answers], [0, 1, 2, 3])
            for answer, prompt in zip(answers, prompts):
                alone = json.loads(run("--json", "--method", "sparse-dllm", stdin=prompt).stdout)
                for key in ("text", "rows", "steps", "finish"):
                    self.assertEqual(answer[key], alone[key])

    def test_takes_conversations(self):
        messages = json.dumps({"messages": [{"role": "user", "content": PROMPT}]})
        result = self.batch(messages, json.dumps({"prompt": PROMPT}))
        self.assert_success(result)
        texts = [json.loads(line)["text"] for line in result.stdout.splitlines()]
        self.assertEqual(texts, [ANSWER, ANSWER])
        self.assert_error(self.batch(messages, options=("--raw",)), "--raw")

    def test_prompts_that_begin_alike_are_read_once(self):
        lines = [json.dumps({"prompt": PROMPT + f" Question {i}?"}) for i in range(5)]
        for options in (("--model-block", "32"), ("--method", "fast-dllm:cache=dual,prompt_chunk=16")):
            answers = []
            for size in ("0.1", "0"):
                result = self.batch(*lines, options=(*options, "--batch-size", "2", "--prefix-cache", size))
                self.assertEqual(result.returncode, 0, result.stderr)
                answers.append([json.loads(line) for line in result.stdout.splitlines()])
            shared, alone = answers
            self.assertEqual([a["text"] for a in shared], [a["text"] for a in alone])
            self.assertEqual([a["cached_tokens"] for a in alone], [0] * 5)
            self.assertGreater(shared[-1]["cached_tokens"], 0)
            self.assertLess(shared[-1]["rows"], alone[-1]["rows"])
        self.assert_error(self.batch(*lines, options=("--prefix-cache", "0.1")), "--prefix-cache")

    def test_refuses_what_is_no_list_of_prompts(self):
        for line in ("x", '{"messages": [{"role": "user"}]}', '{"messages": []}', '{"text": "x"}', '["x"]', '{"prompt": 3}', '{"prompt": ""}'):
            self.assert_error(self.batch(json.dumps({"prompt": PROMPT}), line), "prompts.jsonl:2")
        self.assert_error(self.batch(""), "no prompts")
        self.assert_error(unmask("batch", "-m", demo(), "-f", "/nonexistent"), "/nonexistent")
        self.assert_error(unmask("batch", "-m", demo()), "--file", status=2)


class InspectAttention(Case):
    def inspect(self, *arguments: str) -> subprocess.CompletedProcess:
        return unmask("inspect-attention", "-m", demo(), "-n", "16", "--block-length", "8",
                      *arguments, stdin=PROMPT)

    def test_writes_pictures(self):
        with tempfile.TemporaryDirectory() as folder:
            for name in ("a.png", "a.svg", "a.html"):
                self.assert_success(self.inspect("-o", os.path.join(folder, name)))
            png = (pathlib.Path(folder) / "a.png").read_bytes()
            self.assertTrue(png.startswith(b"\x89PNG\r\n\x1a\n"))
            svg = xml.etree.ElementTree.parse(os.path.join(folder, "a.svg")).getroot()
            self.assertTrue(svg.tag.endswith("svg"))
            page = xml.etree.ElementTree.parse(os.path.join(folder, "a.html")).getroot()
            self.assertEqual(page.tag, "html")
            self.assertEqual(len(page.findall(".//figure/{*}svg")), 1)
            self.assertEqual(len(os.listdir(folder)), 3, "nothing else is left")

    def test_json_has_the_numbers(self):
        result = self.inspect("--json", "--layer", "1", "--head", "3,0", "--steps-shown", "0,7",
                              "--method", "sparse-dllm:keep=0.5")
        self.assert_success(result)
        report = json.loads(result.stdout)
        self.assertEqual((report["layer"], report["prompt_tokens"] + 16),
                         (1, report["canvas"]))
        first, later = report["steps"]
        self.assertEqual([head["head"] for head in first["heads"]], [0, 3])
        self.assertEqual((first["rows"], later["rows"]), (report["canvas"], 8))
        self.assertIsNone(first["heads"][0]["kept_positions"])
        self.assertEqual(len(later["heads"][0]["kept_positions"]), (report["canvas"] - 8) // 2 + 8)
        for row in first["heads"][0]["block_scores"]:
            self.assertAlmostEqual(sum(row), 1, places=5)
        self.assertIsNone(later["heads"][0]["block_scores"][0])

    def test_counts_the_steps_of_a_dynamic_sampler(self):
        report = json.loads(self.inspect("--json", "--threshold", "0.5").stdout)
        self.assertTrue(all(step["computed"] for step in report["steps"]))
        self.assertLess(report["steps"][-1]["step"], 15)

    def test_refuses_what_is_not_there(self):
        self.assert_error(self.inspect("--json", "--layer", "5"), "layers 0 to 4")
        self.assert_error(self.inspect("--json", "--head", "0,4"), "heads 0 to 3")
        self.assert_error(self.inspect("--json", "--steps-shown", "16"), "steps 0 to 15")
        self.assert_error(self.inspect("-o", "/nonexistent/a.png"), "/nonexistent/a.png")


class Bench(Case):
    SMALL = ("--shape", "tiny-llada", "--context", "48", "-n", "16", "--block-length", "8",
             "--steps", "8", "--threads", "1", "--dtype", "f32")

    def test_measures_and_draws(self):
        with tempfile.TemporaryDirectory() as folder:
            picture = pathlib.Path(folder) / "plot.svg"
            result = unmask("bench", *self.SMALL, "--method", "full", "--method", "dkv-cache",
                            "--json", "--plot", str(picture))
            self.assert_success(result)
            xml.etree.ElementTree.parse(picture)
        report = json.loads(result.stdout)
        self.assertGreater(report["ceilings"]["read_bytes_per_second"], 0)
        full, cached = report["models"][0]["generations"]
        self.assertEqual((full["method"], cached["method"]), ("full", "dkv-cache"))
        self.assertEqual(full["over_full"], 1)
        self.assertEqual([kind["steps"] for kind in full["kinds_of_steps"]], [8])
        self.assertGreater(full["operations"], cached["operations"])

    def test_refuses_what_it_cannot_measure(self):
        self.assert_error(unmask("bench", "--shape", "gpt-2"), "llada-8b")
        self.assert_error(unmask("bench", *self.SMALL, "--plot", "x.pdf"), ".svg or .png")
        self.assert_error(unmask("bench", "--dtype", "int3"), "int4", status=2)
        self.assert_error(unmask("bench", "--preset", "targets", "--context", "64"), "--preset",
                          status=2)


class Others(Case):
    def test_tokens_survive_a_round_trip(self):
        text = "Rain \u65e5\u672c\n\"fell\""
        ids = unmask("tokenize", "-m", demo(), "--ids", stdin=text)
        self.assert_success(ids)
        back = unmask("tokenize", "-m", demo(), "--decode", ids.stdout)
        self.assertEqual(back.stdout, text + "\n")
        tokens = json.loads(unmask("tokenize", "-m", demo(), "--json", "-p", text).stdout)
        self.assertEqual([str(t["id"]) for t in tokens["tokens"]], ids.stdout.split())
        self.assert_error(unmask("tokenize", "-m", demo(), "--decode", "1 x"), "'x'")

    def test_chat_template_surrounds_the_text(self):
        plain, chat = (json.loads(unmask("tokenize", "-m", demo(), "--json", "-p", "Hi", *option)
                                  .stdout)["count"] for option in ((), ("--chat",)))
        self.assertGreater(chat, plain)
        kwargs = ("tokenize", "-m", demo(), "--chat", "-p", "Hi", "--chat-template-kwargs")
        self.assert_success(unmask(*kwargs, '{"enable_thinking": false}'))
        self.assert_error(unmask(*kwargs, "[]"), "no JSON object", status=2)
        self.assert_error(unmask(*kwargs, '{"messages": []}'), "'messages'")

    def test_chat_answers_lines(self):
        result = unmask("chat", "-m", demo(), "-n", "32", "--steps", "16",
                        stdin=f"{PROMPT}\n\n/reset\n{PROMPT}\n/exit\nnot asked\n")
        self.assert_success(result)
        self.assertEqual(result.stdout, f"{ANSWER}\n" * 2)

    def test_inspect_counts(self):
        model = json.loads(unmask("inspect", demo(), "--context", "512", "--json").stdout)
        self.assertEqual((model["family"], model["parameters"]), ("LLaDA", 5311232))
        self.assertEqual(model["memory"]["context"], 512)
        self.assertNotIn("problem", model["weights"])
        self.assertIn("workspace at 512 tokens",
                      unmask("inspect", demo(), "--context", "512").stdout)

    def test_inspect_shows_gguf_and_configurations_without_weights(self):
        golden = ROOT / "tests" / "golden"
        path = str(golden / "gguf-llada-tiny" / "model.gguf")
        gguf = unmask("inspect", path, "--context", "512")
        self.assert_success(gguf)
        for part in ('architecture "llada"', "Q4_K 1 (36.0 KiB)", "7.35 bits a weight", "runs as stored",
                     "memory stored"):
            self.assertIn(part, gguf.stdout)
        model = json.loads(unmask("inspect", path, "--context", "512", "--json").stdout)
        self.assertEqual((model["container"], model["metadata"]["files"]), ("GGUF", 1))
        self.assertEqual(model["weights"]["bytes_by_type"]["Q4_K"], 36864)
        self.assertLess(model["memory"]["weights"]["stored"], model["memory"]["weights"]["f32"])
        config = unmask("inspect", str(golden / "model-configs" / "llada-8b-instruct"))
        self.assert_success(config)
        self.assertIn("8,015,581,184", config.stdout)
        self.assertIn("not usable", config.stdout)

    def test_json_survives_names_that_are_no_text(self):
        with tempfile.TemporaryDirectory() as folder:
            link = os.path.join(os.fsencode(folder), b"\xff")
            os.symlink(demo(), link)
            command = [PROGRAM, "run", "-m", link, "-p", PROMPT, "-n", "32", "--steps", "16", "--json"]
            result = subprocess.run(command, capture_output=True, timeout=60, check=True)
            self.assertTrue(json.loads(result.stdout)["model"].endswith("\ufffd"))

    def test_bash_completes(self):
        def completions(*words: str) -> list[str]:
            script = (f'source <("{PROGRAM}" completion bash); COMP_WORDS=("$@"); '
                      'COMP_CWORD=$(($# - 1)); _unmask; printf "%s\\n" "${COMPREPLY[@]}"')
            return subprocess.run(["bash", "-c", script, "bash", "unmask", *words], text=True,
                                  capture_output=True, timeout=60, check=True).stdout.split()
        self.assertEqual(completions("to"), ["tokenize"])
        self.assertEqual(completions("run", "--block"), ["--block-length"])
        self.assertEqual(completions("run", "--dtype", ""), ["auto", "f32", "bf16", "int8", "int4"])
        self.assertEqual(completions("chat", "--device", ""), ["cpu", "cuda", "auto"])
        self.assertEqual(completions("completion", "z"), ["zsh"])
        # bash hands over what is between colons and equal signs word by word.
        self.assertIn("select=", completions("run", "--method", "sparsed", ":", "s"))
        self.assertIn("block=", completions("run", "--method", "sparsed", ":", ""))
        self.assertIn("0.2,select=", completions("run", "--method", "sparsed", ":", "skip", "=", "0.2,s"))
        self.assertIn("sparse-dllm+sparsed", completions("run", "--method", "sparse-dllm+spar"))
        self.assertEqual(completions("run", "--dtype", "=", "int8"), ["int8"])

    def test_a_full_disk_is_an_error(self):
        for words in (["inspect", demo()], ["run", "--help"], ["--version"]):
            with open("/dev/full", "w", encoding="utf-8") as full:
                result = subprocess.run([PROGRAM, *words], stdout=full, timeout=60,
                                        stderr=subprocess.PIPE, text=True, check=False)
            self.assertEqual((result.returncode, result.stderr),
                             (1, "unmask: error: cannot write the output\n"))


if __name__ == "__main__":
    PROGRAM, ROOT = os.path.abspath(sys.argv[1]), pathlib.Path(sys.argv[2]).resolve()
    unittest.main(argv=sys.argv[:1] + sys.argv[3:])
