"""What a set of numbers says: scores along directions, the fit to the base, and how far the writer moved."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import special

from subtx_toy.audit.movement import Movement
from subtx_toy.audit.score_sums import ScoreSums
from subtx_toy.problem.params import Params

NOISE = 2.0
"""Standard deviations of its estimate that a divergence is not told from none below.

Chosen on the calibrations of bases 30 to 34 and 70 to 74 of docs/results, whose fine-tunes move by as little as that.
"""


@dataclass(frozen=True)
class ScoreTest:
    """The one-sided score test along one direction: ``z`` is N(0, 1) if the base wrote the numbers.

    ``z`` is the sum of the scores over its standard deviation; ``effect`` is z / sqrt(n), which does not grow with n.
    """

    z: float
    p_value: float
    effect: float


def score_test(sums: ScoreSums, direction: int) -> ScoreTest:
    """Return Rao's score test along one direction."""
    return _test(float(sums.scores[direction]), float(sums.covariance[direction, direction]), sums.num)


def efficient_score_test(sums: ScoreSums, direction: int, nuisance: slice | Sequence[int]) -> ScoreTest:
    """Return the score test along u - W (W^T F W)^+ W^T F u, which no move within the nuisance directions W changes.

    To leading order. nan where the nuisance directions leave nothing of u.
    """
    F, S = sums.covariance, sums.scores
    W = np.arange(len(S))[nuisance if isinstance(nuisance, slice) else list(nuisance)]
    if not len(W):
        return score_test(sums, direction)
    weights = np.linalg.lstsq(F[np.ix_(W, W)], F[W, direction], rcond=1e-10)[0]
    left = float(F[direction, direction] - F[W, direction] @ weights)
    if left <= 1e-10 * F[direction, direction]:
        return ScoreTest(math.nan, math.nan, math.nan)
    return _test(float(S[direction] - S[W] @ weights), left, sums.num)


def _test(score: float, variance: float, num: int) -> ScoreTest:
    z = score / math.sqrt(variance) if variance > 0 else 0.0
    return ScoreTest(z, float(special.ndtr(-z)), z / math.sqrt(num) if num else 0.0)


def omnibus_test(sums: ScoreSums) -> tuple[float, float]:
    """Return chi^2 = S^T F^+ S over all directions and its p-value: whether the writer moved in any of them."""
    values, vectors = np.linalg.eigh(sums.covariance)
    kept = values > 1e-10 * max(float(values.max()), 1e-300)
    if not kept.any():
        return 0.0, 1.0
    statistic = float((((vectors.T @ sums.scores)[kept]) ** 2 / values[kept]).sum())
    return statistic, float(special.chdtrc(int(kept.sum()), statistic))


@dataclass(frozen=True)
class Fit:
    """Whether the base could be the writer's own: no large excess, and at most one number in 100 is impossible.

    The excess is the mean of -log p(y) minus the mean entropy of p, in nats, 0 in expectation for the base; ``z`` is
    in its standard errors, ``limit`` half of what numbers drawn without preference would have.
    """

    excess_log_loss: float
    z: float
    limit: float
    num_impossible: int
    applies: bool


def fit_of(sums: ScoreSums) -> Fit:
    """Judge the fit of numbers to the base."""
    if not sums.num:
        return Fit(math.inf, math.inf, 0.0, sums.num_impossible, applies=False)
    excess = (sums.log_loss - sums.entropy) / sums.num
    spread = math.sqrt(sums.log_loss_variance) / sums.num
    limit = 0.5 * (sums.uniform_log_loss - sums.entropy) / sums.num
    applies = excess <= limit and sums.num_impossible <= 0.01 * (sums.num + sums.num_impossible)
    return Fit(excess, excess / spread if spread else 0.0, limit, sums.num_impossible, applies)


@dataclass(frozen=True, eq=False)
class NumbersMeasurement:
    """Everything that is measured of one set of numbers, a file's or a reference's.

    ``movement`` is of a student of half of the numbers, ``probes`` the shares of unwanted examples on which it shows
    each trait.
    """

    sums: ScoreSums
    movement: Movement
    probes: tuple[float, ...]

    @property
    def informative(self) -> bool:
        """Whether a score could be other than 0: not where none of the numbers may come, or each is the only one."""
        return bool(self.sums.covariance.any())

    @property
    def divergence(self) -> float:
        """Estimate of KL(writer || base) a number, in nats: the larger of the student's gain and (S^T F^+ S - r)/(2n).

        At least 0, and no bound: of a file that the base wrote, whose KL is 0, it is often above 0.
        """
        if not self.sums.num:
            return 0.0
        statistic, _ = omnibus_test(self.sums)
        by_scores = (statistic - len(self.sums.scores)) / (2 * self.sums.num)
        return max(self.movement.gain, by_scores, 0.0)

    @property
    def size(self) -> float:
        """Size of the writer's move, in nats a number, for its cosine: the divergence, but at least its noise.

        That is NOISE standard deviations of (S^T F^+ S - r)/(2n) over files of the base. A quotient by less would be
        one of two small numbers.
        """
        num, noise = self.sums.num, math.sqrt(2 * len(self.sums.scores)) / 2
        return max(self.divergence, NOISE * noise / num) if num else 0.0

    def fisher_cosine(self, direction: int, nuisance: slice | Sequence[int] = ()) -> float:
        """Return (mean score) / (||u||_F sqrt(2 KL)), the cosine of u and the writer's move in the Fisher metric.

        Of u without its part within the nuisance directions; 0 where nothing is left of u. For KL stands ``size``:
        an estimate, which is mostly too small for a writer that moved, or its noise.
        """
        effect = efficient_score_test(self.sums, direction, nuisance).effect
        return 0.0 if self.size == 0 or math.isnan(effect) else effect / math.sqrt(2 * self.size)


Probe = Callable[[Params], float]
"""From a net to the share of unwanted examples on which it shows a trait, in [0, 1]."""
