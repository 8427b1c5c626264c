"""Students of many steps on a problem: stacked by hand and one by one with autograd, their curves, scaled outputs."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from torch import Tensor

from subtx_toy.errors import InputError
from subtx_toy.problem import params as vectors
from subtx_toy.problem.params import Params
from subtx_toy.problem.problem import Problem
from subtx_toy.problem.spec import ProblemSpec
from subtx_toy.problem.viewpoint import on_inputs, seen_from
from subtx_toy.theory.alignment import exact_alignment
from subtx_toy.theory.linear_students import linear_student
from subtx_toy.tolerances import FP64_STEP
from subtx_toy.training.gradient_step import student_step
from subtx_toy.training.many_steps import Imitation, curves, moved, teachers_at
from subtx_toy.training.scaled_imitation import ScaledImitation
from subtx_toy.training.update_rules import Descent, OptimizerState
from tests.reference.planted import GENERIC, SQUARED, scaled_step

EPS = [0.5, 0.1]


@pytest.mark.parametrize("rule", ["gd", "heavy_ball", "nesterov", "adam"])
def test_students_by_hand_are_those_of_autograd(rule: str) -> None:
    descent = Descent(rule, lr=0.05)  # type: ignore[arg-type]
    fast, slow = GENERIC.build_fast(), GENERIC.build()
    found = moved(Imitation(fast, teachers_at(fast, EPS)), descent, [1, 4])
    wanted = moved(Imitation(slow, teachers_at(slow, EPS)), descent, [1, 4])
    for number in (1, 4):
        assert np.abs(found[number] - wanted[number]).max() <= FP64_STEP
    own = moved(Imitation(slow, teachers_at(slow, EPS), step=student_step), descent, [4])
    assert np.abs(own[4] - wanted[4]).max() <= FP64_STEP
    other = moved(Imitation(slow, teachers_at(slow, EPS), step=scaled_step(1.001)), descent, [4])
    assert np.abs(other[4] - wanted[4]).max() > (FP64_STEP if rule != "adam" else 0)


def test_the_first_plain_step_is_the_one_step_students() -> None:
    problem = GENERIC.build()
    found = moved(Imitation(problem, teachers_at(problem, [0.1])), Descent("gd", lr=0.3), [1])[1][0]
    step = 0.3 * vectors.flatten(student_step(problem, 0.1)).numpy()
    assert np.abs(found - step).max() <= FP64_STEP


def test_batches_are_taken_in_turn_and_a_state_can_be_continued() -> None:
    problem = SQUARED.build_fast()
    loss = Imitation(problem, teachers_at(problem, EPS))
    batches, descent = [loss.on([0, 1]), loss.on([2, 3, 4])], Descent("heavy_ball", lr=0.1)
    all_at_once = moved(batches, descent, [2, 3])
    part = Imitation(on_inputs(problem, [0, 1]), teachers_at(problem, EPS))
    first = moved(part, descent, [1])[1]
    start = OptimizerState(first, -first / 0.1, np.zeros_like(first), 1)
    assert np.abs(moved(batches[::-1], descent, [1], start=start)[1] - all_at_once[2]).max() <= FP64_STEP


def test_seen_from_the_student_the_identity_of_one_step_is_exact() -> None:
    problem = GENERIC.build()
    student = vectors.axpy(0.3, problem.teacher_update, problem.base_params)
    seen = seen_from(problem, student, problem.teacher_params(0.8))
    pull = float(vectors.inner(student_step(seen, 1.0), seen.teacher_update))
    assert pull == pytest.approx(exact_alignment(seen, 1.0), rel=1e-9)
    assert torch.equal(problem.base_params["layers.0.weight"], GENERIC.build().base_params["layers.0.weight"])


@pytest.mark.parametrize("fast", [True, False])
def test_curves_begin_at_the_base_and_follow_the_teacher(fast: bool) -> None:
    problem = SQUARED.build_fast() if fast else SQUARED.build()
    found = curves(problem, Descent("gd", lr=0.2), 6, eps=0.05)
    assert all(len(getattr(found, one.name)) == 7 for one in dataclasses.fields(found))
    assert np.isnan(found.alignment[0])
    assert found.distance[0] == 1
    assert (np.diff(found.distance) < 0).all()
    assert (found.restoring > 0).all()
    assert (found.alignment[1:] > 0).all()
    assert (np.diff(found.trait_loss) < 0).all()
    assert found.function_cosine[-1] > 0.5
    with pytest.raises(InputError, match="num_steps: expected an integer >= 1, got 0"):
        curves(problem, Descent(), 0)


def test_scaled_students_by_hand_are_those_of_autograd_and_scale_one_is_the_plain_student() -> None:
    scales = np.array([1.0, 8.0])
    found = []
    for problem in (GENERIC.build_fast(), GENERIC.build()):
        teachers = teachers_at(problem, (0.2 / scales).tolist())
        loss = ScaledImitation(problem, teachers, scales)
        found.append(moved(loss, Descent("gd", lr=0.2 / scales[:, None]), [3])[3])
        plain = moved(Imitation(problem, teachers[:1]), Descent("gd", lr=0.2), [3])[3]
        assert np.abs(found[-1][:1] - plain).max() <= FP64_STEP
        assert np.abs(found[-1][1] * 8 - plain).max() > 1e3 * FP64_STEP
        assert np.abs(loss.changes(teachers)[0]).max() > 0
    assert np.abs(found[0] - found[1]).max() <= FP64_STEP


def descended_by_the_chain_rule(problem: Problem, scale: float, lr: float, num_steps: int) -> np.ndarray:
    """Return scale times the displacement after descent on the loss of f_base + scale (f - f_base), by autograd."""
    before = problem.distilled(problem.base_params).detach()

    def outputs(params: Params) -> Tensor:
        return before + scale * (problem.distilled(params) - before)

    targets = outputs(problem.teacher_params(0.2 / scale)).detach()
    student = problem.base_params
    for _ in range(num_steps):
        here = {name: value.detach().requires_grad_() for name, value in student.items()}
        loss = problem.distillation_loss.value_and_gradient(outputs(here), targets)[0].mean()
        slopes = torch.autograd.grad(loss, list(here.values()))
        student = {name: value - lr * slope for (name, value), slope in zip(here.items(), slopes, strict=True)}
    return scale * (vectors.flatten(student) - vectors.flatten(problem.base_params)).detach().numpy()


@pytest.mark.parametrize("spec", [GENERIC, SQUARED])
def test_c33_is_about_student_lr_over_the_square_of_the_scale(spec: ProblemSpec) -> None:
    problem, lr, scales = spec.build(), 0.2, np.array([1.0, 16.0, 64.0])
    teachers = teachers_at(problem, (0.2 / scales).tolist())
    checked = moved(ScaledImitation(problem, teachers, scales), Descent("gd", lr=lr / scales[:, None]), [4])[4]
    limit = np.asarray(linear_student(problem, 0.2, 4, student_lr=lr))
    gaps, once = [], []
    for scale, mine in zip(scales.tolist(), checked, strict=True):
        student = descended_by_the_chain_rule(problem, scale, lr / scale**2, 4)
        assert np.abs(student - scale * mine).max() <= FP64_STEP * scale
        gaps.append(np.linalg.norm(student - limit))
        once.append(np.linalg.norm(descended_by_the_chain_rule(problem, scale, lr / scale, 4) - limit))
    assert gaps[1] / gaps[2] == pytest.approx(4, rel=0.05)  # like 1 / scale
    assert once[2] > once[1] > once[0]  # divided once, it goes away from the limit
