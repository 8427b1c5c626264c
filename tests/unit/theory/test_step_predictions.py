from __future__ import annotations

import dataclasses
import math

import pytest
import torch
from hypothesis import example, given

from subtx_toy.errors import InputError
from subtx_toy.problem import params as vectors
from subtx_toy.problem.losses import Loss, kl, squared_error
from subtx_toy.problem.params import Params
from subtx_toy.problem.problem import Problem
from subtx_toy.problem.smooth_loss import smooth_loss
from subtx_toy.problem.trait_loss import TraitLoss, mean_output_trait
from subtx_toy.theory import step_predictions as theory
from subtx_toy.theory.alignment import exact_alignment
from subtx_toy.theory.cosine import lambda_max
from subtx_toy.theory.curvature import curvature, dense_ggn, ggn_vector_product
from subtx_toy.theory.linearization import jacobian_product, transposed_jacobian_product
from subtx_toy.theory.step_predictions import unshared_update
from subtx_toy.tolerances import CONTROL_ORDER
from subtx_toy.training.gradient_step import observe, student_step
from tests.reference.assertions import Product, assert_remainder_is_second_order, remainder_order
from tests.reference.examples import at_most
from tests.reference.modules import FOREIGN, drawn_module, foreign_problem, with_unit_update
from tests.reference.perceptrons import Description, descriptions

BOTH = [squared_error(), kl(2.0)]


@pytest.mark.parametrize("loss", BOTH, ids=lambda loss: loss.name)
@pytest.mark.parametrize("name", FOREIGN)
def test_remainder_is_second_order_on_foreign_modules(name: str, loss: Loss) -> None:
    problem = foreign_problem(name, loss)
    fit = remainder_order(ggn_vector_product, problem)
    assert fit.num_rungs == 10
    assert fit.slope <= 2.15  # these named problems are generic: the eps^2 term is there
    assert_remainder_is_second_order(ggn_vector_product, problem)


@at_most(15)
@example(  # the terms in eps^2 and eps^3 cancel near eps = 1/8
    description=Description(seed=73190, hidden=(), loss="cosine_distance", distilled="all", num_aux=3, num_inputs=1)
)
@example(  # the same near eps = 1/64
    description=Description(seed=5615, hidden=(), loss="cosine_distance", distilled="all", num_aux=2, num_inputs=1)
)
@example(description=Description(seed=239, hidden=(), distilled="all", num_aux=4, num_inputs=1))  # rounding alone
@given(description=descriptions())
def test_remainder_is_second_order_on_drawn_perceptrons(description: Description) -> None:
    assert_remainder_is_second_order(ggn_vector_product, with_unit_update(description.build()))


def scaled(factor: float) -> Product:
    def product(problem: Problem, update: Params) -> Params:
        return {name: factor * value for name, value in ggn_vector_product(problem, update).items()}

    return product


def without_output_hessian(problem: Problem, update: Params) -> Params:
    outputs, Jv = jacobian_product(problem, update)
    return transposed_jacobian_product(problem, Jv / len(outputs))


def without_the_mean(problem: Problem, update: Params) -> Params:
    return scaled(float(len(problem.distilled(problem.base_params))))(problem, update)


@pytest.mark.parametrize("name", ["cnn", "transformer"])
@pytest.mark.parametrize(
    "planted",
    [scaled(-1.0), scaled(1.01), without_output_hessian, without_the_mean],
    ids=["wrong sign", "one percent", "no M", "no 1/n"],
)
def test_the_order_catches_planted_errors(name: str, planted: Product) -> None:
    with pytest.raises(AssertionError):
        assert_remainder_is_second_order(planted, foreign_problem(name, kl(2.0)))


