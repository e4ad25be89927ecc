#!/usr/bin/env python3
"""Answers of a given form from `unmask serve`: schemas, calls of functions, decisions, scores, and what is refused
there: answers_test.py PROGRAM ROOT."""

import json
import pathlib
import sys
import threading
import time
import unittest

from harness import CHAT, LONG, Server, text_of

PROGRAM = ""
ROOT = pathlib.Path()
CHAT_PATH = "/v1/chat/completions"
SCHEMA = {"type": "object", "required": ["name", "code"], "additionalProperties": False,
          "properties": {"name": {"type": "string", "maxLength": 12}, "code": {"type": "integer"}}}
ALPHABET = [{"value": letter} for letter in "abcdefgh"]


def formed(schema, **members) -> dict:
    wanted = {"type": "json_schema", "json_schema": {"name": "x", "schema": schema}}
    return {**CHAT, "response_format": wanted, **members}


def function(name: str, parameters=SCHEMA) -> dict:
    return {"type": "function", "function": {"name": name, "parameters": parameters}}


def question(kind: str, **members) -> dict:
    return {"type": kind, "instructions": "Is the fox calm?", **members}


class Answers(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = Server(PROGRAM, ROOT)
        cls.addClassCleanup(cls.server.__exit__, None)

    def post(self, path: str, body: dict):
        reply = self.server.post(path, body)
        self.assertEqual(reply.status, 200, reply.text)
        return reply.json

    def refused(self, path: str, body: dict, param: str, code: str = "invalid_value", words: str = ""):
        reply = self.server.post(path, body)
        self.assertEqual(reply.status, 400, reply.text)
        self.assertEqual((reply.error["param"], reply.error["code"]), (param, code), reply.text)
        self.assertIn(words, reply.error["message"])


class Schemas(Answers):
    def test_whole_and_streamed_answers_satisfy_them(self):
        for seed in range(5):
            body = formed(SCHEMA, seed=seed, temperature=1, max_tokens=48)
            text = self.post(CHAT_PATH, body)["choices"][0]["message"]["content"]
            value = json.loads(text)
            self.assertEqual(list(value), ["name", "code"])
            self.assertLessEqual(len(value["name"]), 12)
            self.assertIsInstance(value["code"], int)
            self.assertEqual(text_of(self.server.stream(CHAT_PATH, body).rest()), text)
        free = self.post(CHAT_PATH, {**CHAT, "response_format": {"type": "json_object"}, "max_tokens": 64})
        self.assertIsInstance(json.loads(free["choices"][0]["message"]["content"]), dict)
        self.assertEqual(self.post(CHAT_PATH, {**CHAT, "response_format": {"type": "text"}})["choices"],
                         self.post(CHAT_PATH, CHAT)["choices"])

    def test_what_cannot_be_promised(self):
        place = "response_format.json_schema.schema"
        refused = lambda schema, at, words: self.refused(  # noqa: E731
            CHAT_PATH, formed(schema), place + at, "unsupported_schema", words)
        refused({"$ref": "#/$defs/a", "$defs": {"a": {"$ref": "#/$defs/a"}}}, "/$defs/a/$ref", "cycle")
        refused({"properties": {"a": {"not": {}}}, "type": "object"}, "/properties/a/not", "unsupported keyword")
        refused({"enum": list(range(10_000))}, "/enum", "10000 values")
        self.refused(CHAT_PATH, formed({"type": "string", "minLength": 60, "maxLength": 64}, max_tokens=3),
                     "max_tokens", words="found 3 tokens, expected at least")

    def test_a_pattern_that_loops_costs_nothing(self):
        begin = time.monotonic()
        reply = self.server.post(CHAT_PATH, formed({"type": "string", "pattern": "(a+)+$"}, max_tokens=16))
        self.assertIn(reply.status, (200, 400))
        self.assertLess(time.monotonic() - begin, 10)


class Tools(Answers):
    def test_a_call_that_can_be_read(self):
        for choice in ("required", {"type": "function", "function": {"name": "look_up"}}):
            body = {**CHAT, "tools": [function("look_up")], "tool_choice": choice}
            [answer] = self.post(CHAT_PATH, body)["choices"]
            self.assertEqual((answer["finish_reason"], answer["message"]["content"]), ("tool_calls", None))
            [call] = answer["message"]["tool_calls"]
            self.assertEqual((call["type"], call["function"]["name"]), ("function", "look_up"))
            self.assertEqual(list(json.loads(call["function"]["arguments"])), ["name", "code"])
        body = {**CHAT, "tools": [function("look_up")], "tool_choice": "none"}
        self.assertEqual(self.post(CHAT_PATH, body)["choices"], self.post(CHAT_PATH, CHAT)["choices"])

    def test_what_is_refused(self):
        refused = lambda param, **members: self.refused(CHAT_PATH, {**CHAT, **members}, param)  # noqa: E731
        refused("tools[1].function.name", tools=[function("a"), function("a")], tool_choice="required")
        refused("tools[0].function.name", tools=[function("a b")], tool_choice="required")
        refused("tool_choice.function.name", tools=[function("a")],
                tool_choice={"type": "function", "function": {"name": "b"}})


class Decisions(Answers):
    def ask(self, *questions: dict, **members) -> list[dict]:
        body = {"input": "The fox is calm.", "questions": list(questions), **members}
        return self.post("/v1/decisions", body)["answers"]

    def test_probabilities(self):
        predicate, choice, score = self.ask(
            question("predicate", name="p"), question("choice", choices=ALPHABET),
            question("score", levels=[{"label": label} for label in ("low", "middle", "high")]))
        self.assertEqual((predicate["type"], predicate["name"]), ("predicate", "p"))
        self.assertTrue(0 <= predicate["probability"] <= 1)
        for answer in (choice, score):
            self.assertAlmostEqual(sum(p["probability"] for p in answer["probabilities"]), 1, places=5)
            self.assertTrue(0 <= answer["confidence"] <= 1)
        best = max(choice["probabilities"], key=lambda p: p["probability"])
        self.assertEqual(choice["choice"], best["value"])
        self.assertEqual([p["value"] for p in score["probabilities"]], [0, 1, 2])

    def test_an_answer_does_not_depend_on_its_neighbours(self):
        alone = self.ask(question("choice", choices=ALPHABET))
        among = self.ask(question("predicate"), question("choice", choices=ALPHABET), question("predicate"))
        self.assertEqual(among[1], alone[0])
        running = self.server.stream(CHAT_PATH, LONG)
        self.server.wait_metric("unmask_requests_running", lambda n: n == 1)
        self.assertEqual(self.ask(question("choice", choices=ALPHABET)), alone)
        running.close()

    def test_systemone(self):
        body = {"state": {"animal": "fox"}, "questions": {
            "calm": {"type": "noul", "instructions": "Is it calm?"},
            "kind": {"type": "choice", "instructions": "Which?", "criteria": {"fox": "red", "otter": None}},
            "size": {"type": "score", "instructions": "How large?", "criteria": ["small", "large"]}}}
        answers = self.post("/v1/systemone", body)["answers"]
        self.assertEqual(list(answers), ["calm", "kind", "size"])
        self.assertTrue(0 <= answers["calm"]["noul"] <= 1)
        self.assertEqual(set(answers["kind"]["probabilities"]), {"fox", "otter"})
        self.assertEqual(answers["size"]["legend"], {"0": "small", "1": "large"})

    def test_what_is_refused(self):
        refused = lambda param, *questions, **members: self.refused(  # noqa: E731
            "/v1/decisions", {"input": "x", "questions": list(questions), **members}, param)
        most = self.server.get("/props").json["decisions"]["max_choices"]
        refused("questions")
        refused("questions", *[question("predicate")] * 65)
        refused("questions[0].choices", question("choice", choices=ALPHABET[:1]))
        refused("questions[0].choices", question("choice", choices=[{"value": str(i)} for i in range(most + 1)]))
        refused("questions[0].choices[1]", question("choice", choices=ALPHABET[:1] * 2))
        refused("questions[0].levels", question("score", levels=[{"label": str(i)} for i in range(11)]))
        image = [{"role": "user", "content": [{"type": "input_image"}]}]
        self.refused("/v1/decisions", {"input": image, "questions": [question("predicate")]},
                     "input[0].content[0].type", "unsupported_parameter")
        for kind, param in (("x", "questions.q.type"), ("choice", "questions.q.criteria")):
            body = {"state": "x", "questions": {"q": {"type": kind, "instructions": "y"}}}
            self.refused("/v1/systemone", body, param)


class Scores(Answers):
    def test_one_token_is_exact_and_more_are_estimated(self):
        tokens = self.server.post("/tokenize", {"content": "The fox is calm"}).json["tokens"]
        body = {"context": tokens[:-1], "continuation": [tokens[-1:], tokens[-3:]], "samples": 16, "seed": 3}
        first = self.post("/v1/score", body)["results"]
        self.assertEqual([(r["tokens"], r["exact"]) for r in first], [(1, True), (3, False)])
        self.assertEqual(self.post("/v1/score", body)["results"], first)
        self.assertTrue(all(r["log_likelihood"] < 0 for r in first))

    def test_a_server_that_ends_does_not_wait_for_the_last_sample(self):
        with Server(PROGRAM, ROOT, "--grace", "1") as server:
            body = {"context": "The fox " * 400, "continuation": " is calm" * 60, "samples": 1024}
            replies = []
            asking = threading.Thread(target=lambda: replies.append(server.post("/v1/score", body)))
            asking.start()
            server.wait_metric("unmask_requests_running", lambda n: n == 1)
            begin = time.monotonic()
            self.assertEqual(server.stop(), 0)
            asking.join()
        self.assertLess(time.monotonic() - begin, 30)
        self.assertEqual((replies[0].status, replies[0].error["code"]), (503, "shutting_down"))


def main() -> None:
    global PROGRAM, ROOT
    PROGRAM, ROOT = sys.argv[1], pathlib.Path(sys.argv[2])
    unittest.main(argv=sys.argv[:1])


if __name__ == "__main__":
    main()
