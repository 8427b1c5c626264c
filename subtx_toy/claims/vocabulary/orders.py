"""The fitted order of a remainder down a ladder of step sizes, as a check."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from subtx_toy.claims.vocabulary.claim import Inequality
from subtx_toy.theory.step_predictions import FittedOrder
from subtx_toy.tolerances import MIN_RUNGS, REMAINDER_ORDER, VISIBLE


def order_above_rounding(eps: Sequence[float], sizes: Sequence[float], floor: float) -> FittedOrder | None:
    """Fit the order of ``sizes`` on the lowest MIN_RUNGS rungs above rounding.

    Its slope is infinite where no rung is above rounding, and nan where one is no finite number; None where too few are
    above rounding.
    """
    if not all(map(math.isfinite, sizes)):
        return FittedOrder(float("nan"), 0)
    above = [pair for pair in zip(eps, sizes, strict=True) if pair[1] > floor]
    if not above:
        return FittedOrder(float("inf"), 0)
    if len(above) < MIN_RUNGS:
        return None
    x, y = np.log(above[-MIN_RUNGS:]).T
    x -= x.mean()
    return FittedOrder(float(x @ y / (x @ x)), len(above))


def second_order_check(
    eps: Sequence[float], sizes: Sequence[float], floor: float, *, what: str, predicted: float
) -> Inequality:
    """Check that a remainder falls at least as eps^REMAINDER_ORDER, or is zero to rounding.

    ``predicted`` is the size of what is left after it, per unit eps: where it is near rounding, nothing is decided; 0
    means that it is zero by construction.
    """
    order = order_above_rounding(eps, sizes, floor)
    if order is not None and math.isnan(order.slope):
        return Inequality(math.nan, 0.0, what=f"{what} is not a finite number")
    if order is None:
        return Inequality(0.0, 0.0, floor, f"too few of {what} above rounding to fit an order")
    if predicted and eps[0] * predicted < VISIBLE * floor:
        return Inequality(0.0, 0.0, floor, f"what {what} is left of is near rounding")
    return Inequality(REMAINDER_ORDER, order.slope, what=f"least order <= fitted order of {what}")
