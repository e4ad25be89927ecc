"""Loading, generating, filling, scoring, deciding."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest
from conftest import ANSWER, DEMO, QUESTION

import unmask

PROGRAM = os.environ.get("UNMASK_PROGRAM")


def test_answers_a_question(model):
    result = model.generate(QUESTION)
    assert str(result) == result.text == ANSWER
    assert result.finish == "stop"
    begin, end = result.answer
    assert model.decode(result.tokens[begin:end], skip_special=True) == ANSWER


@pytest.mark.skipif(PROGRAM is None, reason="UNMASK_PROGRAM names no program")
@pytest.mark.parametrize("options", [{}, {"preset": "exact", "gen_length": 32}, {"method": "sparsed"},
                                     {"temperature": 1.0, "seed": 5, "preset": "fast"}])
def test_says_what_the_command_line_says(options):
    flags = [text for name, value in options.items()
             for text in (f"--{name.replace('_', '-')}", str(value))]
    printed = subprocess.run([PROGRAM, "run", "-m", DEMO, "-p", QUESTION, *flags], check=True,
                             capture_output=True, text=True).stdout
    assert f"{unmask.Model(DEMO).generate(QUESTION, **options)}\n" == printed


def test_tells_what_it_is(model):
    info = model.info
    assert (info.name, info.family, info.device, info.threads) == ("demo", "LLaDA", "cpu", 2)
    assert "models/demo" in repr(model)


def test_prompts_are_left_to_later_requests():
    model = unmask.Model(DEMO, threads=2, prefix_cache=0.1)
    prompt = "It was late. Rain fell. " * 60 + QUESTION
    first, again = (model.generate(prompt, gen_length=32, method="fast-dllm:cache=dual,prompt_chunk=64")
                    for _ in range(2))
    assert first.cached_tokens == 0 < again.cached_tokens
    assert np.array_equal(first.tokens, again.tokens)


def test_models_come_by_name_from_a_cache(tmp_path):
    snapshot = tmp_path / "models--me--demo" / "snapshots" / "0"
    snapshot.parent.mkdir(parents=True)
    snapshot.symlink_to(DEMO)
    script = "import unmask; print(unmask.cached_models(), unmask.Model('me/demo').info.name)"
    environment = {**os.environ, "HF_HUB_CACHE": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path)}
    printed = subprocess.run([sys.executable, "-c", script], env=environment, check=True,
                             capture_output=True, text=True).stdout
    assert printed == "['me/demo'] me/demo\n"


def test_prompts_are_texts_conversations_or_tokens(model):
    text = model.prepare(QUESTION)
    chat = [{"role": "user", "content": QUESTION}]
    assert (model.prepare(chat).tokens == text.tokens).all()
    tokens = model.encode(model.chat_text(chat))
    assert tokens.dtype == np.int32
    for same in (tokens, tokens.tolist(), tokens.astype(np.int64)):
        assert (model.prepare(same).tokens == text.tokens).all()
    assert model.generate(text).text == ANSWER
    with pytest.raises(TypeError, match="prepared already"):
        model.generate(text, gen_length=3)


def test_options_are_those_of_the_command_line(model):
    request = model.prepare(QUESTION, gen_length=20, block_length=32, early_stop=False, top_p=None)
    assert request.block_length == 20
    assert "20 tokens instead of 32" in request.notes[0]
    assert request.method == "fast-dllm:cache=dual,refresh=window"
    assert set(unmask.option_names()) >= {"gen_length", "preset", "method", "json_schema"}
    for wrong in ({"gen_lenght": 3}, {"gen_length": "many"}, {"preset": "wild"}, {"method": "magic"}):
        with pytest.raises(unmask.Error) as caught:
            model.prepare(QUESTION, **wrong)
        assert caught.value.code == unmask.ErrorCode.INVALID


def test_answers_satisfy_a_schema(model):
    schema = {"type": "object", "properties": {"code": {"type": "integer"}}, "required": ["code"]}
    assert list(json.loads(model.generate(QUESTION, json_schema=schema).text)) == ["code"]


def test_batches_keep_their_order(model):
    questions = [QUESTION, QUESTION.replace("4821", "7935"), [{"role": "user", "content": QUESTION}]]
    texts = [result.text for result in model.batch(questions, max_running=2, preset="fast")]
    assert texts == [ANSWER, "brave otter: 7935", ANSWER]
    assert model.batch([]) == []


def test_fills_holes(model):
    text = "The code of the brave otter is 4821. The code of the ___{2} is 4821."
    result = model.fill(text)
    assert "___" not in result.text and result.answer_tokens == 2
    assert model.fill("Yes, ___.", QUESTION).text.startswith("Yes,")


def test_explains(model):
    plan = model.explain(QUESTION, preset="exact", gen_length=16)
    assert len(plan.steps) == 16 and plan.rows > 0 and plan.steps[0].density == 1


def test_scores_texts_and_tokens(model):
    right = model.score(QUESTION, ANSWER, samples=16)
    wrong = model.score(QUESTION, "brave otter: 7935", samples=16)
    assert right.log_likelihood > wrong.log_likelihood
    request = model.prepare(QUESTION)
    tokens = model.score(request.tokens[:request.prompt_length], model.encode(ANSWER), samples=16)
    assert tokens.log_likelihood == right.log_likelihood
    with pytest.raises(TypeError):
        model.score(QUESTION, model.encode(ANSWER))


def test_decides(model):
    late, who, how = model.decide("It was late.", [
        "Is it late?", unmask.Question("Who?", choices=["otter", "owl"]),
        unmask.Question("How?", levels=["low", "mid", "high"])])
    for answer, options in ((late, 2), (who, 2), (how, 3)):
        assert len(answer.probabilities) == options
        assert answer.probabilities.sum() == pytest.approx(1)
    with pytest.raises(ValueError, match="not both"):
        model.decide("", [unmask.Question("?", choices=["a"], levels=["b"])])


def test_lists_methods_and_presets():
    assert [preset.name for preset in unmask.presets()] == ["exact", "balanced", "fast"]
    assert "skip" in unmask.method_options("sparsed")
    assert "sparsed" in unmask.methods()


def test_says_what_is_wrong_with_a_path():
    with pytest.raises(unmask.Error, match="no such directory"):
        unmask.Model("no/such/model")
    with pytest.raises(unmask.Error, match="f64"):
        unmask.Model(DEMO, dtype="f64")


def test_loading_is_watched_and_ended():
    shares = []
    unmask.Model(DEMO, progress=shares.append)
    assert shares == sorted(shares) and shares[-1] == 1
    with pytest.raises(unmask.Cancelled):
        unmask.Model(DEMO, progress=lambda share: False)
    with pytest.raises(ZeroDivisionError):
        unmask.Model(DEMO, progress=lambda share: 1 // 0)


def test_models_with_other_settings_do_not_disturb_each_other(model):
    alone = unmask.Model(DEMO, dtype="int8", threads=1).generate(QUESTION).tokens
    other = unmask.Model(DEMO, dtype="int8", threads=1)
    stream = model.stream(QUESTION, preset="exact", gen_length=8)
    for _ in stream:
        assert (other.generate(QUESTION).tokens == alone).all()
    assert (stream.result.tokens == model.generate(QUESTION, preset="exact", gen_length=8).tokens).all()
