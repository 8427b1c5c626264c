"""The expected highest score of the base's own lines: against simulated files, and thinning that keeps every part."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from subtx_toy.audit.directions import Directions
from subtx_toy.audit.examination import TopLines
from subtx_toy.audit.expected_maximum import LineSample, expected_maxima
from subtx_toy.audit.score_sums import Scorer, ScoreSums
from subtx_toy.channel.number_file import Piece
from subtx_toy.channel.sampler import NumberLaw, draw_numbers
from subtx_toy.problem.params import Params
from subtx_toy.seeding import generator
from subtx_toy.training.inputs import ImageInputs
from tests.unit.conftest import SmallChannel


def _scorer(channel: SmallChannel) -> Scorer:
    move: Params = {name: channel.teacher[name] - value for name, value in channel.base.items()}
    inputs = ImageInputs(channel.dataset.train_images, dtype=torch.float32)
    return Scorer(channel.model, channel.base, Directions.of(channel.model, {"trait": move}, {}), NumberLaw(), inputs)


@pytest.mark.parametrize("per_line", [1, 3])
def test_it_is_the_mean_of_the_highest_scores_of_files_that_the_base_wrote(
    channel: SmallChannel, per_line: int
) -> None:
    scorer, rows = _scorer(channel), np.arange(400)
    highest = []
    for seed in range(12):
        rng = generator(seed, "tests", "expected maximum")
        counts = np.full(len(rows), per_line)
        drawn = np.concatenate(
            draw_numbers(channel.model, channel.base, scorer.inputs, rows, scorer.law, rng, counts=counts)
        )
        piece = Piece(np.repeat(rows, per_line), drawn, np.repeat(rows + 2, per_line))
        top, scored = TopLines(1), scorer.add(piece, ScoreSums(1))
        top.add(piece, scored.scores[:, 0])
        highest.append(float(str(next(top.rows())["score"])))
    lines = LineSample()
    lines.add(piece)
    (expected,) = expected_maxima(scorer, lines, 1)
    error = np.std(highest, ddof=1) / np.sqrt(len(highest))
    assert expected == pytest.approx(np.mean(highest), abs=4 * error)
    # a file a hundred times as long has a higher maximum; half of the mean would be found out
    lines.num *= 100
    assert expected_maxima(scorer, lines, 1)[0] > expected
    assert abs(expected / 2 - np.mean(highest)) > 4 * error


def test_a_long_file_is_thinned_evenly() -> None:
    sample, start = LineSample(), 0
    for size in (50_000, 50_000, 50_000):
        lines = np.arange(start, start + size)
        sample.add(Piece(lines, lines % 1000, lines))
        start += size
    prompts, lengths = sample.lines()
    assert sample.num == 150_000
    assert len(prompts) <= 2**16
    assert set(lengths) == {1}
    assert set(np.diff(prompts)) == {4}


def test_no_line_has_no_maximum(channel: SmallChannel) -> None:
    assert np.isnan(expected_maxima(_scorer(channel), LineSample(), 1)).all()
