from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812, torch's own idiom

from subtx_toy.problem.arithmetic import AMPLIFICATION, UNIT_ROUNDOFF, MonteCarloArithmetic, NoisyFloat, as_rounded
from subtx_toy.seeding import generator

X = torch.from_numpy(generator(0, "tests", "arithmetic").standard_normal((6, 4)))
W = torch.from_numpy(generator(1, "tests", "arithmetic").standard_normal((4, 3)))


def spread(function: object, *args: Tensor) -> float:
    """The largest change over eight seeds, over the largest entry, in units of roundoff."""
    plain = function(*args)  # type: ignore[operator]
    moved = []
    for seed in range(8):
        with MonteCarloArithmetic(seed):
            moved.append(function(*args))  # type: ignore[operator]
    changes = torch.stack(moved) - plain
    return float(changes.abs().max() / plain.abs().max()) / UNIT_ROUNDOFF / AMPLIFICATION


@pytest.mark.parametrize(
    "function",
    [torch.exp, lambda x: x * 3, lambda x: x @ W, lambda x: torch.log_softmax(x, -1), lambda x: F.layer_norm(x, (4,))],
)
def test_one_operation_moves_by_a_few_units(function: object) -> None:
    assert 0.5 < spread(function, X) < 20


@pytest.mark.parametrize("function", [lambda x: x.T, lambda x: x.relu(), lambda x: x[1:], lambda x: -x, torch.abs])
def test_what_does_not_round_does_not_move(function: object) -> None:
    assert spread(function, X) == 0


def test_cancellation_is_seen_inside() -> None:
    assert spread(lambda x: (1e9 + x) - 1e9, X) > 1e8
    assert spread(lambda x: F.layer_norm(x + 1e6, (4,)), X) > 1e5


@pytest.mark.parametrize(
    "derivative",
    [
        lambda f, x: torch.func.jvp(f, (x,), (x,))[1],
        lambda f, x: torch.func.vjp(f, x)[1](torch.ones(6, 3).double())[0],
        lambda f, x: torch.func.jacrev(f)(x),
        lambda f, x: torch.func.hessian(lambda y: f(y).sum())(x).flatten(),
    ],
)
def test_derivatives_move_under_every_kind_of_differentiation(derivative: object) -> None:
    assert 0.5 < spread(lambda x: derivative(lambda y: torch.tanh(y @ W), x), X) < 100  # type: ignore[operator]


def test_inputs_stay_as_they_are_and_the_draws_repeat() -> None:
    before, found = X.clone(), []
    for _ in range(2):
        with MonteCarloArithmetic(3):
            found.append((X @ W).sum().item())
    assert torch.equal(X, before)
    assert found[0] == found[1] != (X @ W).sum().item()


def test_what_every_rounding_moves_the_same_way_is_seen() -> None:
    singular = W.T @ W.new_ones(3, 4).T[:, :1] @ W.new_ones(1, 3)
    square = singular @ singular.T

    def least(x: Tensor) -> Tensor:
        found: Tensor = torch.linalg.eigvalsh(x)[:1]
        return found

    plain, moved = float(least(square)), []
    for seed in range(8):
        with MonteCarloArithmetic(seed):
            moved.append(float(least(square)))
    assert max(abs(one - plain) for one in moved) / AMPLIFICATION > abs(plain) / 4


def test_numbers_of_python_round_too() -> None:
    rng = np.random.default_rng(0)
    values = [(1e9 + NoisyFloat(1.0, rng)) - 1e9 for _ in range(20)]
    assert 1e-7 < max(abs(value - 1) for value in values) < 1e-5
    assert all(math.isfinite(value) for value in values)
    assert type(as_rounded(2.0)) is float
    with MonteCarloArithmetic(0):
        assert type(as_rounded(2.0)) is NoisyFloat
