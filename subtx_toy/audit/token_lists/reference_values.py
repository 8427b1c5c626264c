"""What honest fine-tunes write to a file's prompts, measured exactly as the file is, and cached."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from subtx_toy.audit.examination import Question
from subtx_toy.audit.measurement import NumbersMeasurement
from subtx_toy.audit.movement import Movement
from subtx_toy.audit.reference import fingerprint
from subtx_toy.audit.reference_cache import cached_reference
from subtx_toy.audit.score_sums import ScoreSums
from subtx_toy.audit.token_lists.examination import measure_nets
from subtx_toy.audit.token_lists.scorer import PER_LINE, ListScorer
from subtx_toy.data.dataset import Progress
from subtx_toy.files.content_key import block_key
from subtx_toy.problem.params import Params
from subtx_toy.settings.base import RESULTS_VERSION

MEASUREMENT_VERSION = 1
"""Bump this whenever the measurement of lists changes, so that stale cached values are not reused."""

_NUMBER_BYTES = 25  # of a float in JSON


def measure_reference(
    nets: Sequence[Params], scorer: ListScorer, questions: Sequence[Question], prompts: Sequence[tuple[int, ...]],
    *, size: int, max_numbers: int, progress: Progress | None = None,
) -> list[NumbersMeasurement]:  # fmt: skip
    """Measure honest fine-tunes at ``size`` lists each, or find that in the cache; the students are not kept."""
    directions = scorer.directions
    names = [question.name for question in questions]
    if names != list(directions.names[: directions.num_traits]):
        raise ValueError(f"questions: expected those of the directions, {directions.names}, got {names}")
    key = {
        "nets": [fingerprint(net) for net in nets],
        "base": fingerprint(scorer.base),
        "model": asdict(scorer.model),
        "directions": block_key(*(value.contiguous().numpy().tobytes() for value in directions.tangents.values())),
        "traits": names,
        "law": asdict(scorer.law),
        "prompts": [list(prompt) for prompt in prompts],
        "size": size,
        "max_numbers": max_numbers,
        "measurement_version": MEASUREMENT_VERSION,
        "results_version": RESULTS_VERSION,
    }
    shape = len(nets), len(directions.names), len(names)

    def measure() -> list[NumbersMeasurement]:
        probes = [question.probe for question in questions]
        return measure_nets(nets, scorer, prompts, probes, size=size, max_numbers=max_numbers, progress=progress)

    return cached_reference(
        "language",
        key,
        measure,
        num_bytes=_NUMBER_BYTES * len(nets) * (len(directions.names) + 4) ** 2,
        encode=lambda measured: [_row(one) for one in measured],
        decode=lambda rows: _sound([_measurement(row) for row in rows], shape),
    )


def _row(measured: NumbersMeasurement) -> dict[str, Any]:
    sums, movement = measured.sums, measured.movement
    return {
        "num": sums.num,
        "num_impossible": sums.num_impossible,
        "scores": sums.scores.tolist(),
        "covariance": sums.covariance.tolist(),
        **{name: getattr(sums, name) for name in PER_LINE},
        "gain": movement.gain,
        "log_evidence": movement.log_evidence,
        "probes": list(measured.probes),
    }


def _measurement(row: Mapping[str, Any]) -> NumbersMeasurement:
    scores = np.array(row["scores"], np.float64)
    sums = ScoreSums(len(scores), num=int(row["num"]), num_impossible=int(row["num_impossible"]))
    for name in PER_LINE:
        setattr(sums, name, float(row[name]))
    sums.scores, sums.covariance = scores, np.array(row["covariance"], np.float64)
    movement = Movement(float(row["gain"]), float(row["log_evidence"]), {})
    return NumbersMeasurement(sums, movement, tuple(map(float, row["probes"])))


def _sound(measured: list[NumbersMeasurement], shape: tuple[int, int, int]) -> list[NumbersMeasurement]:
    num, num_directions, num_traits = shape
    for one in measured:
        sizes = one.sums.scores.shape, one.sums.covariance.shape, len(one.probes)
        expected = (num_directions,), (num_directions, num_directions), num_traits
        if sizes != expected:
            raise ValueError(f"expected shapes of scores and covariance and a number of traits {expected}, got {sizes}")
    if len(measured) != num:
        raise ValueError(f"expected {num} fine-tunes, got {len(measured)}")
    return measured
