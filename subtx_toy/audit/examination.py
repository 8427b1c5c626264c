"""The audit of one file: measure it, measure the reference ensemble the same way, and judge."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Int

from subtx_toy.audit.directions import Directions
from subtx_toy.audit.measurement import Measurement, Probe
from subtx_toy.audit.movement import measure_movement
from subtx_toy.audit.reference import fingerprint
from subtx_toy.audit.score_sums import Scorer, ScoreSums, TopLines
from subtx_toy.channel.number_file import Header, NumberFile, Piece
from subtx_toy.channel.prompts import choose_rows
from subtx_toy.channel.sampler import draw_numbers
from subtx_toy.channel.students import Pairs
from subtx_toy.config import RESULTS_VERSION
from subtx_toy.data import Dataset, cache
from subtx_toy.params import Params
from subtx_toy.replacing import replacing
from subtx_toy.seeding import generator

MOST_MOVED = 10_000
"""Numbers of a file that a student is trained and judged on; the scores are taken of all."""

_SIZES = (300, 1000, 3000, MOST_MOVED)  # the reference is measured at one of these, so that it is measured rarely


@dataclass(frozen=True, eq=False)
class Question:
    """A trait to look for.

    Attributes:
        name: of the trait.
        direction: towards it, at the base.
        probe: how far a net shows it.
    """

    name: str
    direction: Params
    probe: Probe


@dataclass(frozen=True, eq=False)
class FileMeasurement:
    """A file as it was measured: on all its numbers, and on the first of them for the student.

    Attributes:
        measurement: of the file.
        top_lines: of each trait, the lines that score highest.
        num_moved: numbers the student was trained and judged on.
    """

    measurement: Measurement
    top_lines: tuple[list[dict[str, object]], ...]
    num_moved: int


def measure_file(file: NumberFile, scorer: Scorer, probes: Sequence[Probe], *, keep: int = 10) -> FileMeasurement:
    """Read a file once, a piece at a time, and measure it.

    Raises:
        InputError: if the file is not valid.
    """
    sums, tops = ScoreSums(len(scorer.directions.names)), [TopLines(keep) for _ in probes]
    first: list[Piece] = []
    held = 0
    for piece in file.pieces():
        scores = scorer.add(piece, sums)
        for at, top in enumerate(tops):
            top.add(piece, scores[:, at])
        if held < MOST_MOVED:
            possible = np.flatnonzero(scores.any(axis=1))[: MOST_MOVED - held]
            first.append(Piece(piece.prompts[possible], piece.numbers[possible], piece.lines[possible]))
            held += len(possible)
    size = reference_size(held)
    pairs = Pairs(*(np.concatenate([getattr(one, name) for one in first])[:size] for name in ("prompts", "numbers")))
    lines = np.concatenate([one.lines for one in first])[:size]
    return FileMeasurement(
        _measured(scorer, sums, pairs, lines, probes), tuple(list(top.rows()) for top in tops), len(pairs.rows)
    )


def reference_size(num: int) -> int:
    """Return how many of ``num`` numbers the student gets: the largest usual size that there are so many of."""
    return max((size for size in _SIZES if size <= num), default=num)


def _measured(
    scorer: Scorer, sums: ScoreSums, pairs: Pairs, lines: Int[np.ndarray, " n"] | None, probes: Sequence[Probe]
) -> Measurement:
    movement = measure_movement(scorer.model, scorer.base, scorer.inputs, pairs, scorer.law, lines=lines)
    return Measurement(sums, movement, tuple(probe(movement.student) for probe in probes))


def measure_nets(
    nets: Sequence[Params],
    scorer: Scorer,
    rows: Int[np.ndarray, " n"],
    probes: Sequence[Probe],
    *,
    seed: int,
    progress: Callable[[int], None] | None = None,
) -> list[Measurement]:
    """Have each net write one number for each of the prompts ``rows``, and measure it as a file is measured.

    The prompts' tangents are computed once for all nets.
    """
    drawn = [
        np.concatenate(
            draw_numbers(scorer.model, net, scorer.inputs, rows, scorer.law, generator(seed, "audit", "reference", at))
        )
        for at, net in enumerate(nets)
    ]
    num, found = len(rows), []
    whole = [ScoreSums(len(scorer.directions.names)) for _ in nets]
    step = 2048
    for start in range(0, num, step):
        part = slice(start, start + step)
        for sums, scores_of in zip(whole, _piecewise(scorer, rows[part], [one[part] for one in drawn]), strict=True):
            sums.add(scores_of)
    for at, (sums, numbers) in enumerate(zip(whole, drawn, strict=True), start=1):
        found.append(_measured(scorer, sums, Pairs(rows, numbers), None, probes))
        if progress is not None:
            progress(at)
    return found


def _piecewise(scorer: Scorer, rows: Int[np.ndarray, " n"], drawn: Sequence[Int[np.ndarray, " n"]]) -> list[ScoreSums]:
    """Score the numbers that several nets wrote for the same prompts."""
    joint = ScoreSums(len(scorer.directions.names))
    num = len(rows)
    piece = Piece(np.tile(rows, len(drawn)), np.concatenate(drawn), np.arange(num * len(drawn)))
    scores = scorer.add(piece, joint)
    found = []
    for at in range(len(drawn)):
        one = ScoreSums(joint.num_directions, num=num)
        one.scores = scores[at * num : (at + 1) * num].sum(0)
        one.covariance = joint.covariance / len(drawn)  # the same prompts, so the same for every net
        found.append(one)
    return found


def reference_rows(header: Header, shown: Dataset | None, size: int) -> Int[np.ndarray, " n"]:
    """Return the prompts that the reference ensemble writes for: of the file's source, in an order of their own."""
    return choose_rows(header.prompts, shown, size, generator(0, "audit", "reference", "prompts"))


