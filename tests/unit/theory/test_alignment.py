from __future__ import annotations

import dataclasses

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from subtx_toy.claims.registry import CLAIMS
from subtx_toy.claims.vocabulary.evidence import Evidence
from subtx_toy.problem import params as vectors
from subtx_toy.problem.losses import Loss, squared_error
from subtx_toy.problem.problem import Problem
from subtx_toy.problem.smooth_loss import cosine_distance, reverse_kl
from subtx_toy.seeding import generator
from subtx_toy.theory.alignment import AlignmentRay, alignments_per_example, exact_alignment, random_signs
from subtx_toy.theory.closed_form import closed_form_eps
from subtx_toy.theory.observed_eps import observed_eps
from subtx_toy.tolerances import EXACT_ALIGNMENT
from subtx_toy.training.gradient_step import observe, student_step
from tests.reference.annotations import unchecked
from tests.reference.examples import at_most
from tests.reference.modules import FOREIGN, foreign_problem
from tests.reference.perceptrons import LOSSES, Description, descriptions
from tests.reference.planted import SQUARED

LADDER_OF_EPS = st.sampled_from([1e-2, 0.3, 3.0, 30.0])


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("name", FOREIGN)
def test_identity_equals_the_inner_product_of_the_updates_on_foreign_modules(name: str, loss: str) -> None:
    problem = foreign_problem(name, LOSSES[loss])
    for eps in (0.01, 0.5, 5.0):
        assert exact_alignment(problem, eps) == pytest.approx(observe(problem, eps).alignment, rel=EXACT_ALIGNMENT)


@at_most(30)
@given(description=descriptions(), eps=LADDER_OF_EPS)
def test_identity_equals_the_inner_product_of_the_updates(description: Description, eps: float) -> None:
    problem = description.build()
    ray, observed = AlignmentRay.of(problem), observe(problem, eps).alignment
    assert abs(ray.alignment(eps) - observed) <= EXACT_ALIGNMENT * abs(observed) + ray.floor(eps)


def test_identity_holds_for_relu_as_well() -> None:
    problem = Description(activation="relu").build()
    for eps in (0.01, 0.5, 5.0):
        assert exact_alignment(problem, eps) == pytest.approx(observe(problem, eps).alignment, rel=EXACT_ALIGNMENT)


@pytest.mark.parametrize("eps", [0.01, 2.0])
def test_alignment_of_an_example_is_that_of_a_student_who_sees_it_alone(eps: float) -> None:
    problem = Description(loss="kl").build()
    each = alignments_per_example(problem, eps)
    for at, alignment in enumerate(each):
        alone = dataclasses.replace(problem, inputs=problem.inputs[at : at + 1])
        assert float(vectors.inner(student_step(alone, eps), problem.teacher_update)) == pytest.approx(float(alignment))
    assert float(each.mean()) == pytest.approx(observe(problem, eps).alignment)


def test_floor_does_not_vanish_with_eps_and_covers_the_noise_there() -> None:
    problem = Description(loss="kl").build()
    ray = AlignmentRay.of(problem)
    for eps in (1e-14, 1e-15, 1e-16):
        assert abs(ray.alignment(eps) - eps * ray.curvature()) <= ray.floor(eps)
    assert ray.floor(1e-16) == pytest.approx(ray.floor(1e-14), rel=1e-6)
    assert ray.floor(1e-2) < 1e-6 * abs(ray.alignment(1e-2))


@unchecked()
@pytest.mark.parametrize("loss", ["squared_error", "kl", "kl at temperature 3"])
@pytest.mark.parametrize("activation", ["tanh", "gelu", "softplus", "sigmoid"])
def test_closed_form_is_positive_and_below_the_observed_sign_change(activation: str, loss: str) -> None:
    for seed in range(3):
        problem = Description(seed=seed, activation=activation, loss=loss).build()
        closed, observed = closed_form_eps(problem).eps, observed_eps(problem)
        assert closed is not None
        assert 0 < closed <= (observed.cap if observed.eps is None else observed.eps)
        assert exact_alignment(problem, closed) > 0


def test_closed_form_is_infinite_where_outputs_are_affine_in_the_parameters() -> None:
    for loss in ("squared_error", "kl"):
        problem = Description(hidden=(), loss=loss).build()
        assert closed_form_eps(problem).eps == float("inf")
        assert observed_eps(problem).eps is None


def test_closed_form_is_infinite_for_a_teacher_that_moved_its_last_layer_only() -> None:
    problem = Description(loss="kl").build()
    dT = {k: v if k.startswith("layers.2") else torch.zeros_like(v) for k, v in problem.teacher_update.items()}
    assert closed_form_eps(dataclasses.replace(problem, teacher_update=dT)).eps == float("inf")


