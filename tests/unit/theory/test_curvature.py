from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from hypothesis import given

from subtx_toy.errors import InputError
from subtx_toy.problem.losses import Loss, kl, scaled, squared_error
from subtx_toy.problem.params import Params, flatten, inner, unflatten
from subtx_toy.problem.problem import Problem
from subtx_toy.theory.curvature import (
    DENSE_LIMIT,
    curvature,
    dense_ggn,
    empirical_ntk,
    ggn_operator,
    ggn_vector_product,
)
from subtx_toy.theory.linearization import dense_jacobian, jacobian_product, transposed_jacobian_product
from subtx_toy.tolerances import COMPLEX_STEP_GGN, FINITE_DIFFERENCE_GGN, FP64_FORMULA
from tests.reference.assertions import Product, assert_is_product_with, random_update
from tests.reference.examples import at_most
from tests.reference.finite_differences import (
    central_jacobian,
    complex_step_jacobian,
    dense_output_hessian,
    ggn_from,
    tanh_perceptron,
)
from tests.reference.modules import FOREIGN, foreign_problem
from tests.reference.perceptrons import Description, descriptions

TWO_LOSSES = [squared_error(), kl(2.0)]


def reference_ggn(problem: Problem) -> torch.Tensor:
    return torch.from_numpy(ggn_from(central_jacobian(problem), dense_output_hessian(problem)))


@pytest.mark.parametrize("loss", TWO_LOSSES, ids=lambda loss: loss.name)
@pytest.mark.parametrize("name", FOREIGN)
def test_product_agrees_with_finite_differences_on_foreign_modules(name: str, loss: Loss) -> None:
    problem = foreign_problem(name, loss)
    G = reference_ggn(problem)
    assert_is_product_with(ggn_vector_product, problem, G, relative=FINITE_DIFFERENCE_GGN)
    assert (dense_ggn(problem) - G).norm() <= FINITE_DIFFERENCE_GGN * G.norm()


@pytest.mark.parametrize("loss", ["squared_error", "kl at temperature 3"])
def test_product_agrees_with_complex_steps_on_a_tanh_perceptron(loss: str) -> None:
    problem = Description(loss=loss).build()
    function = tanh_perceptron((4, 5, 4, 5), problem.inputs.numpy())
    J = complex_step_jacobian(function, flatten(problem.base_params).numpy())
    G = torch.from_numpy(ggn_from(J, dense_output_hessian(problem)))
    assert_is_product_with(ggn_vector_product, problem, G, relative=COMPLEX_STEP_GGN)


def square_jacobian_problem() -> Problem:
    """One input and as many outputs as parameters, so that J and its transpose have one shape."""
    A = torch.tensor([[1.0, 2.0, -1.0], [0.5, -0.3, 0.8], [0.0, 1.0, 0.4]]).double()
    return Problem(
        model=lambda params, x: torch.tanh(x @ A.T * params["t"]) @ A,
        base_params={"t": torch.tensor([0.3, -0.5, 0.7]).double()},
        inputs=torch.ones(1, 3).double(),
        distillation_loss=kl(),
        teacher_update={"t": torch.ones(3).double()},
        eps=0.01,
        student_lr=0.1,
    )


def wrong_sign(problem: Problem, update: Params) -> Params:
    return {name: -value for name, value in ggn_vector_product(problem, update).items()}


def one_percent_too_large(problem: Problem, update: Params) -> Params:
    return {name: 1.01 * value for name, value in ggn_vector_product(problem, update).items()}


def not_divided_by_n(problem: Problem, update: Params) -> Params:
    n = len(problem.inputs)
    return {name: n * value for name, value in ggn_vector_product(problem, update).items()}


def without_output_hessian(problem: Problem, update: Params) -> Params:
    outputs, Jv = jacobian_product(problem, update)
    return transposed_jacobian_product(problem, Jv / len(outputs))


def transposed_jacobian(problem: Problem, update: Params) -> Params:
    J = dense_jacobian(problem)[0]
    M = torch.from_numpy(dense_output_hessian(problem)[0])
    return unflatten(J @ M @ J.T @ flatten(update), problem.base_params)


@pytest.mark.parametrize("planted", [wrong_sign, one_percent_too_large, not_divided_by_n, without_output_hessian])
def test_the_comparison_catches_planted_errors(planted: Product) -> None:
    problem = Description(loss="kl").build()
    with pytest.raises(AssertionError):
        assert_is_product_with(planted, problem, reference_ggn(problem), relative=FINITE_DIFFERENCE_GGN)


def test_the_comparison_catches_a_transposed_jacobian() -> None:
    problem = square_jacobian_problem()
    G = reference_ggn(problem)
    assert_is_product_with(ggn_vector_product, problem, G, relative=FINITE_DIFFERENCE_GGN)
    with pytest.raises(AssertionError):
        assert_is_product_with(transposed_jacobian, problem, G, relative=FINITE_DIFFERENCE_GGN)


