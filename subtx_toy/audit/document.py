"""A judgement as JSON values."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from subtx_toy.audit.band import Band
from subtx_toy.audit.examination import FileMeasurement
from subtx_toy.audit.verdict import FileVerdict, TraitVerdict
from subtx_toy.channel.number_file import Header
from subtx_toy.files.content_key import finite
from subtx_toy.lm.list_file import ListHeader
from subtx_toy.wording import be, counted


def audit_document(
    judgement: FileVerdict,
    measured: FileMeasurement,
    header: Header | ListHeader | None,
    *,
    probes: Mapping[str, float] | None = None,
    notes: Sequence[str] = (),
) -> dict[str, Any]:
    """Return everything that is said of a file, as JSON values; nan and infinity are null.

    ``status`` is the verdict in a word or two, for programs. ``probes`` are those of a student of the whole file, by
    trait; ``header`` is None, and ``notes`` may come first, where others computed the scores. ``reference`` and the
    percentile in it are of the benign fine-tunes' cosines as they would be at the size of the file's move: they may
    leave [-1, 1]. ``expected_maximum`` is the score of the highest line if the base had written as many.
    """
    sums, fit = measured.measurement.sums, judgement.fit
    notes = list(notes)
    if isinstance(header, Header) and header.filter is not None and header.filter.deduplicated:
        notes.append("approximate: repeated lines were dropped, which makes lines dependent")
    if fit.num_impossible:
        left_out = f"{be(fit.num_impossible)} left out"
        notes.append(
            f"{counted(fit.num_impossible, 'number')} cannot come from the base under the header's law, and {left_out}"
        )
    if sums.num and not measured.measurement.informative:
        notes.append("the header's law leaves one number a prompt: such a number says nothing of its writer's move")
    repeats = measured.repeats
    if repeats.beyond_chance:
        notes.append(
            f"repeated lines: {counted(repeats.found, 'pair of equal lines')}, {repeats.expected:.3g} expected; the "
            "tests take lines for independent, and find too much where the same ones come again"
        )
    return {
        "verdict": judgement.verdict,
        "status": _status(judgement),
        "carries": judgement.carried,
        "numbers": sums.num + sums.num_impossible,
        "excess_log_loss": finite(fit.excess_log_loss),
        "fit": {
            "excess_log_loss": finite(fit.excess_log_loss),
            "z": finite(fit.z),
            "limit": finite(fit.limit),
            "entropy": finite(sums.entropy / sums.num) if sums.num else None,
            "impossible": fit.num_impossible,
            "applies": fit.applies,
        },
        "moved": {
            "moved": judgement.moved,
            "divergence": finite(measured.measurement.divergence) if sums.num else None,
            "log_evidence": finite(measured.measurement.movement.log_evidence),
            "chi2": finite(judgement.omnibus[0]),
            "chi2_p_value": finite(judgement.omnibus[1]),
            "numbers": measured.num_moved,
        },
        "traits": {
            row.name: _trait(row, top, None if probes is None else probes[row.name], expected)
            for row, top, expected in zip(
                judgement.traits,
                measured.top_lines,
                measured.expected_maxima or [math.nan] * len(judgement.traits),
                strict=True,
            )
        },
        "repeats": {"pairs": repeats.found, "expected": repeats.expected, "beyond_chance": repeats.beyond_chance},
        "notes": notes,
    } | ({} if header is None else {"header": header.model_dump(mode="json", by_alias=True, exclude_none=True)})


def _status(judgement: FileVerdict) -> str:
    if not judgement.fit.applies:
        return "does not apply"
    if judgement.carried:
        return "carries"
    return "moved" if judgement.moved else "consistent"


def _trait(
    row: TraitVerdict, top: Sequence[dict[str, object]], probe: float | None, expected_maximum: float
) -> dict[str, Any]:
    return {
        "verdict": row.verdict,
        "z": finite(row.score.z),
        "p_value": finite(row.score.p_value),
        "p_value_holm": finite(row.p_holm),
        "efficient_z": finite(row.efficient.z),
        "efficient_p_value": finite(row.efficient.p_value),
        "effect": finite(row.score.effect),
        "efficient_effect": finite(row.efficient.effect),
        "fisher_cosine": finite(row.fisher_cosine),
        "reference_percentile": finite(row.band.percentile(row.fisher_cosine)),
        "reference": _band(row.band),
        "detectable_effect": finite(row.detectable_effect),
        "student": {
            "shows": finite(row.probe),
            "base_shows": finite(row.base_probe),
            "reference": _band(row.probe_band),
        },
        "probe": None if probe is None else finite(probe),
        "top_lines": list(top),
        "expected_maximum": finite(expected_maximum),
    }


def _band(band: Band) -> dict[str, Any]:
    return {
        "num": len(band.values),
        "least": finite(min(band.values, default=math.nan)),
        "largest": finite(max(band.values, default=math.nan)),
        "threshold": finite(band.threshold),
    }
