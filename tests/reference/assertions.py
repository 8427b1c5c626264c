"""The properties as assertions with a name; each is shown to fail on planted errors in its test file."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from subtx_toy.problem import params as vectors
from subtx_toy.problem.params import Params
from subtx_toy.problem.problem import Problem
from subtx_toy.seeding import generator
from subtx_toy.theory.step_predictions import EPS_LADDER, FittedOrder, fitted_order
from subtx_toy.tolerances import MIN_RUNGS, REMAINDER_FLOOR, REMAINDER_ORDER
from subtx_toy.training.gradient_step import student_step

Product = Callable[[Problem, Params], Params]


def random_update(problem: Problem, *labels: str | int) -> Params:
    rng = generator(0, "tests", "update", *labels)
    return {k: torch.from_numpy(rng.standard_normal(tuple(v.shape))) for k, v in problem.base_params.items()}


def assert_is_product_with(product: Product, problem: Problem, G: Tensor, *, relative: float) -> None:
    """``product`` multiplies by the matrix ``G`` ``[p, p]``: on three random vectors, in norm."""
    for draw in range(3):
        update = random_update(problem, draw)
        got, want = vectors.flatten(product(problem, update)), G @ vectors.flatten(update)
        assert (got - want).norm() <= relative * want.norm()


def remainder_order(
    product: Product, problem: Problem, *, student_init: Params | None = None, lowest: int = len(EPS_LADDER)
) -> FittedOrder:
    """Fit the order in eps of ||dS - eps product(dT)|| for students of automatic differentiation.

    The fit takes the ``lowest`` rungs above rounding, which is measured by the whole ladder.
    """
    direction = product(problem, problem.teacher_update)
    observed = [student_step(problem, eps, student_init=student_init) for eps in EPS_LADDER]
    sizes = [float(vectors.norm(dS)) for dS in observed]
    gaps = [
        float(vectors.norm(vectors.axpy(-eps, direction, dS))) for eps, dS in zip(EPS_LADDER, observed, strict=True)
    ]
    above = [at for at, gap in enumerate(gaps) if gap > REMAINDER_FLOOR * max(sizes)][-lowest:]
    return fitted_order([EPS_LADDER[at] for at in above], [gaps[at] for at in above], scales=sizes)


def assert_remainder_is_second_order(product: Product, problem: Problem) -> None:
    """On the lowest rungs, where the eps^2 term stands alone: higher up the next ones may cancel it at some eps."""
    assert remainder_order(product, problem, lowest=MIN_RUNGS).slope >= REMAINDER_ORDER
