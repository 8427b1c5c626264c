"""The judgement of a file, from its measurement and the reference ensemble's."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from subtx_toy.audit.band import Band, cosine_band
from subtx_toy.audit.examination import FileMeasurement, Question
from subtx_toy.audit.measurement import Fit, ScoreTest, detectable_effect, fit_of, omnibus_test, score_test
from subtx_toy.audit.naming import SCORE_LEVEL, has_moved, name_traits
from subtx_toy.audit.reference_values import ReferenceValues

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


def judge(
    measured: FileMeasurement, questions: Sequence[Question], reference: ReferenceValues, base_probes: Sequence[float]
) -> FileVerdict:
    """Judge a file.

    A trait is carried if the efficient score is significant after Holm's correction and the Fisher cosine is above the
    bound of the reference ensemble for moves of this size, no other trait explains it, and the writer moved at all:
    see ``name_traits``.
    """
    measurement, sums = measured.measurement, measured.measurement.sums
    fit, omnibus, num_traits = fit_of(sums), omnibus_test(sums), len(questions)
    num = sums.num if measurement.informative else 0
    moved = has_moved(measurement)
    divergences, size = reference.divergences, measurement.divergence
    bands = [
        cosine_band(reference.fisher_cosines[question.name], divergences, size, num_traits=num_traits)
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
                    [value for value in reference.probes[question.name] if math.isfinite(value)], num_traits=num_traits
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