@pytest.mark.parametrize("name", FOREIGN)
def test_update_of_a_cross_model_student_does_not_depend_on_eps(name: str) -> None:
    problem = foreign_problem(name, squared_error())
    other = {k: v.detach() for k, v in drawn_module(name, seed=1).named_parameters()}
    nothing = scaled(0.0)
    assert abs(remainder_order(nothing, problem, student_init=other).slope) <= CONTROL_ORDER
    # The same measure on the shared init sees the order 1 of the update itself.
    assert remainder_order(nothing, problem).slope == pytest.approx(1.0, abs=0.05)
    predicted, found = unshared_update(problem, other), student_step(problem, 1e-7, student_init=other)
    assert vectors.norm(vectors.difference(found, predicted)) <= 1e-5 * vectors.norm(predicted)


@at_most(20)
@given(description=descriptions())
def test_alignment_and_trait_loss_change_as_predicted(description: Description) -> None:
    problem = with_unit_update(description.build(eps=1e-4))
    V, seen = float(curvature(problem)), observe(problem)
    assert theory.predicted_alignment(problem) == pytest.approx(1e-4 * V)
    # Second-order terms are of size eps here, and V can be small against the norm of G.
    slack = 1e-4 * 10 * (V + float(dense_ggn(problem).norm()))
    assert abs(seen.alignment / 1e-4 - V) <= slack
    assert theory.predicted_trait_loss_change(problem) == pytest.approx(-0.1 * 1e-4 * V)
    change = (seen.trait_loss_after - seen.trait_loss_before) / (0.1 * 1e-4)
    assert abs(change + V) <= slack + 1e-8  # a difference of losses of size 1, divided by 1e-5


def test_trait_loss_change_is_not_predicted_for_an_arbitrary_update() -> None:
    problem = Description().build()
    other = dataclasses.replace(problem, teacher_update=vectors.axpy(2.0, problem.base_params, problem.base_params))
    with pytest.raises(InputError, match="teacher_update: expected minus the trait gradient"):
        theory.predicted_trait_loss_change(other)


@pytest.mark.parametrize("name", FOREIGN)
def test_student_moves_toward_the_teacher_inside_the_window_and_away_beyond_it(name: str) -> None:
    problem = foreign_problem(name, kl())
    predicted, eps = theory.predicted_distance(problem), 1e-3
    assert predicted.sufficient <= predicted.window == pytest.approx(2 * predicted.best_student_lr)

    def ratio(student_lr: float) -> float:
        seen = observe(dataclasses.replace(problem, student_lr=student_lr), eps)
        return (seen.distance_after / seen.distance_before) ** 2

    assert ratio(0.98 * predicted.window) < 1 < ratio(1.02 * predicted.window)
    assert ratio(predicted.best_student_lr) == pytest.approx(predicted.remaining_fraction, abs=1e-2)
    gentle = observe(dataclasses.replace(problem, student_lr=0.95 * predicted.sufficient), eps)
    assert gentle.distillation_loss_after < gentle.distillation_loss_before


@at_most(20)
@given(description=descriptions())
def test_exact_window_decides_the_distance_at_every_eps(description: Description) -> None:
    problem = with_unit_update(description.build(eps=0.5))
    seen = observe(problem)
    window = theory.exact_distance_window(seen.alignment, seen.student_update_norm, 0.5)
    if window <= 0 or seen.student_update_norm < 1e-6:
        return
    inside = observe(dataclasses.replace(problem, student_lr=0.99 * window))
    beyond = observe(dataclasses.replace(problem, student_lr=1.01 * window))
    assert inside.distance_after < inside.distance_before
    assert beyond.distance_after > beyond.distance_before


def test_quadratic_trait_loss_falls_inside_its_window_and_rises_beyond_it() -> None:
    # f = t on one input; L_T = |t|^2/2 has smoothness 1 and the window is exact along the gradient.
    problem = quadratic(torch.tensor([1.0, 0.0]))
    seen = observe(problem)
    window = theory.trait_loss_window(seen.alignment, seen.student_update_norm, smoothness=1.0)
    for factor, falls in ((0.99, True), (1.01, False)):
        step = observe(dataclasses.replace(problem, student_lr=factor * window))
        assert (step.trait_loss_after < step.trait_loss_before) == falls


