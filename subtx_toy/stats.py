"""One definition of every interval and of every comparison with a published number."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import special


@dataclass(frozen=True)
class Estimate:
    """A mean over ``n`` independent seeds, or a published one; its standard error is nan where n is 1."""

    mean: float
    standard_error: float
    n: int

    @property
    def ci95(self) -> float:
        """Half-width of the two-sided 95 % interval of the mean, by Student's t with n - 1 degrees of freedom."""
        return _critical_value(self.n) * self.standard_error if self.n > 1 else math.nan


@functools.cache  # a summary of a sweep asks a thousand times for the same n
def _critical_value(n: int) -> float:
    return float(special.stdtrit(n - 1, 0.975))


def estimate(values: Sequence[float]) -> Estimate:
    """Estimate a mean from one or more independent values; the standard deviation divides by n - 1.

    >>> estimate([1.0, 2.0, 3.0])
    Estimate(mean=2.0, standard_error=0.5773502691896258, n=3)
    """
    if len(values) == 0:
        raise ValueError("values: expected at least one, got none")
    n = len(values)
    spread = float(np.std(values, ddof=1)) / math.sqrt(n) if n > 1 else math.nan
    return Estimate(float(np.mean(values)), spread, n)


def finite_estimate(values: Sequence[float]) -> Estimate:
    """Estimate a mean from the values that are finite; ``n`` counts them, and the mean of none is nan.

    >>> finite_estimate([1.0, math.nan, 3.0])
    Estimate(mean=2.0, standard_error=1.0, n=2)
    """
    kept = [value for value in values if math.isfinite(value)]
    return estimate(kept) if kept else Estimate(math.nan, math.nan, 0)


@dataclass(frozen=True)
class Difference:
    """Ours minus theirs, in combined standard errors, and its two-sided p-value; both nan where ours has one seed."""

    value: float
    standard_errors: float
    p_value: float


def difference(ours: Estimate, theirs: Estimate, *, lent: bool = False) -> Difference:
    """Compare two independent means of unequal variance: Welch's t, degrees of freedom by Satterthwaite.

    If theirs has ``lent`` the spread of ours, there is one variance, with the n - 1 degrees of freedom of ours; what
    else is in the standard error of theirs is taken as known.

    Reference: Welch 1947, Biometrika 34, 28-35; with one variance, Student's t for two samples.
    """
    value = ours.mean - theirs.mean
    variances = ours.standard_error**2, theirs.standard_error**2
    total = sum(variances)
    if math.isnan(total):
        return Difference(value, math.nan, math.nan)
    if total == 0:
        return Difference(value, math.copysign(math.inf, value) if value else 0.0, 0.0 if value else 1.0)
    if lent:
        parts = [(variances[0] * (1 + ours.n / theirs.n), ours.n)]
    else:
        parts = [(variance, one.n) for variance, one in zip(variances, (ours, theirs), strict=True)]
    doubt = sum(variance**2 / (n - 1) for variance, n in parts if variance)
    standard_errors = value / math.sqrt(total)
    freedom = total**2 / doubt if doubt else math.inf
    return Difference(value, standard_errors, float(2 * special.stdtr(freedom, -abs(standard_errors))))


def holm(p_values: Sequence[float]) -> list[float]:
    """Adjust p-values of one family so that each can be compared with the family-wise level, in the given order.

    A nan is left out of the family and stays nan.

    Reference: Holm 1979, Scand. J. Statist. 6, 65-70.

    >>> holm([0.01, 0.04, 0.03])
    [0.03, 0.06, 0.06]
    """
    present = [at for at, p in enumerate(p_values) if not math.isnan(p)]
    adjusted, running = list(p_values), 0.0
    for rank, at in enumerate(sorted(present, key=lambda at: p_values[at])):
        running = max(running, min(1.0, (len(present) - rank) * p_values[at]))
        adjusted[at] = running
    return adjusted
