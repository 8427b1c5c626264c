"""The order of a remainder in eps, fitted on a ladder of step sizes (claim C4)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from subtx_toy.problem import params as vectors
from subtx_toy.problem.params import Params
from subtx_toy.problem.problem import Problem
from subtx_toy.theory.step_predictions import predicted_student_update
from subtx_toy.tolerances import MIN_RUNGS, REMAINDER_FLOOR

EPS_LADDER = tuple(2.0**-power for power in range(3, 13))
"""Step sizes 2^-3 ... 2^-12, for updates of norm about 1."""


@dataclass(frozen=True)
class FittedOrder:
    """The least-squares slope of log(value) against log(eps), and how many rungs it stands on.

    ``slope`` is infinite where too few rungs are above the rounding floor: the remainder is zero to rounding.
    """

    slope: float
    num_rungs: int


def remainder(problem: Problem, observed: Params, eps: float) -> tuple[float, float]:
    """Return ``||dS - eps G dT||`` and ``||dS||`` for an observed student update dS at ``eps``."""
    gap = vectors.difference(observed, predicted_student_update(problem, eps))
    return float(vectors.norm(gap)), float(vectors.norm(observed))


def fitted_order(
    eps: Sequence[float], values: Sequence[float], *, scales: Sequence[float] | None = None
) -> FittedOrder:
    """Fit the order of ``values`` in ``eps`` over the rungs above the rounding floor.

    The floor is REMAINDER_FLOOR times the largest of ``scales`` (by default of the values).

    >>> fitted_order([0.5, 0.25, 0.125, 0.0625], [0.25, 0.0625, 0.015625, 0.00390625]).slope.__round__(6)
    2.0
    """
    sizes = np.asarray(values, dtype=float)
    floor = REMAINDER_FLOOR * float(np.max(np.asarray(scales if scales is not None else sizes)))
    above = sizes > floor
    if above.sum() < MIN_RUNGS:
        return FittedOrder(float("inf"), int(above.sum()))
    slope = np.polyfit(np.log(np.asarray(eps)[above]), np.log(sizes[above]), 1)[0]
    return FittedOrder(float(slope), int(above.sum()))
