from __future__ import annotations

import dataclasses

import pytest
import torch
from hypothesis import given

from subtx_toy.problem import params as vectors
from subtx_toy.problem.losses import kl, squared_error
from subtx_toy.theory.alignment import exact_alignment
from subtx_toy.theory.curvature import curvature, ggn_vector_product
from subtx_toy.theory.linearization import dense_jacobian, linearize
from subtx_toy.tolerances import FP64_FORMULA
from subtx_toy.training.gradient_step import student_step
from tests.reference.assertions import random_update
from tests.reference.examples import at_most
from tests.reference.modules import FOREIGN, foreign_problem
from tests.reference.perceptrons import Description, descriptions


@pytest.mark.parametrize("name", FOREIGN)
def test_linearized_model_is_affine_and_touches_the_model_at_the_init(name: str) -> None:
    problem = foreign_problem(name, squared_error())
    f_lin = linearize(problem.outputs, problem.base_params)
    update = random_update(problem, name)
    at = [f_lin(vectors.axpy(s, update, problem.base_params), problem.inputs) for s in (0.0, 1.0, 2.0)]
    assert torch.allclose(at[0], problem.outputs(problem.base_params, problem.inputs), rtol=1e-12, atol=1e-12)
    assert torch.allclose(at[2] - at[1], at[1] - at[0], rtol=1e-10, atol=1e-12)
    J = dense_jacobian(problem)
    assert torch.allclose(at[1] - at[0], J @ vectors.flatten(update), rtol=1e-10, atol=1e-12)


@at_most(15)
@given(description=descriptions(losses=("squared_error",)))
def test_student_of_a_linearized_model_follows_the_prediction_exactly(description: Description) -> None:
    problem = description.build(eps=0.7)
    model = linearize(problem.outputs, problem.base_params)
    linear = dataclasses.replace(problem, model=model)
    dS = vectors.flatten(student_step(linear))
    predicted = 0.7 * vectors.flatten(ggn_vector_product(problem, problem.teacher_update))
    assert (dS - predicted).norm() <= FP64_FORMULA * (1 + predicted.norm())
    assert exact_alignment(linear) == pytest.approx(0.7 * float(curvature(problem)), rel=1e-10, abs=1e-14)


@pytest.mark.parametrize("tau", [0.3, 1.0, 5.0])
def test_alignment_of_a_linearized_model_is_positive_for_every_eps(tau: float) -> None:
    problem = dataclasses.replace(Description(seed=3).build(), distillation_loss=kl(tau))
    linear = dataclasses.replace(problem, model=linearize(problem.outputs, problem.base_params))
    assert all(exact_alignment(linear, eps) > 0 for eps in (1e-3, 0.1, 1.0, 10.0, 1e3))
