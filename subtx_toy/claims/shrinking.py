"""From a counterexample to a smaller one: greedy steps toward the smallest description."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from dataclasses import replace

from subtx_toy.problem.spec import ProblemSpec

_SIZES = ("input_dim", "num_classes", "num_aux", "num_inputs", "num_trait_inputs")
_WORDS = (
    "activation", "init", "init_scale", "inputs", "trait", "teacher", "loss", "temperature", "distilled_logits",
    "eps", "student_lr",
)  # fmt: skip


def smaller(spec: ProblemSpec) -> Iterator[ProblemSpec]:
    """Yield descriptions one step simpler, the boldest first."""
    hidden = spec.hidden
    if hidden:
        yield replace(spec, hidden=())
    for at in range(len(hidden)):
        yield replace(spec, hidden=hidden[:at] + hidden[at + 1 :])
    for at, width in enumerate(hidden):
        for less in _less(width):
            yield replace(spec, hidden=(*hidden[:at], less, *hidden[at + 1 :]))
    for name in _SIZES:
        for less in _less(getattr(spec, name)):
            yield replace(spec, **{name: less})  # type: ignore[arg-type]
    defaults = {one.name: one.default for one in dataclasses.fields(spec)}
    for name in _WORDS:
        if getattr(spec, name) != defaults[name]:
            if name == "loss" or spec.loss != "kl" or name != "temperature":
                changed = {name: defaults[name]} | ({"temperature": 1.0} if name == "loss" else {})
                yield replace(spec, **changed)  # type: ignore[arg-type]
            else:
                yield replace(spec, temperature=1.0)
    for seed in range(min(spec.seed, 4)):
        yield replace(spec, seed=seed)


def shrink(spec: ProblemSpec, fails: Callable[[ProblemSpec], bool], *, max_tries: int = 2000) -> ProblemSpec:
    """Return a description on which ``fails`` holds and no single simpler step keeps it, within ``max_tries``."""
    tries = 0
    while True:
        for candidate in smaller(spec):
            tries += 1
            if tries > max_tries:
                return spec
            if fails(candidate):
                spec = candidate
                break
        else:
            return spec


def _less(size: int) -> list[int]:
    return sorted({1, size // 2, size - 1} - {0, size})
