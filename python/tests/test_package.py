"""The parts around the model: types, evaluation, plots, and what mypy says."""

import ast
import importlib
import os
import pathlib
import subprocess
import sys

import pytest
from conftest import ANSWER, QUESTION, ROOT

import unmask

PACKAGE = pathlib.Path(unmask.__file__).parent


def test_the_stub_has_what_the_module_has():
    stub = ast.parse((PACKAGE / "_unmask.pyi").read_text(encoding="utf-8"))
    module = unmask._unmask
    public = {name for name in vars(module) if not name.startswith("_")}
    described = {node.name: node for node in stub.body if isinstance(node, (ast.ClassDef, ast.FunctionDef))}
    assert public == set(described)
    for name, node in described.items():
        if not isinstance(node, ast.ClassDef) or name in ("Error", "Cancelled", "ErrorCode"):
            continue
        members = {m.name for m in node.body if isinstance(m, ast.FunctionDef)} - {"__init__"}
        real = {m for m in vars(getattr(module, name)) if not m.startswith("_")}
        assert real == members, name


def test_everything_public_is_documented():
    for name in unmask.__all__:
        if not name.startswith("__"):
            assert getattr(unmask, name).__doc__, name
    for name, member in vars(unmask.Model).items():
        if not name.startswith("_"):
            assert member.__doc__, name


def test_types_are_sound(tmp_path):
    pytest.importorskip("mypy")
    user = tmp_path / "user.py"
    user.write_text("import unmask\n"
                    "model = unmask.Model('m', dtype='int8')\n"
                    "text: str = model.generate('q', gen_length=3).text\n"
                    "for event in model.stream('q'):\n"
                    "    step: int = event.step\n"
                    "wrong: int = model.generate('q').text\n", encoding="utf-8")
    config = pathlib.Path(__file__).with_name("mypy.ini")
    command = [sys.executable, "-m", "mypy", "--config-file", config, "--cache-dir",
               os.environ.get("UNMASK_MYPY_CACHE", str(tmp_path)), PACKAGE, user]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    complaints = [line for line in result.stdout.splitlines() if ": error:" in line]
    assert len(complaints) == 1, result.stdout + result.stderr  # the one that was planted
    assert "user.py:6" in complaints[0]


@pytest.fixture
def harness(monkeypatch):
    monkeypatch.syspath_prepend(str(pathlib.Path(__file__).with_name("stubs")))
    yield importlib.import_module("unmask.lm_eval")
    for name in [name for name in sys.modules if name.split(".")[0] == "lm_eval"]:
        del sys.modules[name]
    sys.modules.pop("unmask.lm_eval", None)


class Instance:
    """A request of the harness."""

    def __init__(self, *args):
        self.args = args


def test_the_harness_asks_for_likelihoods(harness, model):
    lm = harness.UnmaskLM(model, samples=16, chat=True)
    right, wrong = lm.loglikelihood([Instance(QUESTION, ANSWER), Instance(QUESTION, "brave otter: 7935")])
    assert right[0] > wrong[0]
    assert right[1] and not wrong[1]
    assert right[0] == pytest.approx(model.score(QUESTION, ANSWER, samples=16).log_likelihood)
    # The space before a continuation is part of it, on whichever side it stands.
    assert lm._loglikelihood("The code ", "of") == lm._loglikelihood("The code", " of")
    with pytest.raises(NotImplementedError):
        lm.loglikelihood_rolling([Instance("text")])


def test_the_harness_asks_for_texts(harness, model):
    from lm_eval.api.registry import MODELS  # the stub's

    lm = MODELS["unmask"](path=str(ROOT / "models" / "demo"), chat=True, gen_preset="fast", threads=1,
                          batch_size=1)
    texts = lm.generate_until([Instance(QUESTION, {"until": [":"], "max_gen_toks": 32}),
                               Instance(QUESTION, {"until": [], "max_gen_toks": 32})])
    assert texts == ["brave otter", ANSWER]


def test_steps_become_numbers_to_draw(model):
    from unmask import plot

    events = list(model.stream(QUESTION, preset="exact", gen_length=16, early_stop=False))
    steps = plot.step_of(events)
    assert sorted(steps[-16:]) == list(range(16))
    assert (steps[:-16] == plot.OPEN).all()
    assert len(plot.step_of([])) == 0


def test_pictures_are_drawn(model, tmp_path):
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("Agg")
    from unmask import plot

    events = list(model.stream(QUESTION, preset="exact", gen_length=16))
    for axes in (plot.order(events), plot.confidence(events), plot.blocks(events),
                 plot.work(model.explain(QUESTION)), plot.block_pattern([[1, 0], [1, 1]])):
        file = tmp_path / "picture.png"
        axes.figure.savefig(file)
        assert file.stat().st_size > 1000
