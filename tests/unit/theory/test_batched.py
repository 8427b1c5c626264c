from __future__ import annotations

import dataclasses

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from subtx_toy.errors import InputError
from subtx_toy.problem import params as vectors
from subtx_toy.problem.activations import ACTIVATIONS
from subtx_toy.problem.problem import Problem
from subtx_toy.problem.smooth_loss import reverse_kl
from subtx_toy.problem.spec import SMOOTH_ACTIVATIONS, ProblemSpec
from subtx_toy.theory import perceptron as theory
from subtx_toy.theory.alignment import AlignmentRay
from subtx_toy.tolerances import BATCHED_ROUTE
from subtx_toy.training import perceptron as training
from subtx_toy.training.gradient_step import student_step

SPEC = ProblemSpec(hidden=(5, 4), input_dim=3, num_classes=2, num_aux=3, num_inputs=6, num_trait_inputs=4, eps=0.01)


def stack(spec: ProblemSpec, num: int) -> list[Problem]:
    return [dataclasses.replace(spec, seed=spec.seed + at).build() for at in range(num)]


def assert_agrees_with_the_single_route(problems: list[Problem], eps: float | None = None) -> None:
    """Every number of every problem is the single route's, relative to the sizes it is a sum of."""
    predicted, observed = theory.predict(problems, eps), training.observe(problems, eps)
    for at, problem in enumerate(problems):
        ray, dS = AlignmentRay.of(problem), student_step(problem, eps)
        step = problem.eps if eps is None else eps
        size, move = vectors.norm(dS), vectors.norm(problem.teacher_update)
        rounding = ray.floor(step)
        assert float(predicted.curvature[at]) == pytest.approx(ray.curvature(), rel=BATCHED_ROUTE, abs=0)
        assert abs(float(predicted.alignment[at]) - ray.alignment(step)) <= rounding
        wanted = vectors.inner(dS, problem.teacher_update)
        assert abs(float(observed.alignment[at] - wanted)) <= rounding + BATCHED_ROUTE * float(size * move)
        assert float(observed.student_update_norm[at]) == pytest.approx(float(size), rel=BATCHED_ROUTE / step)


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("loss", ["squared_error", "kl"])
@pytest.mark.parametrize("distilled", ["aux", "class", "all"])
def test_batched_agrees_with_single(activation: str, loss: str, distilled: str) -> None:
    temperature = 2.0 if loss == "kl" else 1.0
    spec = dataclasses.replace(
        SPEC,
        activation=activation,
        loss=loss,
        temperature=temperature,
        distilled_logits=distilled,
        trait="cross_entropy",
    )
    assert_agrees_with_the_single_route(stack(spec, 5))


@given(
    seed=st.integers(0, 2**20),
    hidden=st.lists(st.integers(1, 6), max_size=3).map(tuple),
    activation=st.sampled_from(SMOOTH_ACTIVATIONS),
    loss=st.sampled_from(["squared_error", "kl"]),
    num_inputs=st.integers(1, 5),
    num=st.integers(1, 4),
)
def test_batched_agrees_with_single_on_every_shape(
    seed: int, hidden: tuple[int, ...], activation: str, loss: str, num_inputs: int, num: int
) -> None:
    spec = dataclasses.replace(
        SPEC, seed=seed, hidden=hidden, activation=activation, loss=loss, num_inputs=num_inputs, init="pytorch"
    )
    assert_agrees_with_the_single_route(stack(spec, num), eps=0.02)


def test_more_problems_than_a_chunk_and_a_users_loss() -> None:
    loss = reverse_kl()
    problems = [dataclasses.replace(one, distillation_loss=loss) for one in stack(SPEC, theory.CHUNK + 3)]
    found = theory.predict(problems)
    assert len(found.curvature) == len(problems)
    assert_agrees_with_the_single_route(problems[-2:])
    assert float(found.curvature[-1]) == pytest.approx(float(theory.predict(problems[-1:]).curvature))


def test_problems_keep_their_order_over_chunks_that_do_not_divide_their_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(theory, "CHUNK", 2)
    monkeypatch.setattr(training, "CHUNK", 2)
    assert_agrees_with_the_single_route(stack(SPEC, 8))


def test_parameters_may_stand_in_any_order() -> None:
    problems = stack(SPEC, 2)
    names = list(problems[1].base_params)[::-1]
    turned = {name: problems[1].base_params[name] for name in names}
    problems[1] = dataclasses.replace(problems[1], base_params=turned)
    assert list(problems[1].base_params) == names[::-1]  # a perceptron has an order of its own
    assert_agrees_with_the_single_route(problems)


def test_a_problem_changed_in_one_weight_is_another_one() -> None:
    problems = stack(SPEC, 2)
    moved = {name: value.clone() for name, value in problems[1].base_params.items()}
    moved["layers.1.weight"][0, 0] += 1e-6
    problems.append(dataclasses.replace(problems[1], base_params=moved))
    found = theory.predict(problems).alignment, training.observe(problems).alignment
    for alignment in found:
        assert float(alignment[1]) != pytest.approx(float(alignment[2]), rel=1e-10)


def test_scattered_columns_are_distilled() -> None:
    problems = [dataclasses.replace(one, distilled_logits=[4, 0]) for one in stack(SPEC, 3)]
    assert_agrees_with_the_single_route(problems)


def test_the_two_batched_routes_meet_and_a_planted_factor_shows() -> None:
    problems = stack(SPEC, 20)
    predicted, observed = theory.predict(problems).alignment, training.observe(problems).alignment
    assert torch.allclose(predicted, observed, rtol=1e-9, atol=0)
    assert not torch.allclose(1.01 * predicted, observed, rtol=1e-9, atol=0)


@pytest.mark.parametrize("route", [theory.predict, training.observe])
def test_mixed_shapes_are_refused(route: object) -> None:
    other = dataclasses.replace(SPEC, num_inputs=7).build()
    with pytest.raises(InputError, match=r"problems\[1\]"):
        route([SPEC.build(), other])  # type: ignore[operator]
    with pytest.raises(InputError, match="at least one"):
        route([])  # type: ignore[operator]
    linear = SPEC.build(model=lambda params, x: x @ params["w"], base_params={"w": torch.ones(3, 5).double()},
                        teacher_update={}, num_classes=2)  # fmt: skip
    with pytest.raises(InputError, match="expected an MLP"):
        route([linear])  # type: ignore[operator]
    one = [dataclasses.replace(SPEC.build(), distillation_loss=reverse_kl()) for _ in range(2)]
    with pytest.raises(InputError, match=r"problems\[1\]"):  # two losses of one name
        route(one)  # type: ignore[operator]
