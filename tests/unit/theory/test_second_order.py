from __future__ import annotations

import math

import pytest
import torch

from subtx_toy.errors import InputError
from subtx_toy.problem.derivatives import jacobian_product
from subtx_toy.problem.losses import kl, squared_error
from subtx_toy.problem.params import Params, axpy, flatten, norm, unflatten
from subtx_toy.problem.problem import Problem
from subtx_toy.seeding import generator
from subtx_toy.theory import second_order
from subtx_toy.theory.second_order import output_bend, sampled_bend, sampled_smoothness, trait_hessian_product
from tests.reference.modules import FOREIGN, foreign_problem
from tests.reference.planted import LINEAR


@pytest.mark.parametrize("name", FOREIGN)
def test_products_with_the_traits_hessian_are_differences_of_its_gradient(name: str) -> None:
    problem = foreign_problem(name, kl())
    base, h = problem.base_params, 1e-5
    direction = unflatten(torch.from_numpy(generator(1, "tests", "hvp").standard_normal(len(flatten(base)))), base)

    def slope(s: float) -> torch.Tensor:
        leaves = {key: value.requires_grad_() for key, value in axpy(s, direction, base).items()}
        every = list(leaves.values())
        return torch.cat([one.flatten() for one in torch.autograd.grad(problem.trait_value(leaves), every)])

    found = flatten(trait_hessian_product(problem, direction))
    wanted = (slope(h) - slope(-h)) / (2 * h)
    assert float((found - wanted).norm()) < 1e-6 * float(wanted.norm())
    assert float((1.001 * found - wanted).norm()) > 1e-6 * float(wanted.norm())


@pytest.mark.parametrize("name", FOREIGN)
def test_the_bend_of_the_outputs_is_the_difference_of_their_slope(name: str) -> None:
    # Forward mode twice gives another one for torch's layer_norm.
    problem = foreign_problem(name, squared_error())
    found, h = output_bend(problem, problem.teacher_update), 1e-5

    def slope(s: float) -> torch.Tensor:
        at = axpy(s, problem.teacher_update, problem.base_params)
        return jacobian_product(problem.distilled, at, problem.teacher_update)[1]

    wanted = (slope(h) - slope(-h)) / (2 * h)
    assert float((found - wanted).norm()) < 1e-6 * float(wanted.norm())


def test_sampled_bounds_grow_with_the_points_and_count_them() -> None:
    problem = foreign_problem("residual", squared_error())
    few, many = (sampled_bend(problem, 0.5, num_points=num) for num in (2, 9))
    assert 0 < few.value <= many.value
    assert (few.num_points, many.num_points) == (2, 9)
    found = sampled_smoothness(problem, problem.teacher_update, 0.1, num_points=2)
    along = trait_hessian_product(problem, problem.teacher_update)
    assert float(norm(along)) <= found.value * (1 + 1e-9)  # of a vector of norm 1


def test_a_linear_model_does_not_bend() -> None:
    problem = LINEAR.build()
    assert not output_bend(problem, problem.teacher_update, 0.5).any()


def test_samples_say_what_is_wrong() -> None:
    problem = foreign_problem("cnn", kl())
    with pytest.raises(InputError, match="eps, num_points: expected"):
        sampled_bend(problem, -1.0)
    with pytest.raises(InputError, match="reach, num_points, num_steps: expected"):
        sampled_smoothness(problem, problem.teacher_update, 1.0, num_points=0)


def test_a_sample_that_is_no_number_is_not_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    problem = foreign_problem("cnn", squared_error())
    true_bend, true_product = second_order.output_bend, second_order.trait_hessian_product
    calls: list[int] = []

    def bend(problem: Problem, direction: Params, s: float = 0.0) -> torch.Tensor:
        return true_bend(problem, direction, s) * (math.nan if s > 0 else 1.0)

    def product(problem: Problem, direction: Params, at: Params | None = None) -> Params:
        calls.append(1)
        found = true_product(problem, direction, at=at)
        return {name: value * math.nan for name, value in found.items()} if len(calls) > 2 else found

    monkeypatch.setattr(second_order, "output_bend", bend)
    monkeypatch.setattr(second_order, "trait_hessian_product", product)
    assert math.isnan(sampled_bend(problem, 0.5, num_points=2).value)
    with pytest.raises((InputError, ValueError)):
        sampled_smoothness(problem, problem.teacher_update, 0.1, num_points=2, num_steps=2)
