#!/usr/bin/env python3
"""What `unmask serve` answers, request by request: serve_test.py PROGRAM ROOT."""

import json
import pathlib
import sys
import unittest

from harness import ANSWER, CHAT, QUESTION, Server, eventually

PROGRAM = ""
ROOT = pathlib.Path()
CHAT_PATH = "/v1/chat/completions"
TEXT_PATH = "/v1/completions"


def chat(**members) -> dict:
    return {**CHAT, **members}


def diffusion(**members) -> dict:
    return chat(diffusion=members)


class Served(unittest.TestCase):
    """One server for a class; after every test it must answer as before and hold nothing."""
    OPTIONS: tuple[str, ...] = ()
    KEY = ""

    @classmethod
    def setUpClass(cls):
        cls.server = Server(PROGRAM, ROOT, *cls.OPTIONS, key=cls.KEY)
        cls.addClassCleanup(cls.server.__exit__, None)
        cls.good()
        cls.descriptors = cls.server.descriptors()

    @classmethod
    def good(cls):
        reply = cls.server.post(CHAT_PATH, CHAT)
        assert reply.status == 200 and reply.json["choices"][0]["message"]["content"] == ANSWER, reply.text

    def tearDown(self):
        self.good()
        self.assertTrue(eventually(lambda: self.server.descriptors() <= self.descriptors))

    def refused(self, reply, status: int, code: str, param: str | None = None, words: str = ""):
        self.assertEqual(reply.status, status, reply.text)
        error = reply.error
        self.assertEqual(set(error), {"message", "type", "param", "code"})
        self.assertEqual((error["code"], error["param"]), (code, param), error)
        self.assertIn(words, error["message"])
        self.assertNotIn("\n", error["message"])
        self.assertRegex(reply.headers["x-request-id"], "^[0-9a-f]{16}$")
        self.assertEqual(reply.headers["cache-control"], "no-store")


class Bodies(Served):
    def test_only_json_that_says_so(self):
        body = json.dumps(CHAT).encode()
        for kind in ("text/plain", "application/x-www-form-urlencoded", None):
            reply = self.server.post(CHAT_PATH, body, Content_Type=kind)
            self.refused(reply, 415, "unsupported_media_type", words="curl: -H")
        self.refused(self.server.post(CHAT_PATH, body, Content_Encoding="gzip"), 415, "unsupported_media_type")
        reply = self.server.post(CHAT_PATH, body, Content_Type="application/json; charset=utf-8")
        self.assertEqual(reply.status, 200)

    def test_what_is_no_json(self):
        for body in (b"", b"[" * 100_000, b'{"messages":[', b'{"a":1} x', b'{"a":1,"a":2}', b'{"a":"\xff"}',
                     b'{"a":"\\ud800"}', b'{"a":NaN}', b'{"a":1e999}', b"[]", b"null",
                     b'{"a":[' + b"0," * 300_000 + b"0]}"):
            with self.subTest(body[:20]):
                self.refused(self.server.post(CHAT_PATH, body), 400, "invalid_json")

    def test_too_large(self):
        reply = self.server.post(CHAT_PATH, b'{"a":"' + b"x" * (5 << 20) + b'"}')
        self.refused(reply, 413, "body_too_large")


