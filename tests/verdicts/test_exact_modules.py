"""The corpus's modules at 200 bits: V and alignment are those of the package, and what is smooth has the order."""

from __future__ import annotations

import pytest

from subtx_toy.theory.alignment import exact_alignment
from subtx_toy.theory.curvature import curvature
from tests.verdicts.exact_modules import FUNCTIONS, ExactStep
from tests.verdicts.module_corpus import MODULES

EPS = 2.0**-20  # so small that a third order does not show


@pytest.mark.parametrize("name", FUNCTIONS)
def test_curvature_and_alignment_are_those_of_200_bits(name: str) -> None:
    problem = MODULES[name].build()
    exact = ExactStep(name, problem)
    assert float(curvature(problem)) == pytest.approx(float(exact.curvature()), rel=1e-11)
    assert exact_alignment(problem, 0.25) == pytest.approx(float(exact.alignment(0.25)), rel=1e-11)
    if MODULES[name].truth == "smooth":  # a kink need not be met on a short ray
        assert exact.remainder_order(EPS) > 1.99


def test_another_function_is_noticed() -> None:
    problem = MODULES["gelu"].build()
    assert float(ExactStep("silu", problem).curvature()) != pytest.approx(float(curvature(problem)), rel=1e-3)


def test_a_kink_on_the_ray_shows_in_the_order() -> None:
    # Where a ray begins at a kink, |s| is of first order on both sides: no V is its slope.
    problem = MODULES["abs"].build()
    exact = ExactStep("abs", problem)
    orders = [exact.remainder_order(2.0**-power) for power in (1, 2, 3)]
    assert min(orders) < 1.9 or max(orders) == float("inf")
