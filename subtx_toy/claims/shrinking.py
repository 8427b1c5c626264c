"""Smaller descriptions that still violate a claim."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from dataclasses import replace

from subtx_toy.claims.instance import Instance
from subtx_toy.claims.vocabulary.claim import Claim
from subtx_toy.errors import InputError
from subtx_toy.problem.spec import ProblemSpec

_SIZES = ("input_dim", "num_classes", "num_aux", "num_inputs", "num_trait_inputs")
_WORDS = (
    "activation", "init", "init_scale", "inputs", "trait", "teacher", "loss", "temperature", "distilled_logits",
    "eps", "student_lr",
)  # fmt: skip
_CONFIRMED_TRIES = 100  # steps of a shrinking that confirms each


def shrunk(claim: Claim, spec: ProblemSpec) -> ProblemSpec:
    """Return a smaller description that violates the claim, with roundings measured at the end of the way only."""
    smallest = shrink(spec, lambda candidate: violates(claim, candidate, confirm=False))
    if violates(claim, smallest):
        return smallest
    return shrink(spec, lambda candidate: violates(claim, candidate), max_tries=_CONFIRMED_TRIES)


def violates(claim: Claim, spec: ProblemSpec, *, confirm: bool = True) -> bool:
    """Say whether the problem that ``spec`` describes violates the claim, by automatic differentiation."""
    try:
        return claim.judge(Instance.of(spec).evidence(), confirm=confirm).verdict == "violated"
    except InputError:
        return False  # sizes that do not go together


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
            changed = {name: defaults[name]} | ({"temperature": 1.0} if name == "loss" else {})
            yield replace(spec, **changed)  # type: ignore[arg-type]
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
