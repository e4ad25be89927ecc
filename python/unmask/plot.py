"""Pictures of how a text was unmasked; takes matplotlib.

    steps = list(model.stream(prompt, preset="exact"))
    unmask.plot.order(steps).figure.savefig("order.png")

Each function draws into ``axes``, or into new ones, and returns them.
"""

from __future__ import annotations

from typing import Any, Sequence

import numpy as np
import numpy.typing as npt

from . import Plan, StepEvent

OPEN = -1  # in step_of(): a position that no step decided


def step_of(events: Sequence[StepEvent]) -> npt.NDArray[np.int32]:
    """The step that decided each position of the canvas, the last one where it was decided again; OPEN for
    the prompt and for what stayed masked."""
    steps = np.full(len(events[-1].tokens) if events else 0, OPEN, dtype=np.int32)
    for event in events:
        steps[event.positions] = event.step
    return steps


def order(events: Sequence[StepEvent], axes: Any = None) -> Any:
    """A point for each decision: position against step, coloured by confidence."""
    axes = _axes(axes)
    positions = np.concatenate([event.positions for event in events])
    steps = np.concatenate([np.full(len(event.positions), event.step) for event in events])
    confidences = np.concatenate([event.confidences for event in events])
    points = axes.scatter(positions, steps, c=confidences, s=12, cmap="viridis")
    axes.figure.colorbar(points, ax=axes, label="confidence")
    axes.set(xlabel="position", ylabel="step")
    axes.invert_yaxis()
    return axes


def confidence(events: Sequence[StepEvent], axes: Any = None) -> Any:
    """Mean, least and largest confidence of what each step decided."""
    axes = _axes(axes)
    deciding = [event for event in events if len(event.confidences)]
    steps = [event.step for event in deciding]
    axes.plot(steps, [event.confidences.mean() for event in deciding], label="mean")
    axes.fill_between(steps, [event.confidences.min() for event in deciding],
                      [event.confidences.max() for event in deciding], alpha=0.3)
    axes.set(xlabel="step", ylabel="confidence")
    return axes


def blocks(events: Sequence[StepEvent], axes: Any = None) -> Any:
    """The canvas after each step, a row each: what was known, what was just decided, what is masked."""
    axes = _axes(axes)
    width = max(len(event.tokens) for event in events)
    picture = np.full((len(events), width), np.nan)
    for row, event in enumerate(events):
        picture[row, :len(event.tokens)] = np.where(event.tokens == event.mask, 0.0, 1.0)
        picture[row, event.positions] = 2.0
    axes.imshow(picture, aspect="auto", interpolation="nearest", cmap="viridis")
    axes.set(xlabel="position", ylabel="step")
    return axes


def work(plan: Plan, axes: Any = None) -> Any:
    """Rows that each step of an explained request computes, and the share of keys that they see."""
    axes = _axes(axes)
    axes.bar(range(len(plan.steps)), [step.rows for step in plan.steps], width=1.0)
    axes.set(xlabel="step", ylabel="rows")
    density = axes.twinx()
    density.plot([step.density for step in plan.steps], color="tab:orange")
    density.set(ylabel="share of keys seen", ylim=(0, 1.05))
    return axes


def block_pattern(kept: npt.ArrayLike, axes: Any = None) -> Any:
    """Which blocks of keys (columns) a block of queries (rows) sees: an array [queries, keys] of truth."""
    axes = _axes(axes)
    axes.imshow(np.asarray(kept, dtype=bool), interpolation="nearest", cmap="Greys")
    axes.set(xlabel="block of keys", ylabel="block of queries")
    return axes


def _axes(axes: Any) -> Any:
    if axes is not None:
        return axes
    from matplotlib import pyplot

    return pyplot.subplots()[1]