class ChatFields(Served):
    def test_values_out_of_range_are_named(self):
        image = [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "x"}}]}]
        rows = [
            ({"messages": None}, "messages"), ({"messages": []}, "messages"), ({"messages": "x"}, "messages"),
            ({"messages": [None]}, "messages[0]"),
            ({"messages": [{"role": "root", "content": ""}]}, "messages[0].role"),
            ({"messages": [{"role": "user", "content": 3}]}, "messages[0].content"),
            *(({"max_tokens": n}, "max_tokens") for n in (0, -1, 1.5, "9", 1e12)),
            ({"max_tokens": 5, "max_completion_tokens": 6}, "max_tokens"),
            *(({"temperature": t}, "temperature") for t in (-1, 3, "hot")),
            ({"n": 0}, "n"), ({"n": 9}, "n"),
            ({"stop": ["a"] * 5}, "stop"), ({"stop": ""}, "stop"), ({"stop": "x" * 257}, "stop"),
            ({"seed": -1}, "seed"), ({"seed": 2**64}, "seed"),
            ({"diffusion": {"steps": 0}}, "diffusion.steps"),
        ]
        for members, param in rows:
            with self.subTest(members):
                self.refused(self.server.post(CHAT_PATH, chat(**members)), 400, "invalid_value", param)
        self.refused(self.server.post(CHAT_PATH, chat(messages=image)), 400, "unsupported_parameter",
                     "messages[0].content[0].type", "images")
        for name in ("audio", "web_search_options", "functions"):
            self.refused(self.server.post(CHAT_PATH, chat(**{name: {"x": 1}})), 400, "unsupported_parameter", name)
        self.assertEqual(self.server.post(CHAT_PATH, chat(temperature=None, n=None)).status, 200)

    def test_diffusion_names_what_is_wrong(self):
        refused = lambda body, *rest: self.refused(self.server.post(CHAT_PATH, body), 400, *rest)  # noqa: E731
        refused(diffusion(stepz=3), "unknown_parameter", "diffusion.stepz", "steps")
        refused(diffusion(method="magic"), "invalid_value", "diffusion", "fast-dllm")
        refused(diffusion(method="fast-dllm:x=1"), "invalid_value", "diffusion", "x")
        refused(diffusion(algorithm="best"), "invalid_value", "diffusion", "low_confidence")
        refused(diffusion(preset="best"), "invalid_value", "diffusion.preset", "balanced")

    def test_what_does_not_fit(self):
        long = [{"role": "user", "content": "word " * 5000}]
        reply = self.server.post(CHAT_PATH, chat(messages=long))
        self.refused(reply, 400, "context_length_exceeded", "max_tokens", "expected at most 4096 together")
        self.assertRegex(reply.error["message"], r"found \d{4,} tokens")
        self.assertEqual(self.server.post(CHAT_PATH, chat(max_tokens=100_000)).status, 400)

    def test_models(self):
        self.refused(self.server.post(CHAT_PATH, chat(model="gpt-9")), 404, "model_not_found", "model")
        for name in ("demo", "default", "", None):
            self.assertEqual(self.server.post(CHAT_PATH, chat(model=name)).status, 200, name)

    def test_answers_carry_what_clients_read(self):
        reply = self.server.post(CHAT_PATH, chat(unknown={"a": 1}, user="me", min_p=0.1)).json
        self.assertEqual((reply["object"], reply["model"]), ("chat.completion", "demo"))
        self.assertRegex(reply["id"], "^chatcmpl-[0-9a-f]{16}$")
        [choice] = reply["choices"]
        self.assertEqual(choice["message"], {"role": "assistant", "content": ANSWER, "refusal": None})
        self.assertEqual((choice["index"], choice["finish_reason"], choice["logprobs"]), (0, "stop", None))
        usage = reply["usage"]
        self.assertEqual(usage["total_tokens"], usage["prompt_tokens"] + usage["completion_tokens"])
        self.assertEqual(reply["diffusion"]["ignored"], ["min_p"])
        self.assertEqual(reply["diffusion"]["seed"], 1)
        self.assertGreater(reply["diffusion"]["forward_passes"], 0)

    def test_lengths_stops_and_choices(self):
        cut = self.server.post(CHAT_PATH, chat(max_tokens=3)).json
        self.assertEqual((cut["choices"][0]["finish_reason"], cut["usage"]["completion_tokens"]), ("length", 3))
        self.assertTrue(ANSWER.startswith(cut["choices"][0]["message"]["content"]))
        for stop, text in ((": 4", "brave otter"), (["zebra", "otter"], "brave "), ("brave", "")):
            [choice] = self.server.post(CHAT_PATH, chat(stop=stop)).json["choices"]
            self.assertEqual((choice["message"]["content"], choice["finish_reason"]), (text, "stop"))
        many = self.server.post(CHAT_PATH, chat(n=3, temperature=1.5)).json
        self.assertEqual([c["index"] for c in many["choices"]], [0, 1, 2])
        again = self.server.post(CHAT_PATH, chat(n=3, temperature=1.5)).json
        self.assertEqual(many["choices"], again["choices"])
        alone = self.server.post(CHAT_PATH, chat(temperature=1.5)).json
        self.assertEqual(alone["choices"], many["choices"][:1])


