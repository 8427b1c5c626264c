from __future__ import annotations

import math

import pytest

from subtx_toy.theory.step_predictions import EPS_LADDER, fitted_order, remainder
from subtx_toy.training.gradient_step import student_step
from tests.reference.perceptrons import Description


@pytest.mark.parametrize("order", [0.0, 1.0, 2.0, 2.5])
def test_power_laws_are_fitted(order: float) -> None:
    fit = fitted_order(EPS_LADDER, [3 * eps**order for eps in EPS_LADDER])
    assert fit.slope == pytest.approx(order, abs=1e-10)
    assert fit.num_rungs == len(EPS_LADDER)


def test_rungs_at_rounding_level_are_left_out() -> None:
    values = [eps**2 if eps > 2**-8 else 1e-14 for eps in EPS_LADDER]
    fit = fitted_order(EPS_LADDER, values)
    assert fit.num_rungs == 5
    assert fit.slope == pytest.approx(2)


def test_a_remainder_that_is_all_rounding_has_no_order() -> None:
    fit = fitted_order(EPS_LADDER, [1e-16] * len(EPS_LADDER), scales=EPS_LADDER)
    assert fit.slope == math.inf
    assert fit.num_rungs == 0


def test_remainder_is_small_against_the_update() -> None:
    problem = Description().build()
    gap, size = remainder(problem, student_step(problem, 1e-3), 1e-3)
    assert 0 < gap < 1e-2 * size
