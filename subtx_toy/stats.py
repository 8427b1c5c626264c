"""One definition of every interval and of every comparison with a published number."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from subtx_toy.tolerances import MIN_SEEDS


class Interval(NamedTuple):
    """The ends of a 95 % interval; both nan where one seed gives none."""

    low: float
    high: float


@dataclass(frozen=True)
class Estimate:
    """A mean over ``n`` independent seeds, or a published one; its standard error is nan where n is 1.

    Attributes:
        mean: the mean.
        standard_error: of the mean over seeds, with the same test images.
        n: seeds.
        num_images: for a share of test images, how many there are; None for a mean of anything else.
        paired: whether it is the difference of two shares of the same test images, within a seed.
    """

    mean: float
    standard_error: float
    n: int
    num_images: int | None = field(default=None, repr=False)
    paired: bool = field(default=False, repr=False)

    @property
    def ci95(self) -> float:
        """Half-width of the two-sided 95 % interval of the mean, by Student's t with n - 1 degrees of freedom."""
        return _critical_value(self.n) * self.standard_error if self.n > 1 else math.nan

    @property
    def interval(self) -> Interval:
        """The two-sided 95 % interval: of a share by ``share_interval``, otherwise Student's.

        That of a paired difference counts the images too, as if all that can differ did so in one direction, and at
        least one image did: a variance of max(|d| (1 - |d|), 1 / T) / T.
        """
        if self.num_images is None or self.n < 2:
            return Interval(self.mean - self.ci95, self.mean + self.ci95)
        if not self.paired:
            return share_interval(self.mean, self.standard_error, n=self.n, num_images=self.num_images)
        size, images = abs(self.mean), self.num_images
        error = math.sqrt(self.standard_error**2 + max(size * (1 - size), 1 / images) / images)
        half = _critical_value(self.n) * error
        return Interval(max(-1.0, self.mean - half), min(1.0, self.mean + half))


def share_interval(mean: float, standard_error: float, *, n: int, num_images: int) -> Interval:
    """Return the 95 % interval of a share of images, over other seeds and other test images of the same kind.

    The variance of the mean has two parts: s^2 / n over seeds, and at most p (1 - p) / T from T test images that all
    seeds share. The interval is Clopper and Pearson's for the effective number of images

        (z / t_{n-1})^2 p (1 - p) / (s^2 / n + p (1 - p) / T)

    so it lies in [0, 1], and it has a width even if all seeds give the same number. Both ends are nan where n is 1.

    Reference: Korn and Graubard 1998, Survey Methodology 24, 193-201, with the images' part of the variance added.
    """
    if n < 2:
        return Interval(math.nan, math.nan)
    spread = mean * (1 - mean)
    images = num_images if spread <= 0 else spread / (standard_error**2 + spread / num_images)
    images *= (_NORMAL / _critical_value(n)) ** 2
    hits = images * min(max(mean, 0.0), 1.0)
    from scipy import special  # a sixth of a second, which no listing needs

    low = float(special.betaincinv(hits, images - hits + 1, 0.025)) if hits > 0 else 0.0
    high = float(special.betaincinv(hits + 1, images - hits, 0.975)) if hits < images else 1.0
    return Interval(low, high)


def judged(verdict: str, *, n: int) -> str:
    """Return a verdict over ``n`` seeds, or that it needs more: the one place that decides it.

    >>> judged("agrees", n=5), judged("agrees", n=2)
    ('agrees', 'needs 5 seeds')
    """
    return verdict if n >= MIN_SEEDS else f"needs {MIN_SEEDS} seeds"


_NORMAL = 1.959963984540054  # the normal quantile at .975


@functools.cache  # a summary of a sweep asks a thousand times for the same n
def _critical_value(n: int) -> float:
    from scipy import special

    return float(special.stdtrit(n - 1, 0.975))


def estimate(values: Sequence[float], *, num_images: int | None = None, paired: bool = False) -> Estimate:
    """Estimate a mean from one or more independent values; the standard deviation divides by n - 1.

    ``num_images`` says that the values are shares of so many test images, the same ones for every seed, or ``paired``
    differences of two such shares.

    >>> estimate([1.0, 2.0, 3.0])
    Estimate(mean=2.0, standard_error=0.5773502691896258, n=3)
    """
    if len(values) == 0:
        raise ValueError("values: expected at least one, got none")
    import numpy as np  # here, since commands that compute nothing start without it

    n = len(values)
    spread = float(np.std(values, ddof=1)) / math.sqrt(n) if n > 1 else math.nan
    return Estimate(float(np.mean(values)), spread, n, num_images, paired)