class Completions(Served):
    def ask(self, **members):
        reply = self.server.post(TEXT_PATH, {"prompt": "Hello", "seed": 1, **members})
        self.assertEqual(reply.status, 200, reply.text)
        return reply.json

    def test_prompts_in_every_form(self):
        tokens = self.server.post("/tokenize", {"content": "Hello", "add_special": True}).json["tokens"]
        text = self.ask()["choices"][0]["text"]
        self.assertEqual(self.ask(prompt=tokens)["choices"][0]["text"], text)
        both = self.ask(prompt=["Hello", "The fox"])["choices"]
        self.assertEqual([c["index"] for c in both], [0, 1])
        self.assertEqual(both[0]["text"], text)
        self.assertEqual(self.ask(prompt=[tokens, tokens])["choices"][1]["text"], text)
        four = self.ask(prompt=["Hello", "The fox"], n=2, temperature=1)["choices"]
        self.assertEqual([c["index"] for c in four], [0, 1, 2, 3])

    def test_defaults_and_echo(self):
        full = {"diffusion": {"suppress_eos": True}}
        reply = self.ask(**full)
        self.assertEqual((reply["object"], reply["usage"]["completion_tokens"]), ("text_completion", 16))
        echoed = self.ask(echo=True, **full)["choices"][0]["text"]
        self.assertEqual(echoed, "Hello" + reply["choices"][0]["text"])

    def test_suffix_and_holes(self):
        fill = {"max_tokens": 6, "suffix": " in the morning."}
        plain = self.ask(**fill)
        self.assertTrue(1 <= plain["usage"]["completion_tokens"] <= 6)
        echoed = self.ask(echo=True, **fill)["choices"][0]["text"]
        self.assertEqual(echoed, "Hello" + plain["choices"][0]["text"])
        holes = self.ask(prompt="The {{mask:3}} fox is {{mask:2}}.", diffusion={"holes": True})
        self.assertRegex(holes["choices"][0]["text"], r"^The .* fox is .*\.$")
        # OpenAI's clients in editors send a token's name where there is no suffix.
        self.assertEqual(self.ask(suffix="")["choices"], self.ask()["choices"])

    def test_refusals(self):
        refused = lambda param, code="invalid_value", **members: self.refused(  # noqa: E731
            self.server.post(TEXT_PATH, {"prompt": "x", **members}), 400, code, param)
        for tokens in ([-1], [2048], [10**18]):
            refused("prompt", prompt=tokens)
        refused("prompt", prompt=["x"] * 65)
        refused("prompt", prompt=None)
        refused("best_of", "unsupported_parameter", best_of=2)
        refused("diffusion", prompt="no hole", diffusion={"holes": True})
        refused("prompt", prompt=[1, 2], suffix="x")


