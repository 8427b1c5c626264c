from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any, TypeVar

import pytest
import torch
from hypothesis import HealthCheck, Phase, example, find, given, settings
from hypothesis import strategies as st
from hypothesis.errors import InvalidArgument

from subtx_toy.problem.losses import Loss
from subtx_toy.problem.model import MLP
from subtx_toy.problem.params import norm
from subtx_toy.problem.problem import Problem
from subtx_toy.problem.spec import SMOOTH_ACTIVATIONS, ProblemSpec
from subtx_toy.seeding import generator
from subtx_toy.testing import build_problem, imitation_losses, mlps, problem_specs, problems
from subtx_toy.theory.alignment import AlignmentRay
from subtx_toy.theory.step_predictions import predicted_distance
from tests.reference.annotations import unchecked
from tests.reference.examples import at_most, slow

# beartype, which checks the annotations of the package under pytest, looks at a random item of each sequence.
pytestmark = pytest.mark.filterwarnings(
    "ignore:Do not use the .random. module:hypothesis.errors.HypothesisDeprecationWarning"
)

T = TypeVar("T")
FEW = at_most(12)


@unchecked()
def minimal(strategy: st.SearchStrategy[T], condition: Callable[[T], bool] = lambda _: True) -> T:
    """Return the smallest value that meets the condition; raises if a few hundred draws have none."""
    steady = settings(max_examples=100, database=None, derandomize=True, suppress_health_check=list(HealthCheck))
    return find(strategy, condition, settings=steady)


@unchecked()
def some(strategy: st.SearchStrategy[T], condition: Callable[[T], bool]) -> T:
    """Return a value that meets the condition, not the smallest; raises if a few hundred draws have none."""
    steady = settings(max_examples=300, database=None, derandomize=True, phases=[Phase.generate])
    return find(strategy, condition, settings=steady)


def curvature(problem: Problem) -> float:
    return AlignmentRay.of(problem).curvature()


@FEW
@given(spec=problem_specs(smooth=None))
def test_every_description_builds_a_problem_whose_teacher_moves(spec: ProblemSpec) -> None:
    problem = spec.build()
    problem.require_float64()
    assert norm(problem.teacher_update) > 0
    assert problem.is_trait_step == (spec.teacher == "trait")


@FEW
@given(problem=problems(degenerate=True, smooth=None))
def test_degenerate_problems_have_no_curvature_and_no_alignment_at_any_eps(problem: Problem) -> None:
    ray = AlignmentRay.of(problem)
    assert ray.curvature() == 0
    assert [ray.alignment(eps) for eps in (1e-3, 0.1, 10.0)] == [0.0] * 3


@FEW
@given(problem=problems(degenerate=False, smooth=None))
def test_other_problems_have_curvature(problem: Problem) -> None:
    assert curvature(problem) > 0


@FEW
@given(problem=problems(affine_on_ray=True))
def test_outputs_are_affine_on_the_ray_where_promised(problem: Problem) -> None:
    near, middle, far = (problem.distilled(problem.teacher_params(eps)) for eps in (0.0, 0.5, 1.0))
    assert torch.allclose(near + far, 2 * middle, rtol=1e-12, atol=1e-12 * float(far.abs().max()))


DEAD = ProblemSpec(  # one gelu unit, at -40: all that moves is the bias of the last layer
    hidden=(3, 1), input_dim=3, num_classes=1, num_aux=1, activation="gelu", init="he", init_scale=2.0,
    inputs="gaussian", num_inputs=1, num_trait_inputs=1, trait_inputs="drawn", trait="squared_error",
    distilled_logits="all", seed=211,
)  # fmt: skip


@FEW
@example(spec=DEAD)
@given(spec=problem_specs(affine_on_ray=False, degenerate=False, losses=["squared_error"]))
def test_outputs_bend_on_the_ray_where_promised(spec: ProblemSpec) -> None:
    problem = spec.build()
    assert isinstance(problem.model, MLP)
    if not problem.model.hidden(problem.base_params, problem.inputs).abs().max() > 1e-6:
        return  # dead units, as the strategy says
    eps = 1 / float(norm(problem.teacher_update))
    near, middle, far = (problem.distilled(problem.teacher_params(at * eps)) for at in (0.0, 0.5, 1.0))
    assert not torch.allclose(near + far, 2 * middle, rtol=1e-12, atol=0)


@FEW
@given(problem=problems(gentle=True, degenerate=False))
def test_gentle_students_stay_inside_the_window(problem: Problem) -> None:
    predicted = predicted_distance(problem)
    assert problem.student_lr == pytest.approx(predicted.sufficient / 4)
    assert problem.student_lr < predicted.window


@FEW
@given(smooth=problem_specs(), kinked=problem_specs(smooth=False), model=mlps(smooth=False, min_hidden=1))
def test_smoothness_is_as_asked(smooth: ProblemSpec, kinked: ProblemSpec, model: MLP) -> None:
    assert smooth.activation in SMOOTH_ACTIVATIONS
    assert kinked.activation == "relu"
    assert kinked.hidden
    assert not model.activation.smooth


@FEW
@given(loss=imitation_losses(softmax=True), on_logits=imitation_losses(softmax=False), seed=st.integers(0, 99))
def test_losses_are_least_where_both_agree_and_softmaxes_ignore_constants(
    loss: Loss, on_logits: Loss, seed: int
) -> None:
    rng = generator(seed, "tests", "logits")
    z, y = (torch.from_numpy(rng.standard_normal((3, 4))) for _ in range(2))
    for one in (loss, on_logits):
        assert one.mean(z, y) > one.mean(y, y) - 1e-12
        assert one.output_gradient(y, y).abs().max() < 1e-12
    assert torch.allclose(loss.mean(z + 3.0, y), loss.mean(z, y))
    assert not torch.allclose(on_logits.mean(z + 3.0, y), on_logits.mean(z, y))


