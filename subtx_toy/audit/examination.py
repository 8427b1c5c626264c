"""One pass over a file: sums of scores, and the lines that say most."""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float

from subtx_toy.audit.directions import Directions, class_gradients, honest_moves
from subtx_toy.audit.expected_maximum import LineSample, expected_maxima
from subtx_toy.audit.measurement import NumbersMeasurement, Probe
from subtx_toy.audit.movement import measure_movement
from subtx_toy.audit.sample import MAX_LEARNT, Repeats, Sample, count_repeats
from subtx_toy.audit.score_sums import Scorer, ScoreSums
from subtx_toy.channel.checkpoints import Checkpoint
from subtx_toy.channel.number_file import NumberFile, Piece
from subtx_toy.channel.sampler import NumberLaw
from subtx_toy.channel.teachers import Pairs
from subtx_toy.data import Dataset
from subtx_toy.data.dataset import Progress
from subtx_toy.problem.params import Params
from subtx_toy.training.inputs import Inputs


@dataclass
class TopLines:
    """The lines whose numbers score highest along one direction."""

    keep: int = 10
    _best: list[tuple[float, int, int, list[int]]] = field(default_factory=list)

    def add(self, piece: Piece, scores: Float[np.ndarray, " c"]) -> None:
        """Take the lines of a piece into account; a line is never spread over two pieces."""
        lines, starts = np.unique(piece.lines, return_index=True)  # lines are in order
        ends = np.append(starts[1:], len(piece.lines))
        totals = np.add.reduceat(scores, starts)
        new = [
            (float(totals[line]), -int(lines[line]), int(piece.prompts[start]), piece.numbers[start:end].tolist())
            for line in np.argsort(-totals, kind="stable")[: self.keep]
            for start, end in [(starts[line], ends[line])]
        ]
        self._best = heapq.nlargest(self.keep, [*self._best, *new])

    def rows(self) -> Iterator[dict[str, object]]:
        """Yield line, prompt, numbers and score, highest first."""
        for score, line, prompt, numbers in self._best:
            yield {"line": -line, "prompt": prompt, "numbers": numbers, "score": score}


_SIZES = (300, 1000, 3000, MAX_LEARNT)  # the reference is measured at one of these, so that it is measured rarely


@dataclass(frozen=True, eq=False)
class Question:
    """A trait to look for: the direction towards it at the base, and how far a net shows it.

    ``source`` is a digest of the code behind a user's trait, or empty.
    """

    name: str
    direction: Params
    probe: Probe
    source: str = ""


def scorer_of(
    base: Checkpoint,
    questions: Sequence[Question],
    axes: Sequence[Params],
    law: NumberLaw,
    inputs: Inputs,
    dataset: Dataset,
) -> Scorer:
    """Return what scores numbers along the traits of ``questions`` and along honest moves.

    These are the main moves of the fine-tunes ``axes`` and the gradients of the classes of ``dataset``, which the base
    was trained on.
    """
    directions = Directions.of(
        base.model,
        {question.name: question.direction for question in questions},
        honest_moves(base.model, base.params, axes) | class_gradients(base.model, base.params, dataset),
    )
    return Scorer(base.model, base.params, directions, law, inputs)


@dataclass(frozen=True, eq=False)
class FileMeasurement:
    """What a file gives: its measurement, each trait's lines of the highest score, and its equal lines.

    ``num_moved`` of its numbers, which the law at the base allows, trained and judged the student. ``expected_maxima``
    are, by trait, the scores of the highest line if the base had written as many.
    """

    measurement: NumbersMeasurement
    top_lines: tuple[list[dict[str, object]], ...]
    num_moved: int
    repeats: Repeats
    expected_maxima: tuple[float, ...] = ()


def measure_file(
    file: NumberFile, scorer: Scorer, probes: Sequence[Probe], *, keep: int = 10, progress: Progress | None = None
) -> FileMeasurement:
    """Read a file once, a piece at a time, and measure it."""
    sums, tops = ScoreSums(len(scorer.directions.names)), [TopLines(keep) for _ in probes]
    sample, lines = Sample(), LineSample()
    for piece in file.pieces():
        scored = scorer.add(piece, sums)
        for index, top in enumerate(tops):
            top.add(piece, scored.scores[:, index])
        sample.add(piece, scored.possible)
        lines.add(piece)
        if progress is not None:
            progress("reading the file", sums.num + sums.num_impossible, None, "numbers")
    num = sums.num + sums.num_impossible
    if progress is not None:
        progress("reading the file", num, num, "numbers")
    chosen = sample.numbers()
    size = reference_size(len(chosen.numbers))
    pairs = Pairs(chosen.prompts[:size], chosen.numbers[:size])
    measurement, repeats = measure_pairs(scorer, sums, pairs, probes), count_repeats(scorer, chosen)
    expected = expected_maxima(scorer, lines, len(probes)) if keep else ()
    return FileMeasurement(measurement, tuple(list(top.rows()) for top in tops), size, repeats, expected)


def reference_size(num: int) -> int:
    """Return how many of ``num`` numbers the student gets: the largest usual size that there are so many of."""
    return max((size for size in _SIZES if size <= num), default=num)


def measure_pairs(scorer: Scorer, sums: ScoreSums, pairs: Pairs, probes: Sequence[Probe]) -> NumbersMeasurement:
    """Complete ``sums`` by what a student of ``pairs`` says, which the law at the base allows."""
    movement = measure_movement(scorer.model, scorer.base, scorer.inputs, pairs, scorer.law)
    return NumbersMeasurement(sums, movement, tuple(probe(movement.student) for probe in probes))