def quadratic(at: torch.Tensor) -> Problem:
    inputs = torch.ones(1, 1).double()
    return Problem(
        model=lambda params, x: x * params["t"],
        base_params={"t": at.double()},
        inputs=inputs,
        distillation_loss=squared_error(),
        trait_loss=TraitLoss(inputs, lambda outputs: 0.5 * (outputs**2).sum()),
        eps=0.1,
        student_lr=0.1,
    )


def degenerate(loss: str, hidden: tuple[int, ...] = (5, 4)) -> Problem:
    """Softmax over one auxiliary logit: it is 1 whatever the logit."""
    return Description(hidden=hidden, loss=loss, distilled="aux", num_aux=1).build()


@pytest.mark.parametrize("eps", [1e-3, 1.0, 50.0])
def test_softmax_over_one_logit_transfers_exactly_nothing(eps: float) -> None:
    problem = degenerate("kl")
    assert curvature(problem) == 0.0
    assert exact_alignment(problem, eps) == 0.0
    seen = observe(problem, eps)
    assert seen.alignment == 0.0
    assert seen.student_update_norm == 0.0
    assert math.isnan(seen.cosine)
    prediction = theory.predicted_distance(problem)
    assert prediction.window == math.inf
    assert prediction.remaining_fraction == 1.0


def test_squared_error_on_one_logit_does_transfer() -> None:
    problem = degenerate("squared_error")
    assert curvature(problem) > 0
    assert observe(problem).alignment > 0


def test_trait_loss_can_rise_where_the_curvature_is_zero() -> None:
    # z = t1 + t2^2 and L_T = t2 + t1^2/2 at 0: dT = (0, -1), v = 0, dS = (eps^2, 0), L_T rises by alpha^2 eps^4 / 2.
    def model(params: Params, x: torch.Tensor) -> torch.Tensor:
        t1, t2 = params["t"]
        return x * torch.stack([t1 + t2**2, t2 + t1**2 / 2])

    inputs, alpha, eps = torch.ones(1, 1).double(), 0.5, 0.1
    problem = Problem(
        model=model,
        base_params={"t": torch.zeros(2).double()},
        inputs=inputs,
        distillation_loss=squared_error(),
        distilled_logits=[0],
        trait_loss=mean_output_trait(inputs, column=1),
        eps=eps,
        student_lr=alpha,
    )
    seen = observe(problem)
    assert curvature(problem) == 0.0
    assert seen.alignment == exact_alignment(problem) == 0.0
    assert seen.student_update_norm == pytest.approx(eps**2)
    assert seen.trait_loss_after - seen.trait_loss_before == pytest.approx(alpha**2 * eps**4 / 2)


def test_a_loss_that_is_not_a_norm_can_turn_away_where_the_curvature_is_zero() -> None:
    # l = h(z - y), h = (u1 + u2^2)^2/2 + u2^4/2, f = (3t^2, t) at 0, dT = 1: V = 0 and a(eps) = -2 eps^3.
    def value(z: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        u1, u2 = (z - y).unbind(-1)
        return 0.5 * (u1 + u2**2) ** 2 + 0.5 * u2**4

    problem = Problem(
        model=lambda params, x: x * torch.stack([3 * params["t"] ** 2, params["t"]]),
        base_params={"t": torch.tensor(0.0).double()},
        inputs=torch.ones(1, 1).double(),
        distillation_loss=smooth_loss("h", value),
        teacher_update={"t": torch.tensor(1.0).double()},
        eps=0.1,
        student_lr=0.1,
    )
    assert curvature(problem) == 0.0
    assert exact_alignment(problem) == pytest.approx(-2e-3)
    assert observe(problem).alignment == pytest.approx(-2e-3)


def test_a_repulsive_loss_gives_minus_the_alignment() -> None:
    problem = Description().build()
    repulsive = smooth_loss("repulsive", lambda z, y: -0.5 * ((z - y) ** 2).sum(-1))
    away = dataclasses.replace(problem, distillation_loss=repulsive)
    assert exact_alignment(away) == -exact_alignment(problem)
    assert curvature(away) == -curvature(problem)
    assert lambda_max(problem).value > 0
