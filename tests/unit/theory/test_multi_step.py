"""Displacements of many steps: three routes to one vector, and the kernel against dense matrices."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from subtx_toy.errors import InputError
from subtx_toy.problem import params as vectors
from subtx_toy.problem.spec import ProblemSpec
from subtx_toy.problem.viewpoint import on_inputs
from subtx_toy.theory.curvature import dense_ggn, ggn_operator
from subtx_toy.theory.error_polynomials import fraction
from subtx_toy.theory.linear_students import linear_adam, linear_student
from subtx_toy.theory.linearization import jacobian_product
from subtx_toy.theory.multi_step import (
    Method,
    batched_displacement,
    by_lanczos,
    change_of_outputs,
    displacement_toward,
    flow_fractions,
    predicted_displacement,
    transferred_fractions,
)
from subtx_toy.theory.output_kernel import OutputKernel
from subtx_toy.theory.trait_criterion import TraitCriterion, trait_criterion
from subtx_toy.tolerances import FP64_FORMULA, ROUTES_AGREE
from tests.reference.closeness import assert_close
from tests.reference.planted import GENERIC, SQUARED

SPECS = {"kl": GENERIC, "squared error": SQUARED, "aux": dataclasses.replace(GENERIC, distilled_logits="aux")}


@pytest.mark.parametrize("fast", [True, False])
@pytest.mark.parametrize("spec", SPECS.values(), ids=SPECS)
def test_kernel_has_the_eigenvalues_and_functions_of_the_dense_matrix(spec: ProblemSpec, fast: bool) -> None:
    problem = spec.build_fast() if fast else spec.build()
    kernel, G = OutputKernel(problem), dense_ggn(problem)
    values, columns = torch.linalg.eigh(G)
    assert kernel.largest == pytest.approx(float(values[-1]), rel=1e-12)
    dT = vectors.flatten(problem.teacher_update)
    wanted = columns @ (torch.expm1(values.clamp_min(0)) * (columns.T @ dT))
    assert_close(kernel.applied(np.expm1, kernel.seen(dT)), wanted, FP64_FORMULA)


@pytest.mark.parametrize("num_steps", [1, 10, 300])
@pytest.mark.parametrize("method", ["lanczos", "kernel"])
@pytest.mark.parametrize("spec", SPECS.values(), ids=SPECS)
def test_three_routes_lead_to_one_displacement(spec: ProblemSpec, method: Method, num_steps: int) -> None:
    problem = spec.build_fast()
    rate = 1 / OutputKernel(problem).largest
    wanted = predicted_displacement(problem, num_steps, student_lr=rate, method="steps")
    found = predicted_displacement(problem, num_steps, student_lr=rate, method=method)
    gap = float((found.value - wanted.value).norm())
    assert gap <= ROUTES_AGREE * float(wanted.value.norm())
    assert gap <= found.error + FP64_FORMULA * num_steps
    # One part in a million more of a step is seen.
    other = predicted_displacement(problem, num_steps, student_lr=rate * (1 + 1e-6), method=method)
    assert float((other.value - wanted.value).norm()) > ROUTES_AGREE * float(wanted.value.norm())


def test_lanczos_reports_its_error_where_the_products_are_too_few() -> None:
    problem = GENERIC.build_fast()
    dT, product = vectors.flatten(problem.teacher_update), ggn_operator(problem)
    found = by_lanczos(product, dT, np.tanh, num_products=3)
    assert found.num_products > 3
    assert by_lanczos(product, 0 * dT, np.tanh).value.abs().max() == 0


def test_fractions_of_modes() -> None:
    values = torch.tensor([0.0, 0.5, 1.0, 2.0], dtype=torch.float64)
    assert transferred_fractions(values, 2, 1.0).tolist() == [0.0, 0.75, 1.0, 0.0]
    assert_close(flow_fractions(values, 2.0), 1 - torch.exp(-2 * values), FP64_FORMULA)


def test_changes_of_the_outputs_that_a_teacher_would_make_linearly_lead_where_its_update_does() -> None:
    problem = SQUARED.build_fast()
    _, v = jacobian_product(problem, problem.teacher_update)
    wanted = predicted_displacement(problem, 7, method="kernel").value
    assert_close(displacement_toward(problem, v, 7), wanted, FP64_FORMULA)
    assert float((displacement_toward(problem, v.roll(1, 0), 7) - wanted).norm()) > 1e-3 * float(wanted.norm())


@pytest.mark.parametrize("fast", [True, False])
def test_outputs_on_other_inputs_are_those_of_a_forward_derivative(fast: bool) -> None:
    problem = SQUARED.build_fast() if fast else SQUARED.build()
    found = change_of_outputs(problem, vectors.flatten(problem.teacher_update), problem.inputs)
    assert_close(found[:, problem.columns], jacobian_product(problem, problem.teacher_update)[1], FP64_FORMULA)


def test_one_batch_of_all_inputs_is_plain_descent_and_later_batches_stand_on_the_left() -> None:
    problem = SQUARED.build_fast()
    once = batched_displacement([problem] * 5, [0.3] * 5)
    assert_close(once, predicted_displacement(problem, 5, student_lr=0.3, method="steps").value, FP64_FORMULA)
    parts = [on_inputs(problem, [0, 1]), on_inputs(problem, [2, 3, 4])]
    dT, one = vectors.flatten(problem.teacher_update), torch.eye(len(vectors.flatten(problem.base_params))).double()
    first, second = (one - 0.3 * dense_ggn(part) for part in parts)
    assert_close(batched_displacement(parts, [0.3, 0.3]), dT - second @ first @ dT, FP64_FORMULA)
    assert float((batched_displacement(parts[::-1], [0.3, 0.3]) - (dT - second @ first @ dT)).norm()) > 1e-6


def test_adam_in_the_linear_model_is_homogeneous_bit_for_bit() -> None:
    problem = GENERIC.build_fast()
    product, dT = ggn_operator(problem), vectors.flatten(problem.teacher_update)
    one = linear_adam(product, dT, 12, lr=0.01, stabiliser=1e-3)
    half = linear_adam(product, dT / 2, 12, lr=0.005, stabiliser=5e-4)
    assert torch.equal(half * 2, one)
    assert not torch.equal(linear_adam(product, dT / 2, 12, lr=0.01, stabiliser=5e-4) * 2, one)


def test_the_linear_student_of_squared_error_is_the_function_of_g() -> None:
    problem = SQUARED.build_fast()
    wanted = 0.7 * predicted_displacement(problem, 9, student_lr=0.2, method="kernel").value
    assert_close(linear_student(problem, 0.7, 9, student_lr=0.2), wanted, FP64_FORMULA)


def test_the_criterion_is_its_sum_over_a_dense_matrix() -> None:
    problem = dataclasses.replace(GENERIC, teacher="random").build()
    values, columns = torch.linalg.eigh(dense_ggn(problem))
    g, dT = columns.T @ vectors.flatten(problem.trait_gradient()), columns.T @ vectors.flatten(problem.teacher_update)
    found = trait_criterion(problem)
    for t, F in zip(found.eigenvalues.tolist(), found.values.tolist(), strict=True):
        wanted = float((-g * dT * values.clamp(0.0, t)).sum())
        assert wanted == pytest.approx(F, rel=1e-8, abs=10 * found.rounding)
    assert found.change(lambda x: x) == pytest.approx(float((g * dT * values).sum()), rel=1e-9)
    assert trait_criterion(GENERIC.build()).holds


@pytest.mark.parametrize(
    ("s", "falls"), [((1.0, -1.6, 1.0), True), ((1.0, -0.9, 0.2), False), ((1.0, -2.2, 1.15), False)]
)
def test_the_criterion_is_necessary_at_its_ends_and_not_between_them(s: tuple[float, ...], falls: bool) -> None:
    values = np.array([1.0, 2.0, 3.0])
    F = np.minimum(values[:, None], values) @ s
    found = TraitCriterion(values, F, -values * s, 1e-15)
    assert F[1] < 0
    assert (F[0] > 0 and F[2] > 0) == falls
    steps = [1, 2, 3, 5, 10, 30, 100, 10**3, 10**6]
    rates = np.geomspace(1e-6, 1 / 3, 40)
    changes = [-float(np.dot(s, fraction(a * values, K))) for K in steps for a in rates]
    assert found.change(lambda x: fraction(x / 3, 2)) == pytest.approx(-float(np.dot(s, fraction(values / 3, 2))))
    assert (max(changes) < 0) == falls


def test_no_step_and_a_kernel_that_is_too_large_are_refused() -> None:
    with pytest.raises(InputError, match="num_steps: expected an integer >= 1, got 0"):
        predicted_displacement(SQUARED.build_fast(), 0)
    with pytest.raises(InputError, match="inputs: expected at most 10 inputs times outputs for a dense kernel, got 25"):
        OutputKernel(SQUARED.build_fast(), num_rows=10)
