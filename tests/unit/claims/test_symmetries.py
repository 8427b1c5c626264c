"""A student with permuted hidden units loses the alignment number and none of the transfer."""

from __future__ import annotations

import torch
from hypothesis import given
from hypothesis import strategies as st

from subtx_toy.problem import params as vectors
from subtx_toy.problem.initialisations import permuted_units
from subtx_toy.problem.params import Params
from subtx_toy.problem.problem import Problem
from subtx_toy.problem.spec import ProblemSpec
from subtx_toy.seeding import generator
from subtx_toy.tolerances import FP64_FORMULA
from subtx_toy.training.gradient_step import observe, student_step

SPEC = ProblemSpec(
    hidden=(16, 16), input_dim=8, num_classes=4, num_aux=3, num_inputs=24, num_trait_inputs=16, loss="kl",
    trait="cross_entropy", distilled_logits="aux", eps=0.05, student_lr=2.0,
)  # fmt: skip


def _after_the_step(problem: Problem, start: Params) -> torch.Tensor:
    step = student_step(problem, student_init=start)
    with torch.no_grad():
        return problem.outputs(vectors.axpy(problem.student_lr, step, start), problem.inputs)


def _gap(problem: Problem, start: Params) -> float:
    """The largest difference, after the step, between the student that starts there and the shared one."""
    return float((_after_the_step(problem, start) - _after_the_step(problem, problem.base_params)).abs().max())


def _rescaled(problem: Problem, factor: float) -> Params:
    params = {name: value.clone() for name, value in problem.base_params.items()}
    params["layers.0.weight"] *= factor
    params["layers.0.bias"] *= factor
    params["layers.1.weight"] /= factor
    return params


@given(seed=st.integers(0, 2**20))
def test_a_permuted_student_takes_the_same_step_in_other_coordinates(seed: int) -> None:
    problem = ProblemSpec(**(vars(SPEC) | {"seed": seed})).build()
    start = permuted_units(SPEC.model, problem.base_params, generator(seed, "test", "permutation"))
    assert _gap(problem, start) <= FP64_FORMULA
    shared, permuted = observe(problem), observe(problem, student_init=start)
    assert abs(shared.trait_loss_after - permuted.trait_loss_after) <= FP64_FORMULA
    assert abs(shared.student_update_norm - permuted.student_update_norm) <= FP64_FORMULA
    back = permuted_units(SPEC.model, problem.teacher_update, generator(seed, "test", "permutation"))
    alignment = float(vectors.inner(student_step(problem, student_init=start), back))
    assert abs(alignment - shared.alignment) <= FP64_FORMULA


def test_its_alignment_in_the_teachers_coordinates_has_no_sign() -> None:
    signs = []
    for seed in range(40):
        problem = ProblemSpec(**(vars(SPEC) | {"seed": seed})).build()
        start = permuted_units(SPEC.model, problem.base_params, generator(seed, "test", "permutation"))
        assert observe(problem).alignment > 0
        signs.append(observe(problem, student_init=start).alignment > 0)
    assert 0 < sum(signs) < len(signs)


def test_a_rescaled_relu_student_computes_the_same_function_and_takes_another_step() -> None:
    problem = ProblemSpec(**(vars(SPEC) | {"activation": "relu"})).build()
    start = _rescaled(problem, 2.0)
    with torch.no_grad():
        same = problem.outputs(start, problem.inputs) - problem.outputs(problem.base_params, problem.inputs)
    assert float(same.abs().max()) <= FP64_FORMULA
    assert _gap(problem, start) > 1e3 * FP64_FORMULA


def test_a_cross_model_student_would_be_noticed() -> None:
    problem = SPEC.build()
    other = ProblemSpec(**(vars(SPEC) | {"seed": 1})).build().base_params
    assert _gap(problem, other) > 1e3 * FP64_FORMULA
