"""Changes of an optimiser's state: exact in the linearised model, of second order in a network."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from subtx_toy.errors import InputError
from subtx_toy.problem import params as vectors
from subtx_toy.problem.model import MLP
from subtx_toy.problem.problem import Problem
from subtx_toy.seeding import generator
from subtx_toy.theory.curvature import ggn_operator
from subtx_toy.theory.linearization import linearize
from subtx_toy.theory.optimizer_state import Momentum, costates, descendant, loss_hessian
from subtx_toy.theory.step_predictions import fitted_order
from subtx_toy.tolerances import FP64_FORMULA, FP64_STEP, REMAINDER_ORDER
from subtx_toy.training.many_steps import Imitation, states, teachers_at
from subtx_toy.training.update_rules import Descent, OptimizerState
from tests.reference.closeness import assert_close
from tests.reference.planted import SQUARED

NUM_STEPS, LR, EPS = 6, 0.2, 0.5


def drawn(problem: Problem, *labels: str) -> torch.Tensor:
    rng = generator(0, "tests", "state", *labels)
    return torch.from_numpy(rng.standard_normal(sum(value.numel() for value in problem.base_params.values())))


def linear_problem() -> Problem:
    problem = SQUARED.build()
    assert isinstance(problem.model, MLP)
    return Problem(
        model=linearize(problem.model.apply, problem.base_params), base_params=problem.base_params,
        inputs=problem.inputs,
        distillation_loss=problem.distillation_loss, teacher_update=problem.teacher_update, eps=EPS, student_lr=LR,
    )  # fmt: skip


def rules(problem: Problem, second: torch.Tensor) -> dict[str, tuple[Momentum, Descent]]:
    return {
        "heavy_ball": (Momentum.heavy_ball(NUM_STEPS, student_lr=LR), Descent("heavy_ball", lr=LR)),
        "adam": (
            Momentum.frozen_adam(NUM_STEPS, lr=LR, second=second, stabiliser=0.1),
            Descent("adam", lr=LR, stabiliser=0.1, freeze_second=True),
        ),
    }


def run(problem: Problem, descent: Descent, first: torch.Tensor, second: torch.Tensor) -> list[OptimizerState]:
    loss = Imitation(problem, teachers_at(problem, [EPS]))
    start = OptimizerState(np.zeros((1, len(first))), first[None].numpy(), second[None].numpy())
    return [state for state, _ in zip(states(loss, descent, start=start), range(NUM_STEPS + 1), strict=False)]


@pytest.mark.parametrize("name", ["heavy_ball", "adam"])
def test_a_transplanted_moment_is_nothing_at_the_cut_and_grows_as_the_recurrence_says(name: str) -> None:
    problem = linear_problem()
    change, second = drawn(problem, "change"), drawn(problem, "second").square()
    rule, descent = rules(problem, second)[name]
    plain, other = (run(problem, descent, one, second) for one in (torch.zeros_like(change), change))
    moves = [torch.from_numpy((b.moved - a.moved)[0]) for a, b in zip(plain, other, strict=True)]
    found = descendant(ggn_operator(problem), rule, change)
    assert not found[0].any()
    assert torch.equal(moves[0], found[0])
    assert_close(found[1], -rule.rates[0] * rule.momentum * rule.scale * change, FP64_FORMULA)
    for mine, seen in zip(found, moves, strict=True):
        assert_close(mine, seen, FP64_STEP)


@pytest.mark.parametrize("name", ["heavy_ball", "adam"])
def test_costates_price_every_change_at_every_step(name: str) -> None:
    problem = linear_problem()
    change, readout, second = (drawn(problem, one) for one in ("change", "readout", "second"))
    rule, descent = rules(problem, second.square())[name]
    product = ggn_operator(problem)
    prices = costates(product, rule, readout)
    assert float(prices[0].of_first @ change) == pytest.approx(
        float(readout @ descendant(product, rule, change)[-1]), rel=1e-10
    )
    # Whatever the step, the price of the change that is there by then stays the same.
    plain, other = (run(problem, descent, one, second.square()) for one in (torch.zeros_like(change), change))
    for price, a, b in zip(prices, plain, other, strict=True):
        dx, dm = torch.from_numpy((b.moved - a.moved)[0]), torch.from_numpy((b.first - a.first)[0])
        now = float(price.of_params @ dx + price.of_first @ dm)
        assert now == pytest.approx(float(prices[0].of_first @ change), rel=1e-9)


@pytest.mark.parametrize("name", ["heavy_ball", "adam"])
def test_in_a_network_the_price_is_right_to_second_order(name: str) -> None:
    problem = SQUARED.build()
    change, readout, second = (drawn(problem, one) for one in ("change", "readout", "second"))
    second = 1 + second.square()
    rule, descent = rules(problem, second)[name]
    plain = run(problem, descent, torch.zeros_like(change), second)
    teacher = problem.teacher_params(EPS)
    base = vectors.flatten(problem.base_params)
    at = [vectors.unflatten(base + torch.from_numpy(state.moved[0]), problem.base_params) for state in plain[:-1]]
    price = costates([loss_hessian(problem, one, teacher) for one in at], rule, readout)[0].of_first @ change
    linear = costates(ggn_operator(problem), rule, readout)[0].of_first @ change
    sizes = [2.0**-power for power in range(6, 12)]
    gaps: dict[str, list[float]] = {"path": [], "base": []}
    for size in sizes:
        end = run(problem, descent, size * change, second)[-1].moved - plain[-1].moved
        seen = float(readout @ torch.from_numpy(end[0]))
        gaps["path"].append(abs(seen - size * float(price)))
        gaps["base"].append(abs(seen - size * float(linear)))
    assert fitted_order(sizes[-4:], gaps["path"][-4:]).slope >= REMAINDER_ORDER
    # G at the base is not the Hessian along the way.
    assert fitted_order(sizes[-4:], gaps["base"][-4:]).slope < 1.5


def test_a_product_for_each_step_is_asked_for() -> None:
    rule = Momentum.heavy_ball(3, student_lr=0.1)
    with pytest.raises(InputError, match="products: expected one for each of 3 steps, got 1"):
        descendant([lambda v: v], rule, torch.zeros(2).double())
