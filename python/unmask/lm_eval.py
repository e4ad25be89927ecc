"""EleutherAI's lm-evaluation-harness on a model of unmask.

    import lm_eval, unmask.lm_eval                      # registers the model "unmask"
    lm_eval.simple_evaluate(model="unmask", model_args="path=models/demo,samples=32", tasks=["piqa"])

loglikelihood is the Monte-Carlo estimate of LLaDA's evaluation (arXiv 2502.09992) with the context known; it is
greedy when the model, asked for as many tokens as the continuation has, decides exactly these one by one.
Perplexities of whole texts (loglikelihood_rolling) have no such definition and are refused.
"""

from __future__ import annotations

from typing import Any, Sequence

import numpy as np
from lm_eval.api.model import LM
from lm_eval.api.registry import register_model

from . import Model


@register_model("unmask")
class UnmaskLM(LM):  # type: ignore[misc]  # the harness has no types
    """``samples`` and ``seed`` are those of Model.score(); ``chat`` puts contexts into the model's chat
    template; everything else is an option of Model, or, with the prefix ``gen_``, of requests."""

    def __init__(self, path: str | Model, samples: int = 128, seed: int = 0, chat: bool = False,
                 max_gen_toks: int = 128, max_running: int = 8, **options: Any) -> None:
        super().__init__()
        request = {name[4:]: options.pop(name) for name in list(options) if name.startswith("gen_")}
        for of_harness in ("batch_size", "max_batch_size"):
            options.pop(of_harness, None)
        self.model = path if isinstance(path, Model) else Model(path, **options)
        self.samples = int(samples)
        self.seed = int(seed)
        self.raw = not chat
        self.max_gen_toks = int(max_gen_toks)
        self.max_running = int(max_running)
        self.options = request

    def loglikelihood(self, requests: Sequence[Any], disable_tqdm: bool = False) -> list[tuple[float, bool]]:
        """For each (context, continuation) the log-likelihood in nats, and whether it is greedy."""
        return [self._loglikelihood(*request.args) for request in requests]

    def loglikelihood_rolling(self, requests: Sequence[Any], disable_tqdm: bool = False) -> list[float]:
        raise NotImplementedError(
            "a masked diffusion model gives no likelihood of a text without a context; choose tasks that "
            "compare or generate answers")

    def generate_until(self, requests: Sequence[Any], disable_tqdm: bool = False) -> list[str]:
        """For each (context, {"until": [...], "max_gen_toks": n, ...}) the answer before the first stop."""
        asked = [self._prepare(*request.args) for request in requests]
        results = self.model.batch(asked, max_running=self.max_running)
        return [_before(result.text, request.args[1].get("until") or [])
                for request, result in zip(requests, results)]

    def _prepare(self, context: str, how: dict[str, Any]) -> Any:
        options = {"gen_length": int(how.get("max_gen_toks", self.max_gen_toks)), **self.options}
        if how.get("do_sample") and "temperature" in how:
            options["temperature"] = how["temperature"]
        return self.model.prepare(context, raw=self.raw, seed=self.seed, **options)

    def _loglikelihood(self, context: str, continuation: str) -> tuple[float, bool]:
        # A space between the two belongs to the continuation: byte-level vocabularies begin words with it.
        words = context.rstrip()
        continuation = context[len(words):] + continuation
        answer = self.model.encode(continuation)
        prompt = self._prompt_tokens(words)
        score = self.model.score(prompt, answer, samples=self.samples, seed=self.seed)
        return score.log_likelihood, self._is_greedy(prompt, answer)

    def _prompt_tokens(self, context: str) -> Any:
        if not context:
            return self.model.encode("")
        request = self.model.prepare(context, raw=self.raw, gen_length=1)
        return request.tokens[:request.prompt_length]

    def _is_greedy(self, prompt: Any, answer: Any) -> bool:
        found = self.model.generate(prompt, preset="exact", gen_length=len(answer),
                                    block_length=len(answer), early_stop=False)
        return bool(np.array_equal(found.tokens[len(prompt):len(prompt) + len(answer)], answer))


def _before(text: str, stops: Sequence[str] | str) -> str:
    """The text before the first of the stops."""
    for stop in [stops] if isinstance(stops, str) else stops:
        if stop:
            text = text.split(stop)[0]
    return text
