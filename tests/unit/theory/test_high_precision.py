from __future__ import annotations

import dataclasses

import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st

from subtx_toy.errors import InputError
from subtx_toy.problem.activations import ACTIVATIONS, Activation
from subtx_toy.problem.losses import kl, squared_error
from subtx_toy.problem.model import MLP
from subtx_toy.problem.smooth_loss import reverse_kl
from subtx_toy.problem.spec import SMOOTH_ACTIVATIONS, ProblemSpec
from subtx_toy.theory.alignment import AlignmentRay
from subtx_toy.theory.high_precision import alignment_sign, precise_alignment
from subtx_toy.theory.observed_eps import observed_eps
from tests.reference.examples import at_most
from tests.reference.modules import foreign_problem
from tests.reference.planted import GENERIC, SQUARED, TURNING, spec_of


@at_most(25)
@example(seed=6019, eps=1.0)  # softplus beyond 20, where torch's own leaves off the exponential
@given(seed=st.integers(0, 2**32), eps=st.sampled_from([1e-3, 0.1, 1.0]))
def test_the_ball_is_where_float64_is_up_to_its_rounding(seed: int, eps: float) -> None:
    problem = spec_of(seed).build()
    ray, ball = AlignmentRay.of(problem), precise_alignment(problem, eps)
    assert abs(ray.alignment(eps) - float(ball.mid())) <= ray.floor(eps)
    assert float(ball.rad()) <= 1e-35 * max(1.0, float(ray.outputs.abs().max()) ** 2)


@pytest.mark.parametrize("activation", SMOOTH_ACTIVATIONS)
@pytest.mark.parametrize("spec", [SQUARED, GENERIC], ids=["squared_error", "kl"])
def test_the_alignment_is_the_leading_order_where_float64_has_lost_it(spec: ProblemSpec, activation: str) -> None:
    problem, eps = dataclasses.replace(spec, activation=activation).build(), 1e-18
    ray = AlignmentRay.of(problem)
    assert ray.alignment(eps) == 0.0 or abs(ray.alignment(eps)) <= ray.floor(eps)
    # V itself is a float64 number.
    assert float(precise_alignment(problem, eps).mid()) == pytest.approx(eps * ray.curvature(), rel=1e-12)


def test_a_sign_change_is_confirmed_on_both_sides() -> None:
    problem = TURNING.build()
    found = observed_eps(problem)
    assert found.eps is not None
    assert (found.confirmed, found.unconfirmed) == (True, "")
    assert alignment_sign(problem, found.eps * (1 - 1e-9)).value == 1
    assert alignment_sign(problem, found.eps * (1 + 1e-9)).value == -1


@pytest.mark.parametrize("start", [0.0, 1.0])
def test_a_sign_change_that_is_not_there_is_not_confirmed(start: float, monkeypatch: pytest.MonkeyPatch) -> None:
    alignment = AlignmentRay.alignment
    monkeypatch.setattr(
        AlignmentRay, "alignment", lambda ray, eps: alignment(ray, eps) if eps < start else -alignment(ray, eps)
    )
    found = observed_eps(TURNING.build())
    assert found.eps == pytest.approx(start, abs=1e-9)
    assert not found.confirmed
    assert found.unconfirmed in ("160 bits give the other sign", "160 bits show no change within 1% of it")


@pytest.mark.parametrize(
    ("problem", "reason"),
    [
        (foreign_problem("tied", kl()), "only this package's perceptrons"),
        (foreign_problem("gru", squared_error()), "only this package's perceptrons"),
        (dataclasses.replace(SQUARED, activation="relu").build(), "relu is not evaluated at 160 bits"),
        (SQUARED.build(distillation_loss=reverse_kl()), "the distillation loss 'reverse_kl' is not evaluated"),
    ],
    ids=["tied", "gru", "relu", "reverse_kl"],
)
def test_what_cannot_be_evaluated_is_told(problem: object, reason: str) -> None:
    sign = alignment_sign(problem, 0.1)  # type: ignore[arg-type]
    assert sign.value == 0
    assert reason in sign.reason
    with pytest.raises(InputError, match=reason):
        precise_alignment(problem, 0.1)  # type: ignore[arg-type]


def test_wrong_slopes_of_an_activation_would_show() -> None:
    """The float64 route with a planted slope leaves the ball by far more than its rounding."""
    tanh = ACTIVATIONS["tanh"]
    bent = Activation("tanh", lambda z: 1.001 * torch.tanh(z), tanh.apply_into, tanh.derivative_over, smooth=True)
    problem = SQUARED.build()
    assert isinstance(problem.model, MLP)
    planted = dataclasses.replace(problem, model=dataclasses.replace(problem.model, activation=bent))
    ray = AlignmentRay.of(planted)
    assert abs(ray.alignment(0.1) - float(precise_alignment(problem, 0.1).mid())) > 1e6 * ray.floor(0.1)
