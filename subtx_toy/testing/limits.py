"""The limit of a function at zero, from a few of its values: polynomial extrapolation with an error estimate."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass

from subtx_toy.tolerances import LIMIT_AT_ZERO

_NUM_RUNGS = 4
_AMPLIFICATION = 6.5  # sum of the sizes of the weights that halved nodes give to the values, 6.43
_TOPS = tuple(2.0**-power for power in range(4, 15, 2))


@dataclass(frozen=True)
class Limit:
    """A limit as eps -> 0.

    Attributes:
        value: extrapolated.
        error: the difference of the last two extrapolations.
        noise: how far rounding can move ``value``.
    """

    value: float
    error: float
    noise: float

    def is_close_to(self, predicted: float) -> bool:
        """Whether the values settle, and where they are predicted to, LIMIT_AT_ZERO apart beyond rounding."""
        settled = self.error <= 0.1 * LIMIT_AT_ZERO * abs(predicted) + self.noise
        allowed = LIMIT_AT_ZERO * abs(predicted) + self.noise + self.error
        return settled and abs(self.value - predicted) <= allowed


def limit_at_zero(
    function: Callable[[float], float], *, unit: float, noise: Callable[[float], float], predicted: float
) -> Limit:
    """Extrapolate ``function`` from eps, eps/2, eps/4 and eps/8 to 0, from eps = unit/16 down until it settles.

    ``noise(eps)`` bounds the rounding of one value. Smooth functions settle like eps^4.

    Reference: Neville's scheme, e.g. Press et al. 2007, Numerical Recipes, section 3.2.
    """
    best = Limit(math.nan, math.inf, 0.0)
    for top in _TOPS:
        nodes = [top * unit / 2**rung for rung in range(_NUM_RUNGS)]
        rounding = _AMPLIFICATION * max(noise(eps) for eps in nodes)
        found = _extrapolate([function(eps) for eps in nodes], rounding)
        if found.error + found.noise < best.error + best.noise or math.isinf(best.error):
            best = found
        if best.error <= 0.01 * LIMIT_AT_ZERO * abs(predicted) + best.noise:
            break
    return best


def _extrapolate(values: list[float], noise: float) -> Limit:
    column, before = values, values[-1]
    for order in range(1, len(values)):
        before = column[-1]
        column = [fine + (fine - coarse) / (2**order - 1) for coarse, fine in itertools.pairwise(column)]
    return Limit(column[-1], abs(column[-1] - before), noise)
