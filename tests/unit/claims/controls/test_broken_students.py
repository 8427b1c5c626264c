"""Every control fails its claim on the problem built for it, and the rate of failure is told with its interval."""

from __future__ import annotations

import math

import pytest
import torch

from subtx_toy.claims.controls import altered_students
from subtx_toy.claims.controls.altered_students import dropout_masks
from subtx_toy.claims.controls.broken_students import (
    BROKEN,
    BrokenStudent,
    ControlResult,
    constructed_verdict,
    run_controls,
)
from subtx_toy.claims.controls.constructed import CONSTRUCTED
from subtx_toy.claims.instance import drawn
from subtx_toy.claims.vocabulary.evidence import Evidence
from subtx_toy.problem.model import MLP
from tests.reference.annotations import unchecked


@pytest.mark.parametrize("control", BROKEN, ids=lambda control: control.id)
def test_control_fails_on_the_problem_built_for_it(control: BrokenStudent) -> None:
    assert constructed_verdict(control) == "violated"


@pytest.mark.parametrize("control", BROKEN[:-1], ids=lambda control: control.id)
def test_the_same_problem_holds_for_the_unbroken_student(control: BrokenStudent) -> None:
    assert control.evaluate(Evidence(CONSTRUCTED[control.id]())).worst.verdict == "holds"


@pytest.mark.parametrize("seed", range(12))
def test_dropout_fails_whatever_units_it_drops(seed: int) -> None:
    control = next(one for one in BROKEN if one.id == "dropout")
    broken = control.breaks(Evidence(CONSTRUCTED["dropout"](), seed=seed))
    assert broken is not None
    assert control.evaluate(broken).worst.verdict == "violated"


def test_twelve_seeds_show_all_four_ways_to_drop_two_units() -> None:
    problem = CONSTRUCTED["dropout"]()
    assert isinstance(problem.model, MLP)
    seen = set()
    for seed in range(12):
        (mask,) = dropout_masks(problem.model, 1, Evidence(problem, seed=seed).stream("control", "dropout"))
        seen.add(tuple(mask[0].tolist()))
    assert seen == {(0.0, 0.0), (0.0, 2.0), (2.0, 0.0), (2.0, 2.0)}


def test_altered_targets_are_what_their_names_say() -> None:
    y = torch.tensor([[2.0, 1.0, 0.0]], dtype=torch.float64)
    p = torch.softmax(y, dim=-1)
    assert altered_students.soft(2 * y, 2.0).equal(p)
    assert altered_students.most_likely(y, 1.0).tolist() == [[1.0, 0.0, 0.0]]
    assert torch.allclose(altered_students.smoothed(y, 1.0), 0.9 * p + 0.1 / 3)
    assert torch.allclose(
        altered_students.rounded(y, 1.0), torch.tensor([[67.0, 24.0, 9.0]]).double() / 100, rtol=1e-12
    )
    assert torch.allclose(altered_students.top_k(y, 1.0), p * torch.tensor([1, 1, 0]) / p[0, :2].sum())


@unchecked()
def test_rates_over_drawn_problems() -> None:
    results = {one.control.id: one for one in run_controls(drawn(15, seed=0))}
    assert all(one.failed_as_it_must for one in results.values())
    for always in ("repulsive", "cross_model", "large_student_lr"):
        assert results[always].failures == results[always].num_drawn > 0
    for one in results.values():
        low, high = one.interval
        assert low <= one.failures / one.num_drawn <= high


def test_interval_is_clopper_and_pearsons() -> None:
    # No failure of n: the upper end solves (1 - p)^n = .025.
    none = ControlResult(BROKEN[0], "violated", failures=0, num_drawn=30)
    assert none.interval[0] == 0
    assert none.interval[1] == pytest.approx(1 - 0.025 ** (1 / 30), rel=1e-9)
    assert ControlResult(BROKEN[0], "violated").interval == (0.0, 1.0)
    assert math.isclose(sum(ControlResult(BROKEN[0], "violated", failures=5, num_drawn=10).interval), 1.0)
