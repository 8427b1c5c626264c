"""How far a condition holds that holds near 0 and, once broken, stays broken."""

from __future__ import annotations

from collections.abc import Callable


def last_holding(holds: Callable[[float], bool], *, halvings: int) -> float:
    """Return a number > 0 at which ``holds`` is true, at least 1 - 2^-halvings of the largest such number.

    The crossing is bracketed by powers of two and then halved; ``holds`` must be true near 0 and false somewhere.
    """
    lower = 1.0
    while not holds(lower):
        lower /= 2
    while holds(2 * lower):
        lower *= 2
    upper = 2 * lower
    for _ in range(halvings):
        middle = (lower + upper) / 2
        lower, upper = (middle, upper) if holds(middle) else (lower, middle)
    return lower
