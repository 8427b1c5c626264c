"""Which of several traits a file carries: those that neither honest moves nor another trait explain."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from subtx_toy.audit.measurement import NumbersMeasurement, ScoreTest, efficient_score_test, omnibus_test
from subtx_toy.stats import holm

SCORE_LEVEL = 0.01
"""Of the score tests of one file together, and of the tests for a move."""


@dataclass(frozen=True)
class Naming:
    """What was found, trait by trait, without the part that honest moves explain.

    ``corrected`` are the tests' p-values by Holm's method; ``carried`` the named traits, the largest cosine first;
    ``explained`` maps a trait that would be named alone to the first of those.
    """

    tests: tuple[ScoreTest, ...]
    corrected: tuple[float, ...]
    cosines: tuple[float, ...]
    carried: tuple[int, ...]
    explained: dict[int, int]


def has_moved(measurement: NumbersMeasurement) -> bool:
    """Return whether the likelihood ratio or the scores, each at SCORE_LEVEL / 2, show that the base did not write."""
    evidence = measurement.movement.log_evidence >= math.log(2 / SCORE_LEVEL)
    return evidence or omnibus_test(measurement.sums)[1] < SCORE_LEVEL / 2


def name_traits(measurement: NumbersMeasurement, thresholds: Sequence[float]) -> Naming:
    """Name the traits whose score is significant and whose cosine is above its threshold, if the writer moved.

    A writer that is not shown to have moved carries none: one score can be significant where the test of all
    directions together is not, and then the cosine is a quotient of two small numbers.

    After the one with the largest cosine, a further trait is named only if that still holds when the named ones are
    taken out of its direction as honest moves are: traits that are alike would otherwise be named for one another.
    """
    sums, num = measurement.sums, len(thresholds)
    honest = list(range(num, len(sums.scores)))
    tests = tuple(efficient_score_test(sums, index, honest) for index in range(num))
    cosines = tuple(measurement.fisher_cosine(index, honest) for index in range(num))
    corrected = tuple(holm([test.p_value if test.p_value == test.p_value else 1.0 for test in tests]))
    significant = [
        index for index in range(num) if corrected[index] < SCORE_LEVEL and cosines[index] > thresholds[index]
    ]
    left = significant if has_moved(measurement) else []
    carried: list[int] = []
    explained: dict[int, int] = {}
    remaining = dict(enumerate(cosines))
    while left:
        carried.append(max(left, key=lambda index: remaining[index]))
        left.remove(carried[-1])
        for index in list(left):
            remaining[index] = measurement.fisher_cosine(index, honest + carried)
            test = efficient_score_test(sums, index, honest + carried)
            if not (test.p_value < SCORE_LEVEL / num and remaining[index] > thresholds[index]):
                left.remove(index)
                explained[index] = carried[0]
    return Naming(tests, corrected, cosines, tuple(carried), explained)