@dataclass(frozen=True)
class ReferenceValues:
    """What the reference ensemble gave, a value a fine-tune.

    Attributes:
        divergences: from the base, in nats a number.
        fisher_cosines: beside honest moves, by trait.
        probes: of students of their numbers, by trait.
    """

    divergences: list[float]
    fisher_cosines: dict[str, list[float]]
    probes: dict[str, list[float]]


def measure_reference(
    nets: Sequence[Params],
    scorer: Scorer,
    questions: Sequence[Question],
    header: Header,
    shown: Dataset | None,
    size: int,
    *,
    progress: Callable[[int], None] | None = None,
) -> ReferenceValues:
    """Measure the reference ensemble at ``size`` numbers, or find that in the cache."""
    key = {
        "nets": [fingerprint(net) for net in nets],
        "base": fingerprint(scorer.base),
        "directions": _fingerprint(scorer.directions),
        "traits": [question.name for question in questions],
        "header": header.model_dump(mode="json", by_alias=True),
        "size": size,
        "results_version": RESULTS_VERSION,
    }
    digest = hashlib.blake2b(json.dumps(key, sort_keys=True).encode(), digest_size=12).hexdigest()
    path = cache.root() / "numbers" / f"reference-{digest}.json"
    stored = _stored(path)
    if stored is not None:
        return stored
    rows = reference_rows(header, shown, size)
    probes = [question.probe for question in questions]
    measured = measure_nets(nets, scorer, rows, probes, seed=0, progress=progress)
    names, honest = [question.name for question in questions], slice(len(questions), None)
    values = ReferenceValues(
        [one.divergence for one in measured],
        {name: [one.fisher_cosine(at, honest) for one in measured] for at, name in enumerate(names)},
        {name: [one.probes[at] for one in measured] for at, name in enumerate(names)},
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as file:
        file.write(json.dumps(vars(values)).encode())
    return values


def _stored(path: Path) -> ReferenceValues | None:
    try:
        return ReferenceValues(**json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):  # not there, or damaged: measured again
        return None


def _fingerprint(directions: Directions) -> str:
    state = hashlib.blake2b(digest_size=16)
    for block in (*directions.weights, *directions.biases):
        state.update(block.numpy().tobytes())
    return state.hexdigest()