@at_most(25)
@given(description=descriptions())
def test_dense_matrix_product_operator_and_curvature_agree(description: Description) -> None:
    problem = description.build()
    update = random_update(problem)
    vector, G = flatten(update), dense_ggn(problem)
    scale = FP64_FORMULA * (1 + G.norm()) * vector.norm()
    assert (flatten(ggn_vector_product(problem, update)) - G @ vector).norm() <= scale
    assert (ggn_operator(problem)(vector) - G @ vector).norm() <= scale
    assert abs(curvature(problem, update) - vector @ G @ vector) <= scale * vector.norm()
    assert abs(inner(update, ggn_vector_product(problem, update)) - vector @ G @ vector) <= scale * vector.norm()
    assert torch.linalg.eigvalsh(G)[0] >= -FP64_FORMULA * (1 + G.norm())


@at_most(25)
@given(description=descriptions(losses=("kl", "kl at temperature 3", "squared_error")))
def test_curvature_is_never_negative(description: Description) -> None:
    problem = description.build()
    # Along a direction that shifts all logits alike the variance under the softmax is zero to rounding.
    last = f"layers.{len(description.hidden)}.bias"
    shift = {name: torch.zeros_like(value) for name, value in problem.base_params.items()}
    shift[last] = torch.full_like(shift[last], 1 / 3)
    assert curvature(problem, shift) >= 0
    assert curvature(problem) >= 0


def test_ntk_and_ggn_share_their_spectrum_up_to_the_number_of_inputs() -> None:
    problem = Description(num_inputs=4).build()
    Theta, G = empirical_ntk(problem), dense_ggn(problem)
    top = torch.linalg.eigvalsh(Theta).flip(0)
    assert torch.allclose(top / 4, torch.linalg.eigvalsh(G).flip(0)[: len(top)], rtol=1e-9, atol=1e-12)


def test_jacobian_products_are_adjoint_on_every_module() -> None:
    for name in FOREIGN:
        problem = foreign_problem(name, squared_error())
        update = random_update(problem, name)
        outputs, Jv = jacobian_product(problem, update)
        back = transposed_jacobian_product(problem, outputs)
        assert float((Jv * outputs).sum()) == pytest.approx(float(inner(back, update)), rel=1e-10)


def test_dense_matrices_are_refused_for_large_models() -> None:
    size = DENSE_LIMIT + 1
    problem = Problem(
        model=lambda params, x: x * params["t"].sum(),
        base_params={"t": torch.ones(size).double()},
        inputs=torch.ones(2, 1).double(),
        distillation_loss=squared_error(),
        teacher_update={"t": torch.ones(size).double()},
        eps=0.01,
        student_lr=0.1,
    )
    with pytest.raises(InputError, match=f"base_params: expected at most {DENSE_LIMIT} parameters .* got {size}"):
        dense_ggn(problem)
    wide = dataclasses.replace(problem, inputs=torch.ones(size, 1).double())
    with pytest.raises(InputError, match="inputs: expected at most"):
        empirical_ntk(wide)


def test_ggn_agrees_with_curvlinops() -> None:
    curvlinops = pytest.importorskip("curvlinops")
    inputs = torch.from_numpy(np.linspace(-1, 1, 12).reshape(4, 3))
    torch_net = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.Tanh(), torch.nn.Linear(4, 2)).double()
    params = {name: value.detach() for name, value in torch_net.named_parameters()}
    problem = Problem(
        model=torch_net,
        inputs=inputs,
        distillation_loss=squared_error(),
        teacher_update={name: torch.ones_like(value) for name, value in params.items()},
        eps=0.01,
        student_lr=0.1,
    )
    # MSELoss(reduction="mean") averages (z - y)^2 over n k numbers: 2/k times ours, and k = 2.
    theirs = curvlinops.GGNLinearOperator(
        torch_net, torch.nn.MSELoss(), list(torch_net.parameters()), [(inputs, torch.zeros(4, 2).double())]
    )
    vector = torch.linspace(-1, 1, theirs.shape[0]).double()
    assert torch.allclose(theirs @ vector, ggn_operator(problem)(vector), rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("loss", TWO_LOSSES, ids=lambda loss: loss.name)
def test_curvature_of_a_multiple_of_a_loss_is_that_multiple(loss: Loss) -> None:
    name = FOREIGN[0] if isinstance(FOREIGN, list) else next(iter(FOREIGN))
    plain, nine = foreign_problem(name, loss), foreign_problem(name, scaled(loss, 9.0))
    assert float(curvature(nine)) == pytest.approx(9 * float(curvature(plain)), rel=FP64_FORMULA)
    along = flatten(ggn_vector_product(nine, nine.teacher_update)) @ flatten(nine.teacher_update)
    assert float(along) == pytest.approx(float(curvature(nine)), rel=FP64_FORMULA)
