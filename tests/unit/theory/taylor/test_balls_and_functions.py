"""Balls hold exact results, and the ranges of functions hold every value in between."""

from __future__ import annotations

import dataclasses
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import torch
from torch.func import jacfwd

from subtx_toy.seeding import generator
from subtx_toy.theory.taylor.ball import Ball, bilinear, linear
from subtx_toy.theory.taylor.functions import FUNCTIONS, logsumexp, softmax
from subtx_toy.theory.taylor.jet import Jet, square

RNG = generator(0, "tests", "taylor")


def drawn(*shape: int, scale: float = 1.0) -> torch.Tensor:
    return scale * torch.from_numpy(RNG.standard_normal(shape))


def contains(ball: Ball, row: int, column: int, exact: Fraction) -> bool:
    mid, rad = (Fraction(float(one[row, column])) for one in (ball.mid, ball.rad))
    return abs(exact - mid) <= rad


@pytest.mark.parametrize("scale", [1.0, 1e8])
def test_a_product_of_matrices_holds_the_exact_product_and_rounding_alone_would_not(scale: float) -> None:
    missed = 0
    for _ in range(20):
        a, b = drawn(2, 9, scale=scale), drawn(9, 2)
        a[:, -1], b[-1] = -(a[:, :-1] @ b[:-1])[:, 0], 1.0  # cancels in the first column
        found = bilinear(torch.matmul, Ball.exact(a), Ball.exact(b), terms=9)
        for row in range(2):
            exact = sum((Fraction(float(a[row, i])) * Fraction(float(b[i, 0])) for i in range(9)), Fraction(0))
            assert contains(found, row, 0, exact)
            missed += not contains(Ball.exact(found.mid), row, 0, exact)
    assert missed > 10


def test_sums_and_differences_hold_the_exact_ones() -> None:
    for _ in range(20):
        a, b = drawn(1, 5), drawn(1, 5, scale=1e-9)
        total = linear(lambda one: one.sum(1, keepdim=True), Ball.exact(a) - Ball.exact(b), terms=5)
        exact = sum((Fraction(float(x)) - Fraction(float(y)) for x, y in zip(a[0], b[0], strict=True)), Fraction(0))
        assert contains(total, 0, 0, exact)


@pytest.mark.parametrize("order", range(3))
@pytest.mark.parametrize("name", FUNCTIONS)
def test_the_range_of_a_function_holds_its_values_and_is_no_wider_than_they_are(name: str, order: int) -> None:
    function = FUNCTIONS[name]
    centres = drawn(200, scale=2.0)
    if function.domain[0] == 0.0:
        centres = centres.abs() + 2.1
    radii = drawn(200).abs().clamp_max(2.0)
    found = function.range(order, centres - radii, centres + radii)
    steps = torch.linspace(-1, 1, 4001, dtype=torch.float64)[:, None]
    values = function.orders[order](centres + radii * steps)
    assert bool(((values - found.mid).abs() <= found.rad).all())
    width = values.amax(0) - values.amin(0)
    assert bool((2 * found.rad <= 1.001 * width + 1e-5).all())


@pytest.mark.parametrize(("name", "order"), [(name, at) for name, one in FUNCTIONS.items() for at in range(3)
                                              if one.critical[at]])  # fmt: skip
def test_a_range_without_its_critical_points_misses_values(name: str, order: int) -> None:
    function = dataclasses.replace(FUNCTIONS[name], critical=((), (), ()))
    point = FUNCTIONS[name].critical[order][0]
    low, high = (torch.tensor([point + side], dtype=torch.float64) for side in (-0.1, 0.1))
    found = function.range(order, low, high)
    value = function.orders[order](torch.tensor([point], dtype=torch.float64))
    assert not bool(((value - found.mid).abs() <= found.rad).all())


@pytest.mark.parametrize("name", FUNCTIONS)
def test_derivatives_are_those_of_the_function(name: str) -> None:
    x = torch.linspace(0.3, 2.7, 40, dtype=torch.float64)
    h = 1e-5
    for lower, upper in zip(FUNCTIONS[name].orders[:-1], FUNCTIONS[name].orders[1:], strict=True):
        assert torch.allclose((lower(x + h) - lower(x - h)) / (2 * h), upper(x), rtol=1e-8, atol=1e-8)


def test_a_function_outside_of_its_domain_has_no_range() -> None:
    x = Jet.constant(torch.tensor([-1.0], dtype=torch.float64))
    with pytest.raises(ValueError, match="its argument reaches -1 to -1"):
        FUNCTIONS["log"].of(x)


def moving(x: torch.Tensor, slope: torch.Tensor, bend: torch.Tensor, half: float) -> Jet:
    """The jet of x + s slope + s^2 bend / 2 for |s| <= half."""
    first = Ball(slope, half * bend.abs())
    return Jet(Ball(x, half * (slope.abs() + half * bend.abs())), first, Ball.exact(bend))


@pytest.mark.parametrize("half", [0.0, 1e-3, 0.3])
@pytest.mark.parametrize("name", ["softmax", "logsumexp", "square"])
def test_jets_of_several_numbers_hold_what_autograd_finds_on_the_range(name: str, half: float) -> None:
    functions: dict[str, Any] = {
        "softmax": (lambda x: torch.softmax(x, -1), lambda x: softmax(x, -1)),
        "logsumexp": (lambda x: torch.logsumexp(x, -1), lambda x: logsumexp(x, -1, keepdim=False)),
        "square": (torch.square, square),
    }
    plain, enclosed = functions[name]
    for _ in range(5):
        x, slope, bend = drawn(3, 4, scale=2.0), drawn(3, 4), drawn(3, 4)
        found = enclosed(moving(x, slope, bend, half))
        for part in np.linspace(-1, 1, 5):
            s = torch.tensor(part * half, dtype=torch.float64)

            def at(s: torch.Tensor) -> torch.Tensor:
                value: torch.Tensor = plain(x + s * slope + s**2 / 2 * bend)  # noqa: B023
                return value

            first, second = jacfwd(at)(s), jacfwd(jacfwd(at))(s)
            for ball, value in zip(found.balls, (at(s), first, second), strict=True):
                assert bool(((value - ball.mid).abs() <= ball.rad + 1e-13).all())


def test_a_logit_that_is_left_out_of_a_softmax_stays_out() -> None:
    x = Ball(torch.tensor([0.0, -torch.inf, 1.0], dtype=torch.float64), torch.tensor([0.1, 0.0, 0.1]).double())
    zero = Ball.exact(torch.zeros(3, dtype=torch.float64))
    found = softmax(Jet(x, Ball.exact(torch.tensor([1.0, 0.0, -1.0], dtype=torch.float64)), zero), -1)
    assert float(found.value.size[1]) < 1e-13
    assert bool(torch.isfinite(found.second.size).all())
