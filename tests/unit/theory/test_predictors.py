"""The predictors are cosines with the gradient that autograd gives and with the dense matrix G."""

from __future__ import annotations

import dataclasses
import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from subtx_toy.problem import params as vectors
from subtx_toy.problem.losses import kl, squared_error
from subtx_toy.problem.model import MLP
from subtx_toy.problem.problem import Problem
from subtx_toy.seeding import generator
from subtx_toy.theory.curvature import dense_ggn
from subtx_toy.theory.predictors import one_point_predictors
from subtx_toy.tolerances import FP64_FORMULA, SMALL_EPS_COSINE
from tests.reference.closeness import assert_close


def drawn(seed: int, *, loss: str = "kl", eps: float = 1.0) -> Problem:
    rng = generator(seed, "tests", "predictors")
    model = MLP((5, 6, 4, 5), "tanh", num_classes=2)
    base, other = model.initial(rng), model.initial(rng)
    return Problem(
        model=model,
        base_params=base,
        inputs=torch.tensor(rng.uniform(-1, 1, (9, 5))),
        distillation_loss=kl() if loss == "kl" else squared_error(),
        distilled_logits="aux",
        teacher_update=vectors.difference(other, base),
        eps=eps,
        student_lr=1.0,
    )


def plain(problem: Problem) -> dict[str, float]:
    """The same cosines by autograd of the loss and the dense G."""
    leaves = {name: value.clone().requires_grad_(True) for name, value in problem.base_params.items()}
    with torch.no_grad():
        y = problem.distilled(problem.teacher_params())
    loss = problem.distillation_loss.mean(problem.distilled(leaves), y)
    dS = -torch.cat([one.flatten() for one in torch.autograd.grad(loss, list(leaves.values()))])
    dT = vectors.flatten(problem.teacher_update)
    moves = {"coverage": dS, "sign_coverage": dS.sign(), "curvature_cosine": dense_ggn(problem) @ dT}
    return {name: float(torch.cosine_similarity(move, dT, dim=0)) for name, move in moves.items()}


def assert_same(ours: dict[str, float], theirs: dict[str, float]) -> None:
    assert ours.keys() == theirs.keys()
    for name, value in theirs.items():
        assert_close(torch.tensor(ours[name]).double(), torch.tensor(value).double(), FP64_FORMULA, name)


@given(st.integers(0, 10**6), st.sampled_from(["kl", "squared_error"]))
def test_they_are_those_of_autograd_and_of_the_dense_matrix(seed: int, loss: str) -> None:
    problem = drawn(seed, loss=loss)
    found = one_point_predictors(problem)
    assert_same(found, plain(problem))
    assert found["curvature_cosine"] > 0  # G is positive semidefinite


def test_another_teacher_is_caught() -> None:
    problem = drawn(0)
    with pytest.raises(AssertionError, match="coverage: expected a difference"):
        assert_same(one_point_predictors(dataclasses.replace(problem, eps=1.01)), plain(problem))


def test_the_coverage_of_a_small_teacher_is_the_curvature_cosine() -> None:
    small, large = (one_point_predictors(drawn(1, eps=eps)) for eps in (1e-6, 1.0))
    assert abs(small["coverage"] - small["curvature_cosine"]) <= SMALL_EPS_COSINE
    assert abs(large["coverage"] - large["curvature_cosine"]) > SMALL_EPS_COSINE


def test_a_student_that_does_not_move_has_none() -> None:
    problem = drawn(2)
    unmoved = {name: torch.zeros_like(value) for name, value in problem.base_params.items()}
    found = one_point_predictors(dataclasses.replace(problem, teacher_update=unmoved))
    assert all(math.isnan(value) for value in found.values())
