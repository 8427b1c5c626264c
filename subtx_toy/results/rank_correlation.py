"""Rank correlations over settings, with bootstrap intervals: how well a number orders what it is to predict."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from subtx_toy.seeding import generator
from subtx_toy.stats import Interval

NUM_RESAMPLES = 2_000
"""Resamples of settings behind an interval, and permutations behind a control; fixed beforehand."""

_MONOTONE = 1e-12  # of 1 - rho^2: below it nothing is left of the ranks that those held fixed do not say

Values = Float[np.ndarray, " n"]


def ranks(values: Values) -> Values:
    """Return the ranks from 1 on; equal values share the mean of their ranks.

    >>> ranks(np.array([0.3, 0.1, 0.3])).tolist()
    [2.5, 1.0, 2.5]
    """
    found: Values = _ranks_of_samples(values, np.arange(len(values))[None])[0]
    return found


def _ranks_of_samples(values: Values, index: Int[np.ndarray, "s n"]) -> Float[np.ndarray, "s n"]:
    """Return the ranks within each sample ``values[index[s]]``."""
    distinct, codes = np.unique(values, return_inverse=True)
    num, size = len(index), len(distinct)
    drawn = codes[index]
    counts = np.bincount((drawn + size * np.arange(num)[:, None]).ravel(), minlength=num * size).reshape(num, size)
    middle = np.cumsum(counts, axis=1) - (counts - 1) / 2
    found: Float[np.ndarray, "s n"] = np.take_along_axis(middle, drawn, axis=1)
    return found


def spearman(x: Values, y: Values) -> float:
    """Return Spearman's rho, Pearson's correlation of the ranks, in [-1, 1]; nan where one of both is constant."""
    return float(_correlations(ranks(x)[None], ranks(y)[None])[0])


def partial_spearman(x: Values, y: Values, given: Values) -> float:
    """Return the partial correlation of the ranks of x and y with the ranks of ``given`` held fixed, in [-1, 1].

    nan where x or y is a monotone function of ``given``. Reference: Kendall 1942, Biometrika 32, 277-283.
    """
    one, other, third = (ranks(values)[None] for values in (x, y, given))
    return float(_partial(*(_correlations(*pair) for pair in ((one, other), (one, third), (other, third))))[0])


def _correlations(x: Float[np.ndarray, "s n"], y: Float[np.ndarray, "s n"]) -> Float[np.ndarray, " s"]:
    """Return Pearson's correlation of each row of x with that of y; nan where one of both is constant."""
    x, y = x - x.mean(axis=1, keepdims=True), y - y.mean(axis=1, keepdims=True)
    size = np.sqrt((x * x).sum(axis=1) * (y * y).sum(axis=1))
    with np.errstate(invalid="ignore", divide="ignore"):
        found: Float[np.ndarray, " s"] = (x * y).sum(axis=1) / size
    return found


def _partial(xy: Values, xz: Values, yz: Values) -> Values:
    spread = (1 - xz**2) * (1 - yz**2)
    spread[~(spread > _MONOTONE)] = np.nan
    found: Values = (xy - xz * yz) / np.sqrt(spread)
    return found


@dataclass(frozen=True)
class RankCorrelation:
    """How a predictor orders ``n`` settings.

    Attributes:
        rho: Spearman's, between setting means.
        interval: percentile bootstrap over settings, 95 %.
        partial: rho with the naive predictor held fixed; nan for the naive one itself.
        partial_interval: its interval.
        gain: rho minus that of the naive predictor.
        gain_interval: its interval, of pairs resampled together.
        permuted: interval that holds 95 % of rho when the settings of the predictor are permuted: the control.
    """

    rho: float
    interval: Interval
    partial: float
    partial_interval: Interval
    gain: float
    gain_interval: Interval
    permuted: Interval
    n: int


def correlate(predictor: Values, target: Values, naive: Values) -> RankCorrelation:
    """Return how ``predictor`` orders ``target``, overall and next to a ``naive`` predictor; all ``[n]``, finite.

    Reference: Efron 1979, Ann. Statist. 7, 1-26.
    """
    n = len(target)
    rng = generator(0, "rank correlation")
    whole, resampled = np.arange(n)[None], rng.integers(0, n, (NUM_RESAMPLES, n))
    permuted = rng.permuted(np.tile(ranks(predictor), (NUM_RESAMPLES, 1)), axis=1)
    control = _correlations(permuted, np.tile(ranks(target), (NUM_RESAMPLES, 1)))
    rho, partial, gain = (float(one[0]) for one in _three(predictor, target, naive, whole))
    rhos, partials, gains = map(_interval, _three(predictor, target, naive, resampled))
    return RankCorrelation(rho, rhos, partial, partials, gain, gains, _interval(control), n)


def _three(predictor: Values, target: Values, naive: Values, index: Int[np.ndarray, "s n"]) -> tuple[Values, ...]:
    """Return rho, its partial and its gain over the naive predictor's, for every sample of settings."""
    x, y, z = (_ranks_of_samples(values, index) for values in (predictor, target, naive))
    xy, xz, yz = _correlations(x, y), _correlations(x, z), _correlations(y, z)
    return xy, _partial(xy, xz, yz), xy - yz


def _interval(values: Values) -> Interval:
    kept = values[np.isfinite(values)]
    if not len(kept):
        return Interval(float("nan"), float("nan"))
    low, high = np.quantile(kept, [0.025, 0.975])
    return Interval(float(low), float(high))
