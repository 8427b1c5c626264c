"""Three statistics of two groups of lines, for many assignments at once, and one p-value that is exact for all."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from subtx_toy.audit.two_files.classifier import LinearClassifier
from subtx_toy.audit.two_files.exchange import Exchange
from subtx_toy.audit.two_files.lines import Lines

NAMES = ("tokens", "features", "classifier")
"""Chi^2 of the counts of tokens; the largest standardised difference of a feature; a classifier's held-out margin."""

_AT_ONCE = 250  # assignments: each costs n numbers of memory


@dataclass(frozen=True)
class PermutationTest:
    """What a permutation test found.

    Attributes:
        p_values: of each statistic alone, by name.
        p_value: of all of them together, by the smallest of their p-values (Westfall and Young 1993).
        exchanges: random assignments, the observed one not counted.
        statistics: the observed values, by name.
        null_mean: of chi^2 of the tokens over the exchanges.
        null_sd: its standard deviation over the exchanges; 0 where they change nothing.
    """

    p_values: dict[str, float]
    p_value: float
    exchanges: int
    statistics: dict[str, float]
    null_mean: float
    null_sd: float


def permutation_test(exchange: Exchange, *, exchanges: int, seed: int) -> PermutationTest:
    """Compare the files with random exchanges of their lines.

    If one writer wrote both, the observed assignment is as likely as every other, so each p-value, (1 + exchanges that
    are at least as extreme) / (1 + all), is at most a with probability at most a, whatever the law of the lines.
    """
    lines = exchange.lines
    classifier = LinearClassifier.of(lines)
    labels = exchange.labels(exchanges, seed=seed)
    parts = [np.asarray(lines.second, dtype=np.float64)[:, None]]
    parts += [labels[:, at : at + _AT_ONCE] for at in range(0, exchanges, _AT_ONCE)]
    values = np.concatenate([_statistics(lines, classifier, part) for part in parts], axis=1)
    # the rank of every assignment among all of them, observed or not: one null for each, and for the smallest
    ranks = np.stack([_upper_tail(row) for row in values])
    smallest = ranks.min(axis=0)
    p_value = float((smallest <= smallest[0]).mean())
    return PermutationTest(
        dict(zip(NAMES, map(float, ranks[:, 0]), strict=True)), p_value, exchanges,
        dict(zip(NAMES, map(float, values[:, 0]), strict=True)),
        float(values[0, 1:].mean()), float(np.round(values[0, 1:].std(), 9)),
    )  # fmt: skip


def _upper_tail(values: Float[np.ndarray, " b"]) -> Float[np.ndarray, " b"]:
    """Return for each value the share of all that are at least as large, equal up to rounding."""
    values = np.round(values, 9)
    ranked = np.sort(values)
    return (len(values) - np.searchsorted(ranked, values, side="left")) / len(values)


def _statistics(
    lines: Lines, classifier: LinearClassifier, labels: Float[np.ndarray, "n b"]
) -> Float[np.ndarray, "3 b"]:
    return np.stack([token_statistic(lines, labels), feature_statistic(lines, labels), classifier.margin(labels)])


def token_statistic(lines: Lines, labels: Float[np.ndarray, "n b"]) -> Float[np.ndarray, " b"]:
    """Return Pearson's chi^2 of the table of tokens by file, one a column of ``labels``; 0 where a file is empty."""
    total = np.asarray(lines.counts.sum(axis=0)).ravel()[:, None]
    second = lines.counts.T @ labels
    share = second.sum(axis=0) / max(total.sum(), 1)
    expected = total * share
    variance = expected * (1 - share)
    parts = np.divide((second - expected) ** 2, variance, out=np.zeros_like(second), where=variance > 0)
    found: Float[np.ndarray, " b"] = parts.sum(axis=0)
    return found


def feature_statistic(lines: Lines, labels: Float[np.ndarray, "n b"]) -> Float[np.ndarray, " b"]:
    """Return the largest difference between the files' means of a feature, in standard errors."""
    sizes = np.maximum(labels.sum(axis=0), 1), np.maximum((1 - labels).sum(axis=0), 1)
    means = (lines.features.T @ labels) / sizes[0] - (lines.features.T @ (1 - labels)) / sizes[1]
    found: Float[np.ndarray, " b"] = np.abs(means / np.sqrt(1 / sizes[0] + 1 / sizes[1])).max(axis=0)
    return found
