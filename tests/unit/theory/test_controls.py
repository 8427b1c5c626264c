"""Sampled labels and students that start elsewhere."""

from __future__ import annotations

import dataclasses
import math

import pytest
import torch

from subtx_toy.errors import InputError
from subtx_toy.problem import params as vectors
from subtx_toy.problem.losses import sample_labels, sampled_cross_entropy
from subtx_toy.seeding import generator
from subtx_toy.theory.curvature import curvature
from subtx_toy.theory.linearization import base_outputs, jacobian_product
from subtx_toy.theory.step_predictions import (
    labels_needed,
    predicted_perturbed_update,
    probability_of_negative_alignment,
    probability_of_right_sign,
)
from subtx_toy.tolerances import Z_BOUND
from subtx_toy.training.gradient_step import student_step
from tests.reference.modules import with_unit_update
from tests.reference.perceptrons import Description


@pytest.mark.parametrize("num_sigma", [0.3, 1.0, 2.5])
def test_sign_of_a_step_on_sampled_labels_is_right_as_often_as_predicted(num_sigma: float) -> None:
    problem = with_unit_update(Description(loss="kl", num_inputs=50).build(eps=0.05))
    repeats = math.ceil(labels_needed(problem, num_sigma=num_sigma) / 50)
    predicted = probability_of_right_sign(problem, num_labels=50 * repeats)
    v = jacobian_product(problem, problem.teacher_update)[1].repeat(repeats, 1)
    outputs = base_outputs(problem).repeat(repeats, 1)
    teacher = problem.distilled(problem.teacher_params()).repeat(repeats, 1)
    rng, draws, right = generator(0, "tests", "labels", repeats), 300, 0
    for _ in range(draws):
        labels = sample_labels(teacher, rng, temperature=1.0)
        right += float((v * sampled_cross_entropy().output_gradient(outputs, labels)).sum()) < 0
    spread = math.sqrt(predicted * (1 - predicted) / draws)
    # The normal law is exact for many labels only; its first correction is of order eps.
    assert abs(right / draws - predicted) <= Z_BOUND * spread
    assert abs(right / draws - (1 - predicted)) > Z_BOUND * spread or num_sigma < 0.5


def test_labels_needed_are_the_inverse_of_the_divergence() -> None:
    problem = with_unit_update(Description(loss="kl").build(eps=1e-3))
    z, y = problem.distilled(problem.base_params), problem.distilled(problem.teacher_params())
    divergence = float(problem.distillation_loss.mean(z, y))
    assert labels_needed(problem, num_sigma=2.0) == pytest.approx(4 / (2 * divergence), rel=1e-2)


def test_sampled_labels_need_a_softmax() -> None:
    with pytest.raises(InputError, match="distillation_loss: expected kl"):
        labels_needed(Description().build(), num_sigma=1.0)


def normal_perturbation(template: dict[str, torch.Tensor], spread: float, *labels: int) -> dict[str, torch.Tensor]:
    rng = generator(0, "tests", "perturbation", *labels)
    return {k: spread * torch.from_numpy(rng.standard_normal(tuple(v.shape))) for k, v in template.items()}


def test_perturbed_student_follows_the_prediction_to_first_order() -> None:
    problem = with_unit_update(Description().build())
    errors = []
    for eps in (1e-3, 1e-4):
        perturbation = normal_perturbation(problem.base_params, eps)
        start = vectors.axpy(1.0, perturbation, problem.base_params)
        found = student_step(problem, eps, student_init=start)
        gap = vectors.difference(found, predicted_perturbed_update(problem, perturbation, eps))
        errors.append(float(vectors.norm(gap)))
    assert errors[0] / errors[1] == pytest.approx(100, rel=0.1)


def test_student_two_steps_ahead_turns_back() -> None:
    problem = with_unit_update(Description().build())
    eps = 1e-5
    ahead = vectors.axpy(2 * eps, problem.teacher_update, problem.base_params)
    alignment = float(vectors.inner(student_step(problem, eps, student_init=ahead), problem.teacher_update))
    assert alignment == pytest.approx(-eps * float(curvature(problem)), rel=1e-2)


def test_sign_under_random_perturbations_is_wrong_as_often_as_predicted() -> None:
    problem = with_unit_update(Description(hidden=(8, 8)).build(eps=1e-3))
    draws, spread = 300, 1e-3
    predicted = probability_of_negative_alignment(problem, spread=spread)
    assert 0.05 < predicted < 0.45
    wrong = 0
    for draw in range(draws):
        start = vectors.axpy(1.0, normal_perturbation(problem.base_params, spread, draw), problem.base_params)
        wrong += float(vectors.inner(student_step(problem, student_init=start), problem.teacher_update)) < 0
    assert abs(wrong / draws - predicted) <= Z_BOUND * math.sqrt(predicted * (1 - predicted) / draws)


def test_perturbation_of_a_problem_that_sees_nothing_has_no_probability() -> None:
    problem = Description(loss="kl", distilled="aux", num_aux=1).build()
    assert math.isnan(probability_of_negative_alignment(problem, spread=1.0))
    assert labels_needed(dataclasses.replace(problem), num_sigma=1.0) == math.inf
