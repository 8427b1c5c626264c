"""Where something that holds near 0 stops to hold along a ray of step sizes: one scan, one bisection."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator

import numpy as np

_NUM_LOG, _NUM_LINEAR = 60, 400
_LOWEST = 1e-6  # of the cap, where the logarithmic points begin; alignments there are still above rounding
_MAX_HALVINGS = 1000  # before a condition counts as false near 0: almost the range of float64


def scan_points(cap: float) -> np.ndarray:
    """Return 60 logarithmic and 400 linear points of (0, cap], in increasing order."""
    grid = np.geomspace(_LOWEST * cap, cap, _NUM_LOG), np.linspace(cap / _NUM_LINEAR, cap, _NUM_LINEAR)
    return np.unique(np.concatenate(grid))


def sign_changes(
    value: Callable[[float], float], points: Iterable[float], *, start: float = 0.0
) -> Iterator[tuple[float, float, float]]:
    """Yield every point whose value is not positive: the last positive point before it, the point, its value.

    A scan can step over a pair of zeros. ``start`` stands for the last positive point before the first of ``points``;
    a value that is not finite is never positive.

    >>> list(sign_changes(lambda eps: 2.5 - eps, [1.0, 2.0, 3.0]))
    [(2.0, 3.0, -0.5)]
    """
    below = start
    for point in points:
        eps = float(point)
        found = value(eps)
        if 0 < found < math.inf:
            below = eps
        else:
            yield below, eps, found


def confirmed_gap(sign: Callable[[float], int], root: float, gaps: Iterable[float]) -> float | None:
    """Return the first relative gap on whose two sides of ``root`` the signs are + and -, or None."""
    return next((gap for gap in gaps if sign(root * (1 - gap)) > 0 > sign(root * (1 + gap))), None)


def last_holding(holds: Callable[[float], bool], *, halvings: int, cap: float = math.inf) -> float | None:
    """Return a number > 0 at which ``holds`` is true, at least 1 - 2^-halvings of the largest such number.

    The crossing is bracketed by factors of two and then halved; ``holds`` has to stay false once it is. Returns ``cap``
    if it holds there, and None if it holds nowhere near 0. Without a cap it must be false somewhere.
    """
    if math.isfinite(cap) and holds(cap):
        return cap
    lower = cap / 2 if math.isfinite(cap) else 1.0
    for _ in range(_MAX_HALVINGS):
        if holds(lower):
            break
        lower /= 2
    else:
        return None
    while holds(2 * lower):
        lower *= 2
    upper = 2 * lower
    for _ in range(halvings):
        middle = (lower + upper) / 2
        lower, upper = (middle, upper) if holds(middle) else (lower, middle)
    return lower