def test_observed_sign_change_is_where_calculus_puts_it() -> None:
    # f = t^2 from t = 1 down dT = -1: a(eps) = 2 eps (2 - eps), zero at eps = 2.
    problem = Problem(
        model=lambda params, x: x * params["t"] ** 2,
        base_params={"t": torch.tensor(1.0).double()},
        inputs=torch.ones(1, 1).double(),
        distillation_loss=squared_error(),
        teacher_update={"t": torch.tensor(-1.0).double()},
        eps=0.1,
        student_lr=0.1,
    )
    found = observed_eps(problem)
    assert found.eps == pytest.approx(2.0, rel=1e-10)
    assert found.cap == 1000.0
    assert not found.confirmed
    assert "only this package's perceptrons" in found.unconfirmed


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"activation": "relu"}, "relu is not twice continuously differentiable"),
        ({"loss": "reverse_kl"}, "no bound is known for the distillation loss 'reverse_kl'"),
        ({"loss": "kl", "distilled": "aux", "num_aux": 1}, "the curvature V is zero to rounding"),
    ],
)
def test_closed_form_says_why_there_is_none(changes: dict[str, object], reason: str) -> None:
    closed = closed_form_eps(dataclasses.replace(Description(), **changes).build())  # type: ignore[arg-type]
    assert closed.eps is None
    assert reason in closed.reason


def test_closed_form_of_foreign_modules_is_by_the_operations_that_they_run() -> None:
    problem = foreign_problem("tied", LOSSES["kl"])
    end = closed_form_eps(problem).eps
    assert end is not None
    assert end == pytest.approx(0.386, rel=0.05)
    assert exact_alignment(problem, end) > 0


def test_degenerate_alignment_is_observed_as_undecided() -> None:
    found = observed_eps(Description(loss="kl", distilled="aux", num_aux=1).build())
    assert found.eps is None
    assert found.reason == "every alignment is below the rounding floor"


@pytest.mark.parametrize("seed", range(4))
def test_the_floor_covers_the_rounding_of_a_users_loss_whose_slope_cancels(seed: int) -> None:
    """Cosine distance on one logit is constant, a saturated reverse kl nearly: what is left of them is rounding."""
    spec = dataclasses.replace(SQUARED, seed=seed)
    constant = spec.build(distillation_loss=cosine_distance(), distilled_logits=[0])
    saturated = dataclasses.replace(spec, init_scale=4.0).build(distillation_loss=reverse_kl(1 / 16))
    for problem in (constant, saturated):
        evidence = Evidence(problem)
        for far in (1e-9, 1e-13):
            eps = far * evidence.unit
            truth = 0.0 if problem is constant else eps * evidence.V
            assert abs(evidence.ray.alignment(eps) - truth) <= evidence.ray.floor(eps)
            assert abs(evidence.alignment(eps) - truth) <= evidence.alignment_rounding(eps)
        for id in ("C1", "C5"):
            assert CLAIMS[id].judge(evidence).verdict in ("holds", "undecided")


def test_the_update_of_a_student_is_rounded_by_no_more_than_its_bound() -> None:
    """At eps = 0 the update is 0, and what is seen of it rounding: of softmaxes, whose Hessian is not diagonal."""
    for seed in range(4):
        evidence = Evidence(dataclasses.replace(SQUARED, loss="kl", seed=seed).build())
        nudged = {name: value * (1 + 2**-52) for name, value in evidence.problem.base_params.items()}
        student = student_step(evidence.problem, 0.0, student_init=nudged)
        assert 0 < float(vectors.norm(student)) <= evidence.update_rounding


def test_the_rounding_of_an_update_sees_off_diagonal_entries_of_the_output_hessian() -> None:
    # The Hessian (0 1; 1 0) has no diagonal: without the other entries nothing of the outputs' errors is carried.
    def swapped(z: torch.Tensor, y: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return ((z - y)[:, 0] * (z - y)[:, 1]), 1e6 * (z - y).flip(-1)

    loss = Loss("swapped", "logits", swapped, lambda _z, _y, v: 1e6 * v.flip(-1))
    ray = AlignmentRay.of(SQUARED.build(distillation_loss=loss, distilled_logits=[0, 1]))
    ray.__dict__["slope_terms"] = torch.zeros_like(ray.outputs)  # of a user's loss measured, and large here
    still = dataclasses.replace(loss, hessian_product=lambda _z, _y, v: 0 * v)
    bare = AlignmentRay.of(SQUARED.build(distillation_loss=still, distilled_logits=[0, 1]))
    bare.__dict__["slope_terms"] = ray.slope_terms
    assert ray.update_rounding(generator(0, "tests")) > 1.2 * bare.update_rounding(generator(0, "tests"))


def test_random_signs_are_those_of_a_choice() -> None:
    for shape in ((3, 5), (7,), (2, 1)):
        wanted, rng = generator(0, "tests", "signs"), generator(0, "tests", "signs")
        assert (random_signs(rng, shape) == wanted.choice([-1.0, 1.0], shape)).all()
        assert rng.random() == wanted.random()
