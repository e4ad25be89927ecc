"""Diffusion language models on your own machine.

    >>> import unmask
    >>> model = unmask.Model("models/demo")
    >>> print(model.generate("Text: ... The code of the brave otter is 4821. ... Question: ..."))
    brave otter: 4821

Options of a request are keyword arguments under the names of the command line: preset, method, gen_length,
max_tokens, block_length, steps, tokens_per_step, algorithm, temperature, top_p, top_k, alg_temp, eps,
threshold, leap, leap_radius, credit, drafts, factor, edit, cfg_scale, seed, suppress_eos, defer_eos, attach_eos,
early_stop; raw, system, chat_template, template_options (a dictionary), json_schema (a text), json_object, hole, grow. What is not given follows
from the preset, then from the model. docs/library.md has the rest.

Any thread may use a model; what computes takes turns, without the interpreter's lock. Ctrl-C ends it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any, Iterator, Mapping, Sequence, Union

import numpy as np
import numpy.typing as npt

from . import _unmask
from ._unmask import (
    Answer,
    Cancelled,
    Engine,
    Error,
    ErrorCode,
    ModelInfo,
    Plan,
    PlannedStep,
    Preset,
    Request,
    Result,
    Score,
    StepEvent,
    __version__,
    cached_models,
    method_options,
    methods,
    option_names,
    presets,
)

__all__ = [
    "Answer", "Cancelled", "Engine", "Error", "ErrorCode", "Model", "ModelInfo", "Plan", "PlannedStep",
    "Preset", "Question", "Request", "Result", "Score", "StepEvent", "Stream", "__version__",
    "cached_models", "method_options", "methods", "option_names", "presets",
]

TokenArray = Union[npt.NDArray[np.int32], Sequence[int]]
Message = Mapping[str, str]
#: A question, a conversation, or tokens to go on with.
Prompt = Union[str, Sequence[Message], TokenArray, Request]


@dataclass(frozen=True)
class Question:
    """A question with a fixed set of answers: one of ``choices``, one of ``levels`` (in order, the lowest
    first), or without either yes and no."""

    text: str
    choices: Sequence[str] = field(default=())
    levels: Sequence[str] = field(default=())

    def _as_dict(self) -> dict[str, object]:
        if self.choices and self.levels:
            raise ValueError("a question has choices or levels, not both")
        asked: dict[str, object] = {"text": self.text}
        if self.choices:
            asked["choices"] = list(self.choices)
        if self.levels:
            asked["levels"] = list(self.levels)
        return asked


class Stream(Iterator[StepEvent]):
    """The steps of one request, each computed when it is asked for. Whoever stops asking has cancelled
    it; ``result`` is what there is then."""

    def __init__(self, model: _unmask.Model, request: Request) -> None:
        self._engine = Engine(model, max_running=1)
        self._id = self._engine.submit(request, events=True)
        self._result: Result | None = None
        #: What was made of the options.
        self.request = request

    def __next__(self) -> StepEvent:
        event = self._engine.next_event()
        if event is None:
            raise StopIteration
        return event

    @property
    def result(self) -> Result:
        """The result: of all steps after the last one, otherwise of those that were asked for, and
        nothing more is computed."""
        if self._result is None:
            if not self._engine.ended(self._id):
                self._engine.cancel(self._id)
                self._engine.run()
            self._result = self._engine.take(self._id)
        return self._result


class Model:
    """A model that is loaded: its files, and its weights on a device.

    ``path`` is a folder as the hub publishes it, a GGUF or packed file, or the ORG/NAME of what was
    downloaded. ``dtype`` is auto, f32, bf16, int8 or int4, ``device`` cpu, cuda or auto; ``threads`` 0 is
    one for each processor. ``lora`` has adapters, DIR or DIR:SCALE. What the files leave open: ``family``,
    ``mask_id``, ``eos_id``, ``model_block``, ``shift_logits``. ``prefix_cache`` has the gigabytes of keys and
    values that requests leave to later ones which begin alike (None: 0.5 with a block-causal model, 0 with
    others). ``progress`` hears of shares from 0 to 1; one that returns False ends loading (Cancelled).
    Raises Error, in one line, for everything that is wrong with files, options or the machine.
    """

    def __init__(
        self,
        path: Any,
        *,
        device: str = "cpu",
        dtype: str = "auto",
        threads: int = 0,
        lora: Sequence[str] = (),
        family: str | None = None,
        mask_id: int | None = None,
        eos_id: int | None = None,
        model_block: int | None = None,
        shift_logits: bool | None = None,
        prefix_cache: float | None = None,
        progress: Any = None,
    ) -> None:
        self._model = _unmask.Model(
            str(path), progress=progress, device=device, dtype=dtype, threads=threads, lora=list(lora),
            family=family, mask_id=mask_id, eos_id=eos_id, model_block=model_block,
            shift_logits=shift_logits, prefix_cache=prefix_cache)

    @property
    def info(self) -> ModelInfo:
        """What the model is."""
        return self._model.info

    def __repr__(self) -> str:
        return f"Model({self.info.path!r}, dtype={self.info.dtype!r}, device={self.info.device!r})"

    def encode(self, text: str) -> npt.NDArray[np.int32]:
        """Tokens of a text; those that control the model are recognised in it."""
        return self._model.encode(text)

    def decode(self, tokens: TokenArray, *, skip_special: bool = False) -> str:
        """Text of tokens."""
        return self._model.decode(tokens, skip_special)

    def chat_text(self, messages: Sequence[Message], **options: Any) -> str:
        """A conversation as the model's chat template (or the one that ``chat_template`` names) puts it."""
        return self._model.chat_text(messages, **_texts(options))

    def prepare(self, prompt: Prompt, **options: Any) -> Request:
        """What generate() would denoise: a canvas with everything decided that options leave open.

        ``prompt`` is a question, a list of messages with "role" and "content", or tokens."""
        if isinstance(prompt, Request):
            if options:
                raise TypeError("options belong to prepare(): this request is prepared already")
            return prompt
        if isinstance(prompt, str):
            return self._model.prepare(prompt, **_texts(options))
        if not isinstance(prompt, np.ndarray) and any(isinstance(p, Mapping) for p in prompt):
            return self._model.prepare_chat(prompt, **_texts(options))
        return self._model.prepare_tokens(prompt, **_texts(options))

    def prepare_fill(self, text: str, question: str = "", **options: Any) -> Request:
        """The same of a text with holes, see fill()."""
        return self._model.prepare_fill(text, question, **_texts(options))

    def generate(self, prompt: Prompt, *, on_step: Any = None, **options: Any) -> Result:
        """Answers a prompt. ``on_step`` is called with a StepEvent after each step; when it returns False
        the answer ends there. KeyboardInterrupt ends it in the midst of a step."""
        return self._model.run(self.prepare(prompt, **options), on_step)

    def stream(self, prompt: Prompt, **options: Any) -> Stream:
        """An iterator over the steps of an answer."""
        return Stream(self._model, self.prepare(prompt, **options))

    def batch(self, prompts: Sequence[Prompt], *, max_running: int = 8, memory_limit: int = 0,
              **options: Any) -> list[Result]:
        """Answers to many prompts, ``max_running`` of them side by side, in their order. An answer does
        not depend on those beside it. ``memory_limit``: bytes that they may take together; 0: any."""
        engine = self.engine(max_running=max_running, memory_limit=memory_limit)
        ids = [engine.submit(self.prepare(prompt, **options)) for prompt in prompts]
        engine.run()
        return [engine.take(id) for id in ids]

    def fill(self, text: str, question: str = "", *, on_step: Any = None, **options: Any) -> Result:
        """Fills the holes of a text: "The ___ of France is ___{6}." has one of ``hole`` (4) tokens and one
        of 6. With a question the text is its answer."""
        return self._model.run(self.prepare_fill(text, question, **options), on_step)

    def engine(self, *, max_running: int = 8, max_rows: int = 0, memory_limit: int = 0) -> Engine:
        """An engine whose requests join and leave between steps."""
        return Engine(self._model, max_running=max_running, max_rows=max_rows,
                      memory_limit=memory_limit)

    def explain(self, prompt: Prompt, **options: Any) -> Plan:
        """What a request would compute and take, without computing it."""
        return self._model.explain(self.prepare(prompt, **options))

    def score(self, prompt: Union[str, TokenArray], answer: Union[str, TokenArray], *,
              samples: int = 128, seed: int = 0, raw: bool = False, system: str | None = None,
              chat_template: str | None = None) -> Score:
        """How likely the model finds an answer: log-likelihood in nats, estimated from ``samples`` maskings
        (at least 16). Both are texts, or both tokens."""
        if isinstance(prompt, str) and isinstance(answer, str):
            return self._model.score(prompt, answer, raw, system, chat_template, samples, seed)
        if isinstance(prompt, str) or isinstance(answer, str):
            raise TypeError("prompt and answer are both texts or both tokens")
        return self._model.score_tokens(prompt, answer, samples, seed)

    def decide(self, state: str, questions: Sequence[Union[Question, str]], *,
               chat_template: str | None = None, text_labels: bool = False, permutations: int = 1,
               calibration: str | None = None) -> list[Answer]:
        """Answers questions about a text, in one pass and without generating; a str is a question of yes
        and no."""
        asked = [(Question(q) if isinstance(q, str) else q)._as_dict() for q in questions]
        return self._model.decide(state, asked, chat_template, text_labels, permutations, calibration)


def _texts(options: dict[str, Any]) -> dict[str, Any]:
    """A schema may be a dictionary, too."""
    schema = options.get("json_schema")
    if isinstance(schema, Mapping):
        options = {**options, "json_schema": json.dumps(schema)}
    return options
