"""Verdicts against published numbers, on values made to agree and to differ."""

from __future__ import annotations

import math

import numpy as np
import pytest

from subtx_toy.results.comparison import compare
from subtx_toy.seeding import generator
from subtx_toy.settings.experiment_file import read_distillation

DEFINITION = read_distillation("cloud2025")


def _accuracies(shift: float, n: int) -> dict[str, list[float]]:
    assert DEFINITION.published is not None
    rng = generator(0, "test", "comparison")
    noise = rng.standard_normal(n) * 0.001
    noise -= noise.mean()
    return {arm: (DEFINITION.published.clean_mean(arm) + shift + noise).tolist() for arm in DEFINITION.published.arms}


def test_the_published_values_agree_with_themselves() -> None:
    rows = compare(DEFINITION, DEFINITION.config, _accuracies(0.0, 10))
    assert [row.verdict for row in rows] == ["agrees"] * 6
    np.testing.assert_allclose([row.standard_errors for row in rows], 0, atol=1e-6)


def test_a_shift_of_a_tenth_differs_in_every_arm() -> None:
    rows = compare(DEFINITION, DEFINITION.config, _accuracies(0.1, 10))
    assert {row.verdict for row in rows} == {"differs"}
    assert min(row.standard_errors for row in rows) > 0


@pytest.mark.parametrize(
    ("shift", "verdict", "equivalence"),
    [(0.0, "agrees", "equivalent"), (0.004, "differs", "equivalent"), (0.1, "differs", "differs")],
)
def test_a_difference_that_was_found_may_be_within_the_margin(shift: float, verdict: str, equivalence: str) -> None:
    rows = compare(DEFINITION, DEFINITION.config, _accuracies(shift, 10))
    teacher = next(row for row in rows if row.arm == "teacher")  # whose published interval is .0005
    assert (teacher.verdict, teacher.equivalence) == (verdict, equivalence)


def test_values_that_scatter_are_undecided_and_few_are_not_judged() -> None:
    for n, expected in ((5, "undecided"), (4, "needs 5 seeds")):
        scattered = {arm: [v + 0.1 * (at - 2) for at, v in enumerate(vs)] for arm, vs in _accuracies(0.0, n).items()}
        rows = compare(DEFINITION, DEFINITION.config, scattered)
        assert {row.equivalence for row in rows} == {expected}


def test_seeds_that_diverged_are_not_left_out_of_an_equivalence() -> None:
    values = {arm: [*kept, math.nan] for arm, kept in _accuracies(0.0, 10).items()}
    rows = compare(DEFINITION, DEFINITION.config, values)
    assert {(row.diverged, row.equivalence) for row in rows} == {(1, "undecided")}
    kept = compare(DEFINITION, DEFINITION.config, _accuracies(0.0, 10))
    assert {row.equivalence for row in kept} == {"equivalent"}


def test_the_control_is_compared_with_the_corrected_value() -> None:
    row = next(row for row in compare(DEFINITION, DEFINITION.config, _accuracies(0.0, 5)) if row.arm == "cross_aux")
    assert row.printed == (0.106, 0.010)
    assert row.theirs is not None
    assert row.theirs.mean < 0.102


@pytest.mark.parametrize("n", [1, 2, 4])
def test_few_seeds_get_no_verdict_however_far_they_are(n: int) -> None:
    rows = compare(DEFINITION, DEFINITION.config, _accuracies(0.1, n))
    assert {row.verdict for row in rows} == {"needs 5 seeds"}


@pytest.mark.parametrize("setting", ["dataset=glyphs", "width=64"])
def test_another_protocol_is_not_compared(setting: str) -> None:
    config = DEFINITION.config.override([setting])
    rows = compare(DEFINITION, config, _accuracies(0.0, 5))
    assert {row.verdict for row in rows} == {"not compared"}
    assert all(math.isnan(row.p_value) for row in rows)
    assert rows[0].printed is not None


def test_an_arm_nobody_published_says_so() -> None:
    (row,) = compare(DEFINITION, DEFINITION.config, {"other": [0.5, 0.6]})
    assert (row.verdict, row.printed) == ("nothing published", None)
