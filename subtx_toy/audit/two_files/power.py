"""How many lines the chi^2 of the tokens needs, and which difference files of these sizes would have shown.

The score of a line that knows both laws would need far fewer lines. A comparison has to learn them from the lines.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from scipy import optimize, stats

from subtx_toy.audit.two_files.statistics import NAMES, PermutationTest

POWER = 0.9
"""Probability with which as many lines as are said to be needed find a difference of this size."""

_MOST = 1e12  # lines: more are as good as none


@dataclass(frozen=True)
class TokenPower:
    """The power of chi^2 of the tokens, from what random exchanges of two files gave.

    Without a difference the statistic is c times a chi^2 of nu degrees, with the mean and the spread of the exchanges;
    with one it is c times a noncentral chi^2 (Satterthwaite 1946, for c and nu). Its excess over the mean grows with
    h = n1 n2 / (n1 + n2); in standard deviations of a line that knows the laws, d, it is h d^2.

    The other two statistics can only help, so the power is at least this one's at a third of the level, as far as the
    counts of the files in hand stand for those of other sizes.

    Attributes:
        test: of the two files.
        sizes: their lines.
    """

    test: PermutationTest
    sizes: tuple[int, int]

    def lines_needed(self, *, level: float) -> int | None:
        """Return the lines of each file that find a difference of this size with POWER; None without a difference."""
        excess = self.test.statistics["tokens"] - self.test.null_mean
        if not excess > self.test.null_sd > 0:
            return None
        needed = 2 * self._excess_needed(level) / (excess / self._harmonic)
        return max(2, math.ceil(needed)) if needed < _MOST else None

    def smallest_effect(self, *, level: float) -> float:
        """Return the d that files of these sizes show with POWER; inf where no exchange changes the statistic."""
        return math.sqrt(self._excess_needed(level) / self._harmonic) if self.test.null_sd > 0 else math.inf

    @property
    def _harmonic(self) -> float:
        first, second = self.sizes
        return first * second / (first + second)

    def _excess_needed(self, level: float) -> float:
        scale = self.test.null_sd**2 / (2 * self.test.null_mean)
        degrees = self.test.null_mean / scale
        bound = stats.chi2.isf(level / len(NAMES), degrees)

        def missing(noncentrality: float) -> float:
            return float(stats.ncx2.sf(bound, degrees, noncentrality)) - POWER

        return scale * float(optimize.brentq(missing, 1e-9, 100 * (bound + 10)))
