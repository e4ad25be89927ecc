#!/usr/bin/env python3
"""Requests in the shape in which editors and lm-eval send them (tests/serve/clients), and what those read of the
answers: clients_test.py PROGRAM ROOT."""

import json
import pathlib
import re
import sys
import unittest

from harness import Server, text_of

PROGRAM = ""
ROOT = pathlib.Path()


class Clients(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = Server(PROGRAM, ROOT)
        cls.addClassCleanup(cls.server.__exit__, None)

    def replay(self, client: str, **changes):
        """The raw text of the answer and its JSON."""
        sent = json.loads((ROOT / f"tests/serve/clients/{client}.json").read_text())
        reply = self.server.post(sent["path"], {**sent["request"], **changes})
        self.assertEqual(reply.status, 200, reply.text)
        return reply.text, reply.json

    def stream(self, client: str) -> list:
        sent = json.loads((ROOT / f"tests/serve/clients/{client}.json").read_text())
        return self.server.stream(sent["path"], sent["request"]).rest()

    def test_llama_vim(self):
        text, reply = self.replay("llama_vim")
        self.assertRegex(text, r'"content"\s*:"')  # looked for before the JSON is read: no blank behind the colon
        self.assertIsInstance(reply["content"], str)
        self.assertNotIn("\n", reply["content"])
        self.assertGreater(reply["timings/prompt_n"], 0)
        self.assertGreaterEqual(reply["timings/predicted_ms"], 0)
        self.assertNotIn("tokens_cached", reply)

    def test_llama_vim_warms_up(self):
        steps = self.server.metrics()["unmask_denoise_steps_total"]
        _, reply = self.replay("llama_vim", n_predict=0, response_fields=[""])
        self.assertEqual(reply, {})
        _, reply = self.replay("llama_vim", n_predict=0, response_fields=["content"])
        self.assertEqual(reply, {"content": ""})
        self.assertEqual(self.server.metrics()["unmask_denoise_steps_total"], steps)

    def test_llama_vim_gives_up_in_time(self):
        _, reply = self.replay("llama_vim", t_max_predict_ms=1, diffusion={"infill_length": 16})
        self.assertIsInstance(reply["content"], str)

    def test_llama_vscode(self):
        _, replies = self.replay("llama_vscode")
        self.assertEqual(len(replies), 3)
        for reply in replies:
            self.assertIsInstance(reply["content"], str)
            self.assertTrue(reply["stop"])
            self.assertIn(reply["stop_type"], ("eos", "limit", "word"))
        _, one = self.replay("llama_vscode", n_cmpl=1)
        self.assertIsInstance(one["content"], str)
        self.assertEqual(one["generation_settings"]["n_ctx"], 4096)

    def test_llama_vscode_reads_the_limit_from_the_message(self):
        reply = self.server.post("/infill", {"prompt": "x", "n_cmpl": 7})
        self.assertEqual(reply.status, 400)
        limit = re.search(r"Value must be between 1 <= value <= (\d+), but got 7", reply.error["message"])
        self.assertEqual(limit[1], "4")

    def test_llama_vscode_asks_what_the_server_is(self):
        [model] = self.server.get("/v1/models").json["data"]
        self.assertIn("n_ctx_train", model["meta"])
        self.assertGreater(self.server.get("/props").json["default_generation_settings"]["n_ctx"], 0)

    def test_what_stands_behind_the_hole_is_not_repeated(self):
        suffix = " fox is calm.\n"
        for length in (4, 8, 16):
            body = {"input_prefix": "Text: The", "input_suffix": suffix, "diffusion": {"infill_length": length}}
            self.assertFalse(self.server.post("/infill", body).json["content"].endswith(suffix))

    def test_continue_and_minuet(self):
        for client in ("continue", "minuet"):
            events = self.stream(client)
            self.assertEqual(events[-1], "[DONE]")
            self.assertNotIn("\n\n", text_of(events))
            self.assertTrue(all("text" in event["choices"][0] for event in events[:-1]))

    def test_lm_eval(self):
        _, reply = self.replay("lm_eval")
        self.assertEqual([choice["index"] for choice in reply["choices"]], [0, 1])
        for choice, tokens in zip(reply["choices"], (5, 4)):
            told = choice["logprobs"]
            self.assertGreaterEqual(len(told["token_logprobs"]), tokens)
            self.assertIsNone(told["token_logprobs"][0])
            for value, top in zip(told["token_logprobs"][1:tokens], told["top_logprobs"][1:tokens]):
                self.assertLess(value, 0)
                self.assertGreaterEqual(max(top.values()), value)
        long = self.server.post("/v1/completions", {"prompt": [5] * 514, "max_tokens": 0, "echo": True, "logprobs": 1})
        self.assertEqual(long.status, 400)
        self.assertIn("/v1/score", long.error["message"])


def main() -> None:
    global PROGRAM, ROOT
    PROGRAM, ROOT = sys.argv[1], pathlib.Path(sys.argv[2])
    unittest.main(argv=sys.argv[:1])


if __name__ == "__main__":
    main()
