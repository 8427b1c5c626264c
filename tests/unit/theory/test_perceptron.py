"""Jacobian products written out by hand against those of automatic differentiation."""

from __future__ import annotations

import dataclasses

import pytest
import torch

from subtx_toy.claims.vocabulary.rays import ray_class
from subtx_toy.problem import params as vectors
from subtx_toy.problem.activations import ACTIVATIONS
from subtx_toy.problem.params import Params
from subtx_toy.problem.problem import Problem
from subtx_toy.problem.smooth_loss import reverse_kl
from subtx_toy.problem.spec import ProblemSpec
from subtx_toy.seeding import generator
from subtx_toy.theory import linearization, perceptron
from subtx_toy.theory.alignment import AlignmentRay
from subtx_toy.theory.perceptron_ray import PerceptronRay
from subtx_toy.tolerances import BATCHED_ROUTE

SPEC = ProblemSpec(hidden=(5, 4), input_dim=3, num_classes=2, num_aux=3, num_inputs=6, num_trait_inputs=4, seed=2)
EPS = (0.5, 0.01, 3.0)


def both(spec: ProblemSpec) -> tuple[Problem, Problem]:
    return spec.build(), spec.build_fast()


def draw(like: Params, label: str) -> Params:
    rng = generator(0, "test", label)
    return {name: torch.from_numpy(rng.standard_normal(tuple(value.shape))) for name, value in like.items()}


def assert_same(found: torch.Tensor, wanted: torch.Tensor) -> None:
    """Agree relative to the largest entry, since entries are sums of terms of its size."""
    assert float((found - wanted).abs().max()) <= BATCHED_ROUTE * float(wanted.abs().max())


def test_a_wrong_entry_is_seen() -> None:
    right = torch.tensor([1.0, 2.0], dtype=torch.float64)
    with pytest.raises(AssertionError):
        assert_same(right + 1e-9, right)


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("hidden", [(), (4,), (5, 4, 3)])
@pytest.mark.parametrize("distilled", ["aux", "all"])
def test_products_with_the_jacobian_are_those_of_autograd(
    activation: str, hidden: tuple[int, ...], distilled: str
) -> None:
    slow, fast = both(dataclasses.replace(SPEC, activation=activation, hidden=hidden, distilled_logits=distilled))
    update, other = draw(slow.base_params, "update"), draw(slow.base_params, "other")
    for found, wanted in zip(
        linearization.jacobian_product(fast, update), linearization.jacobian_product(slow, update), strict=True
    ):
        assert_same(found, wanted)
    weights = linearization.jacobian_product(slow, other)[1]
    for at in (None, other):
        pulled = [linearization.transposed_jacobian_product(one, weights, at=at) for one in (fast, slow)]
        assert_same(*map(vectors.flatten, pulled))
    assert_same(linearization.dense_jacobian(fast), linearization.dense_jacobian(slow))
    assert_same(linearization.teacher_outputs(fast, EPS), linearization.teacher_outputs(slow, EPS))


def test_a_wrong_slope_of_the_activation_shows(monkeypatch: pytest.MonkeyPatch) -> None:
    slow, fast = both(SPEC)
    wrong = dataclasses.replace(ACTIVATIONS["tanh"], derivative_over=lambda z, a: z.copy_(1 - a))
    model = dataclasses.replace(fast.model, activation=wrong)  # type: ignore[type-var]
    fast = dataclasses.replace(fast, model=model, teacher_update=slow.teacher_update)
    with pytest.raises(AssertionError):
        assert_same(AlignmentRay.of(fast).v, AlignmentRay.of(slow).v)


@pytest.mark.parametrize("loss", ["squared_error", "kl"])
def test_a_ray_that_is_prepared_gives_the_same_alignments_and_floors(loss: str) -> None:
    slow, fast = both(dataclasses.replace(SPEC, loss=loss, temperature=2.0 if loss == "kl" else 1.0))
    for problems in ((slow, fast), tuple(one.with_loss(reverse_kl()) for one in (slow, fast))):
        single, prepared = (AlignmentRay.of(one) for one in problems)
        prepared.prepare(EPS)
        for eps in EPS:
            assert prepared.alignment(eps) == pytest.approx(single.alignment(eps), rel=0, abs=single.floor(eps))
            assert prepared.floor(eps) == pytest.approx(single.floor(eps), rel=1e-9)


def assert_rays_agree(fast: AlignmentRay, slow: AlignmentRay) -> None:
    """Every number of both rays is the same, to rounding."""
    fast.prepare(EPS)
    assert fast.curvature() == pytest.approx(slow.curvature(), rel=1e-12)
    for eps in (*EPS, 7.0):
        floor = slow.floor(eps)
        assert abs(fast.alignment(eps) - slow.alignment(eps)) <= floor
        assert fast.floor(eps) == pytest.approx(floor, rel=1e-9)
        assert_same(fast.targets(eps), slow.targets(eps))
        assert [fast.is_linear(eps, part) for part in (0.01, 0.1, 1.0)] == [
            slow.is_linear(eps, part) for part in (0.01, 0.1, 1.0)
        ]
    roundings = [ray.update_rounding(generator(0, "test")) for ray in (fast, slow)]
    assert roundings[0] == pytest.approx(roundings[1], rel=1e-9)


@pytest.mark.parametrize("loss", ["squared_error", "kl"])
@pytest.mark.parametrize("num_aux", [1, 3])
def test_a_ray_in_numpy_is_the_ray_in_torch(loss: str, num_aux: int) -> None:
    temperature = 2.0 if loss == "kl" else 1.0
    spec = dataclasses.replace(SPEC, loss=loss, temperature=temperature, num_aux=num_aux, distilled_logits="all")
    slow, fast = both(spec)
    assert ray_class(fast) is PerceptronRay
    assert_rays_agree(PerceptronRay.of(fast), AlignmentRay.of(slow))
    blind = dataclasses.replace(SPEC, hidden=(), distilled_logits="aux")
    assert_rays_agree(
        *(kind.of(one) for kind, one in zip((PerceptronRay, AlignmentRay), both(blind)[::-1], strict=True))
    )


def test_a_wrong_slope_of_the_ray_shows(monkeypatch: pytest.MonkeyPatch) -> None:
    slow, fast = both(SPEC)
    right = PerceptronRay._slopes
    monkeypatch.setattr(PerceptronRay, "_slopes", lambda self, y: (1 + 1e-6) * right(self, y))
    with pytest.raises(AssertionError):
        assert_rays_agree(PerceptronRay.of(fast), AlignmentRay.of(slow))


def test_the_plain_model_never_takes_this_route(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("outputs_and_product", "pulled_back", "dense_jacobian", "teacher_outputs"):
        monkeypatch.delattr(perceptron, name)
    problem = SPEC.build()
    ray = AlignmentRay.of(problem)
    ray.prepare(EPS)
    assert ray.alignment(0.01) > 0
    linearization.dense_jacobian(problem)
    linearization.transposed_jacobian_product(problem, ray.v)