class SmallPaths(Served):
    OPTIONS = ("--alias", "llada", "--name", "tiny")

    def test_models(self):
        [model] = self.server.get("/v1/models").json["data"]
        self.assertEqual((model["id"], model["object"], model["owned_by"]), ("tiny", "model", "unmask"))
        self.assertEqual(model["meta"]["n_vocab"], 2048)
        self.assertEqual(self.server.post(CHAT_PATH, chat(model="llada")).json["model"], "tiny")

    def test_props(self):
        props = self.server.get("/props").json
        self.assertEqual(props["default_generation_settings"]["n_ctx"], 4096)
        self.assertEqual((props["total_slots"], "<|eot_id|>" in props["chat_template"]), (8, True))
        self.assertIn("fast-dllm", props["diffusion"]["methods"])
        self.assertNotIn("/", props["model_path"])

    def test_tokens_and_back(self):
        for text in ("Hello there", "", "gr\u00fc\u00df \U0001f333", "<|eot_id|>"):
            tokens = self.server.post("/tokenize", {"content": text}).json["tokens"]
            self.assertEqual(self.server.post("/detokenize", {"tokens": tokens}).json["content"], text)
        pieces = self.server.post("/tokenize", {"content": "a \U0001f333", "with_pieces": True}).json["tokens"]
        whole = b"".join(p["piece"].encode() if isinstance(p["piece"], str) else bytes(p["piece"]) for p in pieces)
        self.assertEqual(whole.decode(), "a \U0001f333")
        one = self.server.post("/tokenize", {"content": "<|eot_id|>"}).json["tokens"]
        many = self.server.post("/tokenize", {"content": "<|eot_id|>", "parse_special": False}).json["tokens"]
        self.assertEqual(len(one), 1)
        self.assertGreater(len(many), 1)
        self.refused(self.server.post("/tokenize", {}), 400, "invalid_value", "content")
        self.refused(self.server.post("/detokenize", {"tokens": [5000]}), 400, "invalid_value", "tokens")

    def test_templates(self):
        prompt = self.server.post("/apply-template", {"messages": CHAT["messages"]}).json["prompt"]
        self.assertIn(QUESTION, prompt)
        self.assertIn("<|start_header_id|>assistant", prompt)
        for kwargs, param in (([], "chat_template_kwargs"), ({"messages": []}, "messages")):
            body = {"messages": CHAT["messages"], "chat_template_kwargs": kwargs}
            self.refused(self.server.post("/apply-template", body), 400, "invalid_value", param)

    def test_metrics_hold_nothing_of_clients(self):
        self.server.get("/secret-path")
        text = self.server.get("/metrics").text
        self.assertIn('unmask_requests_total{code="404",endpoint="other"}', text)
        self.assertIn("unmask_rows_per_step_count", text)
        for word in ("otter", "secret", str(ROOT.resolve())):
            self.assertNotIn(word, text)

    def test_health_page_and_head(self):
        self.assertEqual(self.server.get("/health").json, {"status": "ok"})
        page = self.server.get("/")
        self.assertIn("default-src 'none'", page.headers["content-security-policy"])
        again = self.server.get("/", If_None_Match=page.headers["etag"])
        self.assertEqual((again.status, again.body), (304, b""))
        for path in ("/", "/health", "/v1/models", "/props", "/metrics"):
            head = self.server.ask("HEAD", path)
            self.assertEqual((head.status, head.body), (200, b""), path)
            self.assertGreater(int(head.headers["content-length"]), 0, path)

    def test_wrong_methods_and_paths(self):
        reply = self.server.ask("PUT", "/v1/models", {})
        self.refused(reply, 405, "method_not_allowed")
        self.assertEqual(reply.headers["allow"], "GET, HEAD, OPTIONS")
        self.assertEqual(self.server.get(CHAT_PATH).headers["allow"], "POST, OPTIONS")
        for path, words in (("/v1/responses", "/v1/chat/completions"), ("/v1/messages", "/v1/chat/completions"),
                            ("/api/chat", "/v1/chat/completions"), ("/v1/embeddings", "no such output")):
            self.refused(self.server.post(path, {}), 404, "not_found", words=words)
        for path in ("/../../etc/passwd", "/%2e%2e/", "/%00", "/v1/../health", "//"):
            self.refused(self.server.get(path), 404, "not_found")


def main() -> None:
    global PROGRAM, ROOT
    PROGRAM, ROOT = sys.argv[1], pathlib.Path(sys.argv[2])
    unittest.main(argv=sys.argv[:1])


if __name__ == "__main__":
    main()
