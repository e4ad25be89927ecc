"""tools/train_demo: generator, tokenizer, schedule and scores, without torch."""

import collections
import json
import pathlib
import sys
import tempfile
import unittest
from random import Random

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools" / "train_demo"))
import batches  # noqa: E402  (these are found through the path above)
import bpe  # noqa: E402
import evaluate  # noqa: E402
import plan  # noqa: E402
import tasks  # noqa: E402
import train_tokenizer  # noqa: E402
from examples import Builder  # noqa: E402

MODEL = ROOT / "models" / "demo"
PLAN = ROOT / "tools" / "train_demo" / "plan.json"


class TokenizerTest(unittest.TestCase):
    def test_merges_the_most_frequent_pairs_first(self):
        self.assertEqual(bpe.train({"abab": 3, "bc": 4}, 2), [("a", "b"), ("b", "c")])
        self.assertEqual(bpe.train({"abab": 3}, 9), [("a", "b"), ("ab", "ab")])

    def test_encodes_by_rank_and_decodes(self):
        tokenizer = bpe.Tokenizer([("b", "c"), ("a", "b"), ("a", "bc")])
        symbols = {i: symbol for symbol, i in tokenizer.vocabulary.items()}
        self.assertEqual([symbols[i] for i in tokenizer.encode("abcab")], ["abc", "ab"])
        self.assertEqual(tokenizer.decode([tokenizer.bos, *tokenizer.encode("d\u00e9 7"),
                                           tokenizer.eot]), "d\u00e9 7")

    def test_knows_the_words_of_the_shipped_model(self):
        tokenizer = bpe.Tokenizer.load(MODEL / "tokenizer.json")
        self.assertEqual(tokenizer.mask, 2042)
        self.assertEqual([tokenizer.decode([i]) for i in tokenizer.encode(" brave otter: 48")],
                         [" brave", " otter", ":", " ", "4", "8"])

    def test_a_trained_file_loads_again(self):
        merges = bpe.train(train_tokenizer.word_counts(5, seed=0), 300)
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "tokenizer.json"
            content = train_tokenizer.tokenizer_json(bpe.Tokenizer(merges))
            path.write_text(json.dumps(content), encoding="utf-8")
            self.assertEqual(bpe.Tokenizer.load(path).merges, merges)

    def test_rejects_a_vocabulary_that_is_not_of_its_merges(self):
        content = train_tokenizer.tokenizer_json(bpe.Tokenizer([("a", "b")]))
        content["model"]["vocab"] = {"a": 0}
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "tokenizer.json"
            path.write_text(json.dumps(content), encoding="utf-8")
            with self.assertRaisesRegex(ValueError, "does not follow"):
                bpe.Tokenizer.load(path)


class TasksTest(unittest.TestCase):
    def test_answers_hold_what_scoring_expects(self):
        r = Random(3)
        for name, make in tasks.TASKS.items():
            for room in (2, 8, 40):
                task = make(r, room)
                for text in task.expected:
                    self.assertIn(text, task.answer, name)

    def test_facts_hold_the_answer(self):
        r = Random(4)
        for name in ("single", "multikey", "multiquery", "multivalue", "people", "two_facts",
                     "moves"):
            task = tasks.TASKS[name](r, 12)
            for text in task.expected:
                self.assertTrue(any(text in fact for fact in task.facts), name)

    def test_chains_lead_from_the_value_to_the_last_variable(self):
        r = Random(5)
        for _ in range(50):
            task = tasks.tracking(r, 30)
            reached = {task.question.removesuffix("?").rsplit(" ", 1)[1]}
            for fact in task.facts:
                name, held = fact.removeprefix("Set ").removesuffix(".").split(" = ")
                if held in reached:
                    reached.add(name)
            self.assertLessEqual(set(task.expected), reached)

    def test_moves_expect_the_last_room(self):
        task = tasks.moves(Random(6), 12)
        name = task.question.split(" ")[2]
        last = [fact for fact in task.facts if fact.startswith(name + " ")][-1]
        self.assertEqual(last, task.answer)


class ExamplesTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.tokenizer = bpe.Tokenizer.load(MODEL / "tokenizer.json")
        cls.builder = Builder(cls.tokenizer)
        cls.phases = plan.load(PLAN)

    def test_chats_have_exactly_the_asked_length(self):
        r = Random(7)
        for name in tasks.TASKS:
            example = next(e for e in iter(lambda: self.builder.chat(r, name, 256, 64), 0) if e)
            self.assertEqual(len(example.ids), 256)
            self.assertEqual(example.prompt, 192)
            answer = example.ids[192:192 + example.answer_tokens]
            self.assertEqual(answer, [*self.tokenizer.encode(example.answer), self.tokenizer.eot])
            self.assertEqual(set(example.ids[192 + example.answer_tokens:]), {self.tokenizer.eos})

    def test_the_text_alone_gives_the_same_tokens(self):
        example = next(e for e in iter(
            lambda: self.builder.chat(Random(8), "multikey", 512, 32), 0) if e)
        inner = self.tokenizer.encode(example.user)
        self.assertIn(str(inner)[1:-1], str(example.ids[:example.prompt]))

    def test_phrases_come_twice_and_are_masked_in_the_second_copy(self):
        ids, masked = self.builder.phrases(Random(9), 128)
        half = (128 - 2) // 2
        self.assertEqual(len(ids), 128)
        self.assertFalse(any(masked[:1 + half]))
        self.assertTrue(any(masked))
        self.assertEqual(collections.Counter(ids[1:1 + half]),
                         collections.Counter(ids[1 + half:1 + 2 * half]))

    def test_micro_batches_follow_from_the_seed(self):
        for phase in self.phases:
            one, same, other = (batches.micro_batch(self.builder, phase, seed, 5, 1)
                                for seed in (0, 0, 1))
            self.assertEqual(one, same)
            self.assertNotEqual(one, other)

    def test_micro_batches_mask_only_their_tail(self):
        for index in range(30):
            batch = batches.micro_batch(self.builder, self.phases[-1], 0, 1, index)
            for s in batch.sequences:
                self.assertEqual({len(s.ids), len(s.masked), len(s.weights), len(s.positions)},
                                 {batch.length})
                self.assertTrue(any(s.masked))
                self.assertFalse(any(s.masked[:batch.length - batch.tail]))
                self.assertEqual(s.positions, sorted(set(s.positions)))
                self.assertLess(s.positions[-1], batches.LONGEST_RANGE)


class PlanTest(unittest.TestCase):
    def phases(self):
        common = {"lengths": {128: 1.0}, "tasks": {"single": 1.0}, "phrases": 0.0,
                  "documents": 0.0, "micro_batches": 4}
        return [plan.Phase(until=1, rate=1e-3, **common), plan.Phase(until=3, rate=0.0, **common)]

    def test_phases_end_at_their_tokens(self):
        phases = self.phases()
        self.assertIs(plan.phase_at(phases, 999_999), phases[0])
        self.assertIs(plan.phase_at(phases, 1_000_000), phases[1])
        self.assertIsNone(plan.phase_at(phases, 3_000_000))

    def test_rates_are_lines_between_the_phases(self):
        phases = self.phases()
        self.assertAlmostEqual(plan.rate_at(phases, 500_000), 1e-3)
        self.assertAlmostEqual(plan.rate_at(phases, 2_000_000), 0.5e-3)

    def test_the_shipped_plan_goes_from_short_to_long(self):
        phases = plan.load(PLAN)
        self.assertEqual([p.until for p in phases], sorted(p.until for p in phases))
        self.assertEqual(max(phases[-1].lengths), 4096)
        for phase in phases:
            self.assertLessEqual(set(phase.tasks), set(tasks.TASKS))


class ScoreTest(unittest.TestCase):
    def test_counts_strings_and_whole_answers(self):
        results = [{"expected": ["4821", "river"], "text": "brave otter: 4821, calm fox: cliff"},
                   {"expected": ["snow"], "text": "snow"}]
        found, whole = evaluate.score(results)
        self.assertAlmostEqual(found, 2 / 3)
        self.assertAlmostEqual(whole, 1 / 2)


if __name__ == "__main__":
    unittest.main()
