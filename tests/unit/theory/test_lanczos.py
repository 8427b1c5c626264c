from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from torch import nn

from subtx_toy.errors import InputError
from subtx_toy.problem.losses import kl, squared_error
from subtx_toy.problem.params import flatten
from subtx_toy.problem.problem import Problem
from subtx_toy.problem.trait_loss import cross_entropy_trait
from subtx_toy.seeding import generator, torch_stream
from subtx_toy.theory.cosine import largest_kantorovich, predicted_cosine
from subtx_toy.theory.curvature import dense_ggn
from subtx_toy.theory.lanczos import lanczos, leading_eigenvalues, relative_gap, teacher_measure
from tests.reference.modules import FOREIGN, foreign_problem
from tests.reference.perceptrons import Description
from tests.reference.planted import GENERIC


@pytest.mark.parametrize("name", FOREIGN)
def test_the_leading_eigenvalues_are_those_of_the_dense_matrix_within_their_residuals(name: str) -> None:
    problem = foreign_problem(name, kl())
    dense = np.linalg.eigvalsh(dense_ggn(problem).numpy())[::-1]
    found = leading_eigenvalues(problem, 3)
    assert found.values == pytest.approx(dense[:3], rel=1e-9)
    assert dense[0] <= found.upper * (1 + 1e-12)
    assert max(found.residuals) <= 1e-8 * dense[0]


@pytest.mark.parametrize("num_steps", [2, 4, 8])
def test_what_has_not_converged_is_a_lower_bound_with_an_eigenvalue_within_its_residual(num_steps: int) -> None:
    problem = foreign_problem("residual", squared_error(), num_inputs=12)
    dense = np.linalg.eigvalsh(dense_ggn(problem).numpy())
    found = leading_eigenvalues(problem, num_steps=num_steps)
    assert found.values[0] <= dense[-1] * (1 + 1e-12)
    assert np.abs(dense - found.values[0]).min() <= found.residuals[0] * (1 + 1e-9)
    assert found.upper >= dense[-1]
    assert found.num_products == num_steps + 1


def test_a_residual_that_is_left_out_would_be_noticed() -> None:
    problem = foreign_problem("residual", squared_error(), num_inputs=12)
    dense = np.linalg.eigvalsh(dense_ggn(problem).numpy())
    found = leading_eigenvalues(problem, num_steps=2)
    assert np.abs(dense - found.values[0]).min() > 1e-3 * found.residuals[0] > 0


def test_the_gap_holds_for_matrices_of_known_eigenvalues() -> None:
    # A gap so wide that it fails with probability 0.1: of 60 starts at most 13 may, with probability 0.995.
    values = torch.linspace(0.0, 1.0, 200, dtype=torch.float64)
    rng, missed = generator(0, "tests", "gap"), 0
    for _ in range(60):
        start = torch.from_numpy(rng.standard_normal(200))
        found = lanczos(lambda vector: values * vector, start, 10).eigen()[0][-1]
        missed += found < 1 - relative_gap(200, 10, 0.1)
    assert missed <= 13


@pytest.mark.parametrize("num_steps", [2, 3, 12])
def test_the_measure_has_the_moments_of_the_teachers_update(num_steps: int) -> None:
    problem = GENERIC.build()
    G, dT = dense_ggn(problem), flatten(problem.teacher_update)
    points, components = teacher_measure(problem, num_steps=num_steps)
    for power in range(min(2 * num_steps, 6)):
        wanted = float(dT @ torch.linalg.matrix_power(G, power) @ dT)
        assert float(points**power @ components**2) == pytest.approx(wanted, rel=1e-9)
    assert float(points[-1]) <= float(torch.linalg.eigvalsh(G)[-1]) * (1 + 1e-12)


@pytest.mark.parametrize("num_steps", [2, 3, 12])
def test_kantorovichs_bound_holds_on_its_points_converged_or_not(num_steps: int) -> None:
    problem = foreign_problem("cnn", kl())
    bound = largest_kantorovich(*teacher_measure(problem, num_steps=num_steps)).value
    assert 0 < bound <= predicted_cosine(problem) * (1 + 1e-9)


@pytest.mark.slow
def test_a_million_parameters_are_within_reach() -> None:
    with torch_stream(generator(0, "tests", "million")):
        module = nn.Sequential(nn.Linear(999, 999), nn.Tanh(), nn.Linear(999, 2)).double()
        x = torch.randn(4, 999).double()
    problem = Problem(
        model=module, inputs=x, distillation_loss=squared_error(), eps=0.001, student_lr=0.1,
        trait_loss=cross_entropy_trait(x, torch.tensor([0, 1, 1, 0])),
    )  # fmt: skip
    assert len(flatten(problem.base_params)) > 10**6
    found = leading_eigenvalues(problem, num_steps=6)
    assert found.residuals[0] < 0.1 * found.values[0] <= found.upper


def test_a_teacher_that_does_not_move_has_no_measure() -> None:
    problem = GENERIC.build()
    still = dataclasses.replace(
        problem, teacher_update={name: torch.zeros_like(value) for name, value in problem.base_params.items()}
    )
    with pytest.raises(InputError, match="start: expected a vector that is not zero"):
        teacher_measure(still)


def test_a_model_that_sees_nothing_has_eigenvalue_zero() -> None:
    problem: Problem = dataclasses.replace(Description(num_aux=1, loss="kl").build(), distilled_logits="aux")
    assert leading_eigenvalues(problem).values == (0.0,)
