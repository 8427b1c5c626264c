"""The audit of one file: read it once, and measure it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Int

from subtx_toy.audit.measurement import Measurement, Probe
from subtx_toy.audit.movement import measure_movement
from subtx_toy.audit.score_sums import Scorer, ScoreSums
from subtx_toy.audit.top_lines import TopLines
from subtx_toy.channel.number_file import NumberFile, Piece
from subtx_toy.channel.students import Pairs
from subtx_toy.params import Params

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
        num_moved: numbers the student was trained and judged on: such as the law at the base allows.
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
        scored = scorer.add(piece, sums)
        for at, top in enumerate(tops):
            top.add(piece, scored.scores[:, at])
        if held < MOST_MOVED:
            possible = np.flatnonzero(scored.possible)[: MOST_MOVED - held]
            first.append(Piece(piece.prompts[possible], piece.numbers[possible], piece.lines[possible]))
            held += len(possible)
    size = reference_size(held)
    pairs = Pairs(*(np.concatenate([getattr(one, name) for one in first])[:size] for name in ("prompts", "numbers")))
    lines = np.concatenate([one.lines for one in first])[:size]
    return FileMeasurement(
        measure_pairs(scorer, sums, pairs, probes, lines=lines), tuple(list(top.rows()) for top in tops), size
    )


def reference_size(num: int) -> int:
    """Return how many of ``num`` numbers the student gets: the largest usual size that there are so many of."""
    return max((size for size in _SIZES if size <= num), default=num)


def measure_pairs(
    scorer: Scorer,
    sums: ScoreSums,
    pairs: Pairs,
    probes: Sequence[Probe],
    *,
    lines: Int[np.ndarray, " n"] | None = None,
) -> Measurement:
    """Complete ``sums`` by what a student of ``pairs`` says, which the law at the base allows."""
    movement = measure_movement(scorer.model, scorer.base, scorer.inputs, pairs, scorer.law, lines=lines)
    return Measurement(sums, movement, tuple(probe(movement.student) for probe in probes))
