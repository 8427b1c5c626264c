"""The checker's shortcuts, compared with arb at single points: derivatives near a point, and matrices on a grid."""

from __future__ import annotations

import numpy as np
import pytest
from flint import arb, arb_mat, ctx

from subtx_toy.certify.checker.grid import on_grid
from subtx_toy.certify.checker.units import UNITS, Unit

SMOOTH = [name for name, unit in UNITS.items() if unit.smooth]


def _missed(unit: Unit, *, samples: int) -> int:
    rng = np.random.default_rng(0)
    missed = 0
    with ctx.workprec(64):
        points = [arb(z) for z in rng.normal(scale=3, size=samples).tolist()]
        for z, first, second in zip(points, *unit.at(points)[1:], strict=True):
            step = arb(0, float(2.0 ** rng.uniform(-30, 1)))
            found = unit.near(z, first, second, step)
            for end in (step.lower(), step.upper()):
                with ctx.workprec(300):
                    truth = unit.slopes(z + end)
                missed += not all(one.overlaps(other) for one, other in zip(found, truth, strict=True))
    return missed


@pytest.mark.parametrize("name", SMOOTH)
def test_derivatives_near_a_point_hold_the_truth(name: str) -> None:
    assert _missed(UNITS[name], samples=1000) == 0


@pytest.mark.parametrize("name", ["tanh", "sigmoid", "softplus"])
def test_a_third_derivative_that_is_too_small_is_noticed(name: str) -> None:
    unit = UNITS[name]
    third = unit.half_third
    assert third is not None
    assert _missed(unit._replace(half_third=lambda first, second: third(first, second) * 0.2), samples=500) > 0


@pytest.mark.parametrize("name", SMOOTH)
def test_values_and_slopes_of_huge_numbers_are_finite(name: str) -> None:
    for z in (arb(1e40), arb(-1e40)):
        assert all(one.is_finite() for given in UNITS[name].at([z]) for one in given)


def _missed_around(unit: Unit, *, samples: int) -> int:
    rng = np.random.default_rng(1)
    missed = 0
    with ctx.workprec(64):
        points = [arb(z) for z in rng.normal(scale=3, size=samples).tolist()]
        for z, value, first, second in zip(points, *unit.at(points), strict=True):
            step = arb(0, float(2.0 ** rng.uniform(-30, 1)))
            found = unit.around(z, value, first, second, step)
            for end in (step.lower(), step.upper()):
                with ctx.workprec(400):
                    at, small = z + end, arb(2) ** -60
                    before, there, after = (unit.slopes(at + shift)[1] for shift in (-small, arb(0), small))
                    # a third derivative is a slope of the second: off by 2^-120 times the fifth
                    third = (after - before) / (6 * small) + arb(0, 1e-30)
                    truth = (*unit.slopes(at)[:1], there, third)
                missed += not all(one.overlaps(other) for one, other in zip(found, truth, strict=True))
    return missed


THIRD = [name for name, unit in UNITS.items() if unit.sixth is not None]


@pytest.mark.parametrize("name", THIRD)
def test_three_derivatives_around_a_point_hold_the_truth(name: str) -> None:
    assert _missed_around(UNITS[name], samples=300) == 0


@pytest.mark.parametrize("name", THIRD)
def test_a_wrong_third_derivative_is_noticed(name: str) -> None:
    unit = UNITS[name]
    sixth = unit.sixth
    assert sixth is not None
    assert _missed_around(unit._replace(sixth=lambda *given: sixth(*given) * 1.5), samples=300) > 0


@pytest.mark.parametrize("bits", [None, 56, 32, 8])
def test_a_matrix_on_a_grid_holds_the_exact_one(bits: int | None) -> None:
    rng = np.random.default_rng(1)
    with ctx.workprec(64):
        for scale in (1e-300, 1e-9, 1.0, 1e200):
            values = (rng.normal(size=(7, 5)) * scale * 10.0 ** rng.integers(-20, 20, size=(7, 5))).ravel().tolist()
            given = arb_mat(7, 5, [arb(value) for value in values])
            found = on_grid(given, bits)
            assert all(one.contains(arb(value)) for one, value in zip(found.entries(), values, strict=True))
            assert (bits is None) == all(one.is_exact() for one in found.entries())
        assert on_grid(arb_mat(2, 2), bits) == arb_mat(2, 2)
        assert not on_grid(arb_mat(1, 1, [arb("inf")]), bits)[0, 0].is_finite()