@pytest.mark.parametrize(
    ("keywords", "smallest"),
    [
        ({}, ProblemSpec()),
        ({"degenerate": True, "trait_step": False},
         ProblemSpec(teacher="random", loss="kl", distilled_logits="aux")),
        ({"smooth": False}, ProblemSpec(hidden=(1,), activation="relu")),
        ({"affine_on_ray": False}, ProblemSpec(hidden=(1,))),
        *slow(
            ({"degenerate": True}, ProblemSpec(distilled_logits="aux")),
            ({"degenerate": False, "losses": ["kl"]}, ProblemSpec(loss="kl")),
            ({"affine_on_ray": True}, ProblemSpec()),
            ({"degenerate": True, "several_logits": True}, ProblemSpec(num_aux=2, distilled_logits="aux")),
            ({"trait_step": False}, ProblemSpec(teacher="random")),
            ({"affine_on_ray": True, "trait_step": False}, ProblemSpec(teacher="random")),
        ),
    ],
    ids=str,
)  # fmt: skip
def test_descriptions_shrink_to_the_smallest(keywords: dict[str, Any], smallest: ProblemSpec) -> None:
    assert minimal(problem_specs(**keywords)) == smallest


def test_shapes_and_losses_shrink_to_the_smallest() -> None:
    model = minimal(mlps())
    assert (model.sizes, model.activation.name, model.num_classes) == ((1, 2), "tanh", 1)
    assert minimal(imitation_losses()).name == "squared_error"
    softmax = minimal(imitation_losses(softmax=True))
    assert (softmax.name, softmax.temperature) == ("kl", 1.0)


def test_a_condition_shrinks_to_what_it_needs() -> None:
    assert minimal(problem_specs(), lambda spec: len(spec.hidden) >= 2) == ProblemSpec(hidden=(1, 1))


@pytest.mark.parametrize("name", ["squared_error", "kl", "reverse_kl", "probability_squared_error", "cosine_distance"])
def test_every_loss_is_drawn(name: str) -> None:
    assert some(imitation_losses(), lambda loss: loss.name == name)
    problem = some(problems(distillation_losses=imitation_losses()), lambda one: one.distillation_loss.name == name)
    assert problem.distillation_loss.name == name


@FEW
@given(spec=problem_specs(several_logits=True))
def test_several_logits_are_distilled_if_asked(spec: ProblemSpec) -> None:
    assert {"all": 2, "class": spec.num_classes, "aux": spec.num_aux}[spec.distilled_logits] >= 2


@pytest.mark.parametrize("loss", ["squared_error", "kl"])
@pytest.mark.parametrize("degenerate", [True, False])
def test_some_are_degenerate_and_some_are_not(loss: str, degenerate: bool) -> None:
    spec = some(problem_specs(), lambda one: one.loss == loss and (curvature(one.build()) == 0) == degenerate)
    assert spec.loss == loss


@pytest.mark.parametrize("loss", ["squared_error", "kl"])
@pytest.mark.parametrize("teacher", ["trait", "random"])
@pytest.mark.parametrize("distilled", ["all", "aux", "class"])
def test_problems_with_curvature_are_not_secretly_narrow(loss: str, teacher: str, distilled: str) -> None:
    wanted = (loss, teacher, distilled)
    drawn = some(problem_specs(degenerate=False), lambda one: (one.loss, one.teacher, one.distilled_logits) == wanted)
    assert drawn.hidden or (teacher, distilled) != ("trait", "aux")


def test_some_affine_problems_have_hidden_layers() -> None:
    problem = some(problems(affine_on_ray=True), lambda one: isinstance(one.model, MLP) and one.model.num_layers > 1)
    assert not problem.teacher_update["layers.0.weight"].any()


@pytest.mark.parametrize(
    "strategy",
    [
        problem_specs(smooth=False, affine_on_ray=True),
        problem_specs(degenerate=True, losses=["squared_error"], trait_step=False),
        problem_specs(degenerate=True, losses=["squared_error"], affine_on_ray=False),
        problem_specs(degenerate=True, several_logits=True, affine_on_ray=False),
        problem_specs(losses=[]),
        problem_specs(losses=["mse"]),
        problem_specs(max_width=1),
        problem_specs(max_hidden=-1),
        mlps(min_hidden=2, max_hidden=1),
        problems(degenerate=True, distillation_losses=imitation_losses()),
        problems(gentle=True, distillation_losses=imitation_losses()),
    ],
    ids=lambda strategy: str(strategy)[:70],
)
def test_what_cannot_be_built_is_refused_when_drawn(strategy: st.SearchStrategy[object]) -> None:
    with pytest.raises(InvalidArgument, match="expected"):
        minimal(strategy)


def test_a_failure_prints_how_to_build_the_problem() -> None:
    @settings(max_examples=20, database=None, derandomize=True, phases=[Phase.generate])
    @given(problem=problems(degenerate=False))
    def fails(problem: Problem) -> None:
        raise AssertionError("planted")

    with pytest.raises(AssertionError) as caught:
        fails()
    printed = "".join(caught.value.__notes__)
    assert "build_problem(" in printed
    assert "ProblemSpec(" in printed
    assert "tensor(" not in printed


def test_building_is_the_description_and_its_changes() -> None:
    spec = ProblemSpec(hidden=(2,), num_inputs=3)
    plain, changed = build_problem(spec), build_problem(spec, gentle=True)
    assert changed.student_lr != plain.student_lr == spec.student_lr
    blind = dataclasses.replace(spec, loss="kl", distilled_logits="aux")
    assert build_problem(blind, gentle=True).student_lr == 1.0
