"""A hunt for counterexamples: hypothesis drives a margin down, and shrinks what it finds."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from hypothesis import HealthCheck, Phase, given, settings, target
from hypothesis.strategies import SearchStrategy

T = TypeVar("T")


@dataclass(frozen=True)
class Hunt(Generic[T]):
    """What a hunt found.

    Attributes:
        counterexample: the smallest value with a negative margin, or None.
        least_margin: over everything tried; how tight a bound is where it was not refuted.
        num_tried: values tried, those of the shrinking included.
    """

    counterexample: T | None
    least_margin: float
    num_tried: int


class _RefutedError(Exception):
    pass


def hunt(margin: Callable[[T], float], values: SearchStrategy[T], *, max_examples: int = 300) -> Hunt[T]:
    """Look for a value with ``margin(value) < 0``, such as (right side - left side) / right side of a bound.

    hypothesis.target() climbs towards small margins, so a bound that fails only in a corner is refuted sooner than by
    drawing blindly. Deterministic: the same arguments give the same hunt. A margin that is not a number counts as
    refuted; leave a little for rounding, as in ``margin + 1e-9``.
    """
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