def finite_estimate(values: Sequence[float], *, num_images: int | None = None, paired: bool = False) -> Estimate:
    """Estimate a mean from the values that are finite; ``n`` counts them, and the mean of none is nan.

    >>> finite_estimate([1.0, math.nan, 3.0])
    Estimate(mean=2.0, standard_error=1.0, n=2)
    """
    kept = [value for value in values if math.isfinite(value)]
    return estimate(kept, num_images=num_images, paired=paired) if kept else Estimate(math.nan, math.nan, 0)


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
    error, freedom = _error_of_difference(ours, theirs, lent=lent)
    if math.isnan(error):
        return Difference(value, math.nan, math.nan)
    if error == 0:
        return Difference(value, math.copysign(math.inf, value) if value else 0.0, 0.0 if value else 1.0)
    from scipy import special

    return Difference(value, value / error, float(2 * special.stdtr(freedom, -abs(value / error))))


class Equivalence(NamedTuple):
    """What two one-sided tests say of two means; both nan where ours has one seed.

    Attributes:
        p_value: the larger of theirs; below the level, the means differ by less than the margin.
        within: the least margin for which it is 5 % or less, in the unit of the means.
    """

    p_value: float
    within: float


def equivalence(ours: Estimate, theirs: Estimate, *, margin: float, lent: bool = False) -> Equivalence:
    """Test that two independent means differ by ``margin`` or more, from either side, as ``difference`` compares them.

    Reference: Schuirmann 1987, J. Pharmacokinet. Biopharm. 15, 657-680, with Welch's degrees of freedom.

    >>> equivalence(Estimate(0.5, 0.01, 25), Estimate(0.51, 0.01, 25), margin=0.03)
    Equivalence(p_value=0.08187654062270891, within=0.03371953205299352)
    """
    apart = abs(ours.mean - theirs.mean)
    error, freedom = _error_of_difference(ours, theirs, lent=lent)
    if math.isnan(error):
        return Equivalence(math.nan, math.nan)
    if error == 0:
        return Equivalence(0.0 if apart < margin else 1.0, apart)
    from scipy import special

    p_value = float(special.stdtr(freedom, (apart - margin) / error))
    return Equivalence(p_value, apart + error * float(special.stdtrit(freedom, 0.95)))


def _error_of_difference(ours: Estimate, theirs: Estimate, *, lent: bool) -> tuple[float, float]:
    """Return the standard error of ours minus theirs, nan where one has none, and its degrees of freedom."""
    variances = ours.standard_error**2, theirs.standard_error**2
    total = sum(variances)
    if math.isnan(total) or total == 0:
        return total, math.nan
    if lent:
        parts = [(variances[0] * (1 + ours.n / theirs.n), ours.n)]
    else:
        parts = [(variance, one.n) for variance, one in zip(variances, (ours, theirs), strict=True)]
    doubt = sum(variance**2 / (n - 1) for variance, n in parts if variance)
    return math.sqrt(total), total**2 / doubt if doubt else math.inf


def welch_interval(ours: Estimate, theirs: Estimate) -> Interval:
    """Return the 95 % interval of ours minus theirs, of independent seeds and unequal variance; nan where n is 1.

    Where both are shares, their own intervals are combined instead, l = d - sqrt((p - l_p)^2 + (u_q - q)^2) and u
    likewise, which counts the images, lies in [-1, 1], and has a width even if all seeds give the same number.

    Reference: Welch 1947, Biometrika 34, 28-35, degrees of freedom by Satterthwaite; for shares Newcombe 1998, Stat.
    Med. 17, 873-890, method 10, with the intervals of ``share_interval``.

    >>> welch_interval(Estimate(2.0, 0.1, 5), Estimate(1.0, 0.1, 5))
    Interval(low=0.6738817677105828, high=1.3261182322894172)
    """
    value = ours.mean - theirs.mean
    if min(ours.n, theirs.n) < 2:
        return Interval(math.nan, math.nan)
    if ours.num_images is not None and theirs.num_images is not None:
        one, two = ours.interval, theirs.interval
        low = value - math.hypot(ours.mean - one.low, two.high - theirs.mean)
        return Interval(low, value + math.hypot(one.high - ours.mean, theirs.mean - two.low))
    parts = [(found.standard_error**2, found.n) for found in (ours, theirs)]
    seeds = sum(variance for variance, _ in parts)
    doubt = sum(variance**2 / (n - 1) for variance, n in parts)
    from scipy import special

    half = float(special.stdtrit(seeds**2 / doubt, 0.975)) * math.sqrt(seeds) if doubt else 0.0
    return Interval(value - half, value + half)


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
