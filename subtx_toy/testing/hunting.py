"""A hunt for counterexamples: through thousands of drawn problems, or by hypothesis, which drives a margin down."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar, overload

from subtx_toy.claims.driving import Closest, drive
from subtx_toy.claims.screening import screened
from subtx_toy.claims.shrinking import shrunk, violates
from subtx_toy.claims.vocabulary.claim import Claim
from subtx_toy.errors import InputError
from subtx_toy.problem.spec import ProblemSpec

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

T = TypeVar("T")

_MAX_REFUTED = 20  # violations that measured roundings explain, before the rest is left to the drive


@dataclass(frozen=True)
class Hunt(Generic[T]):
    """What a hunt found.

    Attributes:
        counterexample: the smallest value with a negative margin, or None.
        least_margin: over everything tried that decides; how tight a bound is where it was not refuted. Below 0 only
            with a counterexample: what rounding explains does not count.
        num_tried: values tried, those of the shrinking included.
    """

    counterexample: T | None
    least_margin: float
    num_tried: int


class _RefutedError(Exception):
    pass


@overload
def hunt(margin: Claim, *, num_problems: int = ..., seed: int = ...) -> Hunt[ProblemSpec]: ...
@overload
def hunt(margin: Callable[[T], float], values: SearchStrategy[T], *, max_examples: int = ...) -> Hunt[T]: ...
def hunt(
    margin: Claim | Callable[[Any], float],
    values: SearchStrategy[Any] | None = None,
    *,
    max_examples: int = 300,
    num_problems: int = 10_000,
    seed: int = 0,
) -> Hunt[Any]:
    """Look for a counterexample to a bound; deterministic, the same arguments give the same hunt.

    Of a claim, such as a function under ``subtx_toy.claims.user.claim``: try ``num_problems`` drawn perceptrons,
    thousands per second. They come in stacks of one shape and are differentiated by hand; a violation counts when
    automatic differentiation confirms it, and is shrunk. The least margin is that of ``Inequality``, in [-1, 1].

    Of a function: look for a value with ``margin(value) < 0``, such as (right side - left side) / right side of a
    bound. hypothesis.target() climbs towards small margins, so a bound that fails only in a corner is refuted sooner
    than by drawing blindly. A margin that is not a number counts as refuted; leave a little for rounding, as in
    ``margin + 1e-9``.
    """
    if isinstance(margin, Claim):
        return _through_drawn(margin, num_problems, seed)
    if values is None:
        raise InputError("values: expected a strategy of what the margin takes, got none")
    return _by_hypothesis(margin, values, max_examples)


def _through_drawn(claim: Claim, num_problems: int, seed: int) -> Hunt[ProblemSpec]:
    least, tried = math.inf, 0
    closest, refuted = Closest(), 0
    for spec, evidence in screened(num_problems, seed=seed):
        tried += 1
        judgement = claim.judge(evidence, confirm=False)
        if judgement.outcome is not None:
            worst = judgement.outcome.worst
            if judgement.verdict == "holds":
                least = min(least, worst.margin)
            if math.isfinite(worst.floor):
                closest.add(worst.margin, spec)
            if judgement.verdict == "violated" and refuted < _MAX_REFUTED:
                refuted += 1
                if violates(claim, spec):
                    return Hunt(shrunk(claim, spec), worst.margin, tried)
    found = drive(claim, closest.found, seed=seed)
    least, tried = min(least, found.least_margin), tried + found.num_tried
    violating = None if found.violating is None else shrunk(claim, found.violating)
    return Hunt(violating, least, tried)


def _by_hypothesis(margin: Callable[[T], float], values: SearchStrategy[T], max_examples: int) -> Hunt[T]:
    from hypothesis import HealthCheck, Phase, given, settings, target

    margins: list[float] = []
    refuting: list[T] = []

    @settings(
        max_examples=max_examples,
        database=None,
        deadline=None,
        derandomize=True,
        phases=(Phase.generate, Phase.target, Phase.shrink),
        suppress_health_check=list(HealthCheck),
    )
    @given(values)
    def search(value: T) -> None:
        found = float(margin(value))
        margins.append(found)
        if not found >= 0:
            refuting.append(value)
            raise _RefutedError
        if math.isfinite(found):
            target(-found)

    with contextlib.suppress(_RefutedError):
        search()  # the last value tried is the smallest: hypothesis runs it again at the end
    return Hunt(refuting[-1] if refuting else None, min(margins, default=math.inf), len(margins))
