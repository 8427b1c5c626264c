"""The student's step written out by hand against the one of automatic differentiation."""

from __future__ import annotations

import dataclasses

import pytest
import torch

from subtx_toy.problem import params as vectors
from subtx_toy.problem.activations import ACTIVATIONS
from subtx_toy.problem.losses import Loss, OnTargets, kl, scaled, soft_cross_entropy
from subtx_toy.problem.problem import Problem
from subtx_toy.problem.smooth_loss import cosine_distance, reverse_kl
from subtx_toy.problem.spec import ProblemSpec
from subtx_toy.problem.trait_loss import TraitLoss
from subtx_toy.tolerances import BATCHED_ROUTE
from subtx_toy.training import perceptron
from subtx_toy.training.gradient_step import student_step, student_updates, trait_values

SPEC = ProblemSpec(hidden=(5, 4), input_dim=3, num_classes=2, num_aux=3, num_inputs=6, teacher="random", seed=2)
EPS = (0.5, 0.1, 3.0)


LIMITED = dataclasses.replace(kl(), name="limited", value_and_gradient=OnTargets(kl(), lambda y: y.clamp(-0.5, 0.5)))
SOFT = dataclasses.replace(
    kl(), name="soft", value_and_gradient=OnTargets(soft_cross_entropy(2.0), lambda y: torch.softmax(3 * y, dim=-1))
)


def assert_steps_agree(fast: Problem, slow: Problem) -> None:
    """Steps at several eps and from several starts agree, relative to the largest entry."""
    starts = torch.stack([slow.flat[0] + shift for shift in (0.1, 0.0, -0.2)])
    for given in (None, starts):
        found, wanted = (student_updates(one, EPS, starts=given) for one in (fast, slow))
        assert float((found - wanted).abs().max()) <= BATCHED_ROUTE * float(wanted.abs().max())


def losses() -> list[Loss]:
    return [reverse_kl(2.0), cosine_distance(), scaled(kl(2.0), -1.5), LIMITED, SOFT]


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("hidden", [(), (4,), (5, 4, 3)])
@pytest.mark.parametrize("loss", ["squared_error", "kl"])
@pytest.mark.parametrize("distilled", ["class", "aux"])
def test_steps_are_those_of_autograd(activation: str, hidden: tuple[int, ...], loss: str, distilled: str) -> None:
    spec = dataclasses.replace(SPEC, activation=activation, hidden=hidden, loss=loss, distilled_logits=distilled)
    spec = dataclasses.replace(spec, temperature=2.0 if loss == "kl" else 1.0)
    assert_steps_agree(spec.build_fast(), spec.build())


@pytest.mark.parametrize("loss", losses(), ids=lambda loss: loss.name)
def test_steps_on_other_losses_and_on_losses_that_name_their_inputs(loss: Loss) -> None:
    fast, slow = SPEC.build_fast(), SPEC.build()
    assert_steps_agree(fast.with_loss(loss), slow.with_loss(loss))
    bound = scaled(loss, torch.arange(1.0, 7.0, dtype=torch.float64))
    assert not bound.by_row
    assert_steps_agree(fast.with_loss(bound), slow.with_loss(bound))


def test_steps_on_scattered_outputs() -> None:
    fast, slow = (dataclasses.replace(one, distilled_logits=[4, 0]) for one in (SPEC.build_fast(), SPEC.build()))
    assert_steps_agree(fast, slow)


def test_one_step_is_the_first_of_many() -> None:
    fast, slow = SPEC.build_fast(), SPEC.build()
    step = vectors.flatten(student_step(fast))
    assert torch.allclose(step, vectors.flatten(student_step(slow)), rtol=1e-10, atol=0)
    assert torch.equal(step, student_updates(fast, [fast.eps])[0])


def test_a_wrong_slope_of_the_loss_shows(monkeypatch: pytest.MonkeyPatch) -> None:
    right = perceptron.slope
    monkeypatch.setattr(perceptron, "slope", lambda *given: (1 + 1e-9) * right(*given))
    with pytest.raises(AssertionError):
        assert_steps_agree(SPEC.build_fast(), SPEC.build())


@pytest.mark.parametrize("loss", losses()[2:], ids=lambda loss: loss.name)
def test_a_wrong_change_of_a_loss_shows(loss: Loss) -> None:
    made = loss.value_and_gradient
    field = {"factor": -1.4} if hasattr(made, "factor") else {"change": lambda y: 0.9 * y}
    wrong = dataclasses.replace(loss, value_and_gradient=dataclasses.replace(made, **field))  # type: ignore[type-var]
    with pytest.raises(AssertionError):
        assert_steps_agree(SPEC.build_fast().with_loss(wrong), SPEC.build().with_loss(loss))


@pytest.mark.parametrize("trait", ["cross_entropy", "squared_error", "own"])
def test_trait_losses_are_those_of_the_problem(trait: str) -> None:
    spec = dataclasses.replace(SPEC, trait=trait if trait != "own" else "squared_error", num_trait_inputs=4)
    fast, slow = spec.build_fast(), spec.build()
    if trait == "own":
        own = TraitLoss(torch.ones(2, 3, dtype=torch.float64), lambda z: (z**3).mean())
        fast, slow = (dataclasses.replace(one, trait_loss=own) for one in (fast, slow))
    at = slow.flat[0] + torch.arange(3.0, dtype=torch.float64)[:, None]
    assert torch.allclose(trait_values(fast, at), trait_values(slow, at), rtol=1e-12, atol=0)
    assert float(trait_values(slow, at)[0]) == float(slow.trait_value(slow.base_params))
    assert not torch.allclose(trait_values(fast, at), trait_values(slow, at + 1e-6), rtol=1e-12, atol=0)


def test_the_plain_model_never_takes_this_route(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(perceptron, "student_updates")
    assert student_updates(SPEC.build(), EPS).shape == (3, len(SPEC.build().flat[0]))
