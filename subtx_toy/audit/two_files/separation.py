"""How well single lines, and bags of lines, tell two files apart: AUROC, its law, and how many lines that takes.

A line's score is the sum over its tokens of log p_second / p_first, with laws counted on the other folds. If scores of
a bag add up independently, the AUROC of bags of K lines is Phi(sqrt(K) d / sqrt 2), where d is the difference of the
files' mean scores over their common standard deviation.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float
from scipy import special, stats

from subtx_toy.audit.two_files.folds import FOLDS, folds_of
from subtx_toy.audit.two_files.lines import Lines
from subtx_toy.seeding import generator

BAGS = (1, 2, 4, 8, 16, 32, 64, 128, 256)
"""Lines of a bag."""

MIN_BAGS = 20
"""Bags of each file below which no AUROC is measured."""

SMOOTHING = 0.5
"""Added to every count of a token (Jeffreys)."""

_REVERSED = 4.0  # standard errors: among files of one writer, about one pair of 500 is further below 0


@dataclass(frozen=True)
class Separation:
    """What tells two files apart, line by line.

    Attributes:
        effect: d, the difference of the mean held-out scores in standard deviations; about 0 for files of one writer.
        effect_error: its standard error over lines.
        measured: AUROC by the lines of a bag, nan where there are too few bags.
        predicted: the same by the law, from ``effect``.
    """

    effect: float
    effect_error: float
    measured: dict[int, float]
    predicted: dict[int, float]

    @property
    def is_reversed(self) -> bool:
        """Whether held-out lines look like the other file, so that AUROC is below .5: lines are not independent draws.

        A token that stands once in each file, as the number of a line does, is known to a held-out line from the other
        file alone, which reverses its sign. Independent lines have an effect of about 0 or above.
        """
        return self.effect < -_REVERSED * self.effect_error

    def bag_needed(self, auroc: float) -> int | None:
        """Return the lines of a bag for an AUROC, by the law; None without effect."""
        if self.effect <= self.effect_error:
            return None
        return max(1, math.ceil(2 * (special.ndtri(auroc) / self.effect) ** 2))


def separation(lines: Lines, *, seed: int) -> Separation:
    """Measure how well held-out lines are told apart by the counts of their tokens."""
    scores = token_scores(lines)
    first, second = scores[~lines.second], scores[lines.second]
    sizes = len(first), len(second)
    spread = math.sqrt((first.var(ddof=1) + second.var(ddof=1)) / 2) if min(sizes) > 1 else 0.0
    effect = float(second.mean() - first.mean()) / spread if spread > 0 else 0.0
    error = math.sqrt(1 / sizes[0] + 1 / sizes[1])
    rng = generator(seed, "compare", "bags")
    shuffled = rng.permutation(first), rng.permutation(second)
    measured, predicted = {}, {}
    for size in BAGS:
        bags = [part[: len(part) // size * size].reshape(-1, size).sum(axis=1) for part in shuffled]
        enough = min(map(len, bags)) >= MIN_BAGS
        measured[size] = auroc(bags[0], bags[1]) if enough else math.nan
        predicted[size] = float(special.ndtr(math.sqrt(size) * effect / math.sqrt(2)))
    return Separation(effect, error, measured, predicted)


def token_scores(lines: Lines) -> Float[np.ndarray, " n"]:
    """Return the log-ratio of each line, from the counts of the folds that it is not in."""
    folds = folds_of(lines)
    found = np.zeros(len(lines.second))
    for fold in range(FOLDS):
        learnt, held = folds != fold, folds == fold
        laws = [_law(lines, learnt & choice) for choice in (~lines.second, lines.second)]
        found[held] = lines.counts[np.flatnonzero(held)] @ (laws[1] - laws[0])
    return found


def _law(lines: Lines, chosen: Bool[np.ndarray, " n"]) -> Float[np.ndarray, " v"]:
    counts = np.asarray(lines.counts[np.flatnonzero(chosen)].sum(axis=0)).ravel() + SMOOTHING
    law: Float[np.ndarray, " v"] = np.log(counts / counts.sum())
    return law


def auroc(first: Float[np.ndarray, " a"], second: Float[np.ndarray, " b"]) -> float:
    """Return the probability that a score of the second is above one of the first, ties counted half.

    >>> auroc(np.array([0.0, 1.0]), np.array([1.0, 2.0]))
    0.875
    """
    ranks = stats.rankdata(np.concatenate([first, second]))[len(first) :]
    pairs = len(first) * len(second)
    return float((ranks.sum() - len(second) * (len(second) + 1) / 2) / pairs)


@dataclass(frozen=True)
class TokenDifference:
    """How often a token stands in either file, the log-ratio of its shares, and that in standard errors."""

    token: str
    first: int
    second: int
    log_ratio: float
    z: float


def token_differences(lines: Lines, *, most: int) -> list[TokenDifference]:
    """Return the tokens whose shares differ most, in standard errors that take tokens as independent; not tests."""
    first, second = (
        np.asarray(lines.counts[np.flatnonzero(choice)].sum(axis=0)).ravel() for choice in (~lines.second, lines.second)
    )
    smooth = [part + SMOOTHING for part in (first, second)]
    ratio = np.log(smooth[1] / smooth[1].sum()) - np.log(smooth[0] / smooth[0].sum())
    z = ratio / np.sqrt(1 / smooth[0] + 1 / smooth[1])
    order = np.argsort(-np.abs(z), kind="stable")[:most]
    return [
        TokenDifference(lines.tokens[at], int(first[at]), int(second[at]), float(ratio[at]), float(z[at]))
        for at in order
        if first[at] + second[at] > 0
    ]
