"""Where something that holds near 0 stops to hold along a ray of step sizes: one scan, one bisection."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator

import numpy as np

_NUM_LOG, _NUM_LINEAR = 60, 400
_LOWEST = 1e-6  # of the cap, where the logarithmic points begin; alignments there are still above rounding
_MAX_HALVINGS = 1000  # before a condition counts as false near 0: almost the range of float64
_AT_ONCE, _NUM_POWERS = 5, 12  # halvings, and powers of two to either side, whose points are looked at in one go


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


def bisected(
    holds: Callable[[np.ndarray], np.ndarray], lower: float, upper: float, *, halvings: int
) -> tuple[float, float]:
    """Halve the interval between a point where ``holds`` is true and one where it is not so many times, as bisection.

    ``holds`` takes several points at once and is asked for those of the next _AT_ONCE halvings.
    """
    for left in range(halvings, 0, -_AT_ONCE):
        points = np.array([lower, upper])
        for _ in range(min(left, _AT_ONCE)):
            finer = np.empty(2 * len(points) - 1)
            finer[::2], finer[1::2] = points, (points[:-1] + points[1:]) / 2
            points = finer
        found, low, high = holds(points), 0, len(points) - 1
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if found[middle] else (low, middle)
        lower, upper = float(points[low]), float(points[high])
    return lower, upper


def last_holding(holds: Callable[[np.ndarray], np.ndarray], *, halvings: int, cap: float = math.inf) -> float | None:
    """Return a number > 0 at which ``holds`` is true, at least 1 - 2^-halvings of the largest such number.

    The crossing is bracketed by factors of two and then halved; ``holds`` takes several numbers at once and has to stay
    false once it is. Returns ``cap`` if it holds there, and None if it holds nowhere near 0. Without a cap it must be
    false somewhere.
    """
    if math.isfinite(cap) and holds(np.array([cap]))[0]:
        return cap
    points = (cap / 2 if math.isfinite(cap) else 2.0**_NUM_POWERS) * 2.0 ** np.arange(-2.0 * _NUM_POWERS, 1)
    lowest = points[-1] * 2.0**-_MAX_HALVINGS
    found = holds(points)
    while not found[0]:
        if points[0] <= lowest:
            return None
        points = points / 2.0 ** (2 * _NUM_POWERS)
        found = holds(points)
    while found[-1] and math.isinf(cap):
        points = points * 2.0 ** (2 * _NUM_POWERS)
        found = holds(points)
    lower = float(points[found][-1])
    return bisected(holds, lower, 2 * lower, halvings=halvings)[0]
