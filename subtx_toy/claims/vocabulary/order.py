"""What "of order eps^q for small eps" means on a ladder of step sizes, and where "small" begins."""

from __future__ import annotations

import math
from collections.abc import Sequence

from subtx_toy.claims.vocabulary.claim import Inequality
from subtx_toy.tolerances import REMAINDER_GROWTH


def order_checks(
    eps: Sequence[float], remainders: Sequence[float], rounding: Sequence[float], *, order: int, what: str
) -> list[Inequality]:
    """Assert ``|remainder| <= K eps^order`` down the ladder, with K taken from its upper half.

    K is REMAINDER_GROWTH times the largest |remainder| / eps^order of the upper rungs. A remainder of a lower order
    grows by that much in half a ladder and fails on the lower rungs; one that changes sign between two rungs does
    not. On the lower rungs what rounding can explain is taken off, so a remainder at rounding level passes as exact.
    """
    half = len(eps) // 2
    sizes = [abs(one) for one in remainders]
    upper = zip(eps[:half], sizes[:half], rounding[:half], strict=True)
    K = REMAINDER_GROWTH * max((size + noise) / e**order for e, size, noise in upper)
    lower = zip(eps[half:], sizes[half:], rounding[half:], strict=True)
    return [
        Inequality(max(size - noise, 0.0) / e**order, K, what=f"{what}, over eps^{order}, at eps = {e:.3g}")
        for e, size, noise in lower
    ]


def small_eps(eps: Sequence[float], remainders: Sequence[float], slope: float) -> float:
    """Return an eps at which ``eps slope`` is at least twice a remainder of second order, on the ladder or below it.

    The remainder's constant is the largest |remainder| / eps^2 of the ladder; so a remainder of lower order only
    makes the eps smaller, where its sign shows.
    """
    K = max(abs(one) / e**2 for e, one in zip(eps, remainders, strict=True))
    return min(eps[-1], slope / (2 * K)) if K > 0 and math.isfinite(K) else eps[-1]
