"""Which of several traits a file carries: those that neither honest moves nor another trait explain."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from subtx_toy.audit.measurement import Measurement, ScoreTest, efficient_score_test
from subtx_toy.stats import holm

SCORE_LEVEL = 0.01
"""Of the score tests of one file together, and of the tests for a move."""


@dataclass(frozen=True)
class Naming:
    """What was found, trait by trait; traits are the first directions of the sums, the others are honest moves.

    Attributes:
        tests: the efficient score tests, beside the honest moves; ``corrected`` their p-values by Holm's method.
        cosines: the Fisher cosines, beside the honest moves too.
        carried: the traits that are named, the one with the largest cosine first.
        explained: of a trait that would be named alone, but not beside those that are: the first of these.
    """

    tests: tuple[ScoreTest, ...]
    corrected: tuple[float, ...]
    cosines: tuple[float, ...]
    carried: tuple[int, ...]
    explained: dict[int, int]


def name_traits(measurement: Measurement, thresholds: Sequence[float]) -> Naming:
    """Name the traits whose score is significant and whose cosine is above its threshold.

    After the one with the largest cosine, a further trait is named only if that still holds when the named ones are
    taken out of its direction as honest moves are: traits that are alike would otherwise be named for one another.
    """
    sums, num = measurement.sums, len(thresholds)
    honest = list(range(num, len(sums.scores)))
    tests = tuple(efficient_score_test(sums, at, honest) for at in range(num))
    cosines = tuple(measurement.fisher_cosine(at, honest) for at in range(num))
    corrected = tuple(holm([test.p_value if test.p_value == test.p_value else 1.0 for test in tests]))
    left = [at for at in range(num) if corrected[at] < SCORE_LEVEL and cosines[at] > thresholds[at]]
    carried: list[int] = []
    explained: dict[int, int] = {}
    beside = dict(enumerate(cosines))
    while left:
        carried.append(max(left, key=lambda at: beside[at]))
        left.remove(carried[-1])
        for at in list(left):
            beside[at] = measurement.fisher_cosine(at, honest + carried)
            significant = efficient_score_test(sums, at, honest + carried).p_value < SCORE_LEVEL / num
            if not (significant and beside[at] > thresholds[at]):
                left.remove(at)
                explained[at] = carried[0]
    return Naming(tests, corrected, cosines, tuple(carried), explained)
