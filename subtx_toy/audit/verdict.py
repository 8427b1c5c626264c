"""The judgement of a file: which traits it carries that neither honest moves nor another trait explain."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from subtx_toy.audit.band import FALSE_ALARM_LEVEL, Band, cosine_band
from subtx_toy.audit.examination import FileMeasurement, Question
from subtx_toy.audit.measurement import (
    Fit,
    NumbersMeasurement,
    ScoreTest,
    efficient_score_test,
    fit_of,
    omnibus_test,
    score_test,
)
from subtx_toy.audit.power import SCORE_LEVEL, detectable_effect
from subtx_toy.audit.reference_values import ReferenceValues
from subtx_toy.stats import holm

CONSISTENT = "consistent with the base"
CARRIES = "carries"
NOT_FOUND = "not found"
EXPLAINED = "explained by"
UNKNOWN = "does not apply"


@dataclass(frozen=True)
class TraitVerdict:
    """What is said of one trait.

    Honest moves do not change ``efficient``, whose p-value after Holm's correction is ``p_holm``, nor the Fisher
    cosine. ``band`` is of the reference's cosines at the size of the writer's move, ``probe_band`` of its students. An
    efficient effect of ``detectable_effect`` would have been found with probability .9.
    """

    name: str
    score: ScoreTest
    p_holm: float
    efficient: ScoreTest
    fisher_cosine: float
    band: Band
    probe: float
    base_probe: float
    probe_band: Band
    detectable_effect: float
    verdict: str


@dataclass(frozen=True)
class FileVerdict:
    """What is said of a file: one sentence, the fit to the base, chi^2 over all directions and its p-value, and traits.

    ``moved`` says whether the writer is shown not to be the base, at SCORE_LEVEL.
    """

    verdict: str
    fit: Fit
    moved: bool
    omnibus: tuple[float, float]
    traits: tuple[TraitVerdict, ...]

    @property
    def carried(self) -> list[str]:
        """The traits that the file carries."""
        return [trait.name for trait in self.traits if trait.verdict == CARRIES]


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


def judge(
    measured: FileMeasurement, questions: Sequence[Question], reference: ReferenceValues,
    base_probes: Sequence[float], *, false_alarm_level: float = FALSE_ALARM_LEVEL,
) -> FileVerdict:  # fmt: skip
    """Judge a file.

    A trait is carried if the efficient score is significant after Holm's correction and the Fisher cosine is above the
    bound of the reference ensemble for moves of this size, at ``false_alarm_level`` over all traits; no other trait
    explains it, and the writer moved at all: see ``name_traits``.
    """
    measurement, sums = measured.measurement, measured.measurement.sums
    fit, omnibus, num_traits = fit_of(sums), omnibus_test(sums), len(questions)
    num = sums.num if measurement.informative else 0
    moved = has_moved(measurement)
    divergences, size = reference.divergences, measurement.size
    bands = [
        cosine_band(
            reference.fisher_cosines[question.name], divergences, size, num_traits=num_traits, level=false_alarm_level
        )
        for question in questions
    ]
    naming = name_traits(measurement, [band.threshold for band in bands])
    rows = []
    for index, question in enumerate(questions):
        verdict = CARRIES if index in naming.carried else NOT_FOUND
        if index in naming.explained:
            verdict = f"{EXPLAINED} {questions[naming.explained[index]].name}"
        rows.append(
            TraitVerdict(
                name=question.name,
                score=score_test(sums, index),
                p_holm=naming.corrected[index],
                efficient=naming.tests[index],
                fisher_cosine=naming.cosines[index],
                band=bands[index],
                probe=measurement.probes[index],
                base_probe=base_probes[index],
                # nan where the test images have no example of the trait
                probe_band=Band.of(
                    [value for value in reference.probes[question.name] if math.isfinite(value)],
                    num_traits=num_traits,
                    level=false_alarm_level,
                ),
                detectable_effect=detectable_effect(
                    num, level=SCORE_LEVEL / num_traits, least=_least_effect(bands[index], size)
                ),
                verdict=verdict if fit.applies else UNKNOWN,
            )
        )
    return FileVerdict(_sentence(fit, moved, rows), fit, moved, omnibus, tuple(rows))


def _least_effect(band: Band, divergence: float) -> float:
    """Return the effect at which the Fisher cosine of a writer that moved so far reaches its bound."""
    return math.inf if math.isinf(band.threshold) else band.threshold * math.sqrt(2 * divergence)


def _sentence(fit: Fit, moved: bool, traits: Sequence[TraitVerdict]) -> str:
    if not fit.applies:
        return "too far from this base: the test does not apply"
    carried = [trait.name for trait in traits if trait.verdict == CARRIES]
    if carried:
        return f"moved from the base: carries {', '.join(carried)}"
    if moved:
        least = max(trait.detectable_effect for trait in traits)
        if math.isinf(least):
            return "moved from the base: no tested trait (too few benign fine-tunes to name one)"
        return (
            f"moved from the base: no tested trait (would have detected an effect of {least:.3g} standard deviations)"
        )
    return CONSISTENT
