"""Every control fails its claim on the problem built for it, and the rate of failure is told with its interval."""

from __future__ import annotations

import math

import pytest

from subtx_toy.claims.broken_students import BROKEN, BrokenStudent
from subtx_toy.claims.constructed import CONSTRUCTED
from subtx_toy.claims.controls import ControlResult, constructed_verdict, run_controls
from subtx_toy.claims.evidence import Evidence
from subtx_toy.claims.instance import drawn


@pytest.mark.parametrize("control", BROKEN, ids=lambda control: control.id)
def test_control_fails_on_the_problem_built_for_it(control: BrokenStudent) -> None:
    assert constructed_verdict(control) == "violated"


@pytest.mark.parametrize("control", BROKEN[:-1], ids=lambda control: control.id)
def test_the_same_problem_holds_for_the_unbroken_student(control: BrokenStudent) -> None:
    assert control.evaluate(Evidence(CONSTRUCTED[control.id]())).worst.verdict == "holds"


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
