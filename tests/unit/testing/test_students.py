"""Students that are no students: each is one message, or fails."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from subtx_toy import testing
from subtx_toy.errors import InputError
from subtx_toy.problem.params import Params
from subtx_toy.problem.problem import Problem
from subtx_toy.problem.spec import ProblemSpec
from subtx_toy.training.gradient_step import student_step

PROBLEM = ProblemSpec(hidden=(3,), input_dim=2, num_classes=2, num_inputs=4, num_trait_inputs=4).build()
ASSERTIONS = [
    testing.assert_aligned_to_first_order,
    testing.assert_alignment_is_exact,
    testing.assert_dichotomy,
    testing.assert_moves_toward_teacher,
    testing.assert_remainder_is_second_order,
    testing.assert_trait_loss_falls,
]


@pytest.mark.parametrize("check", ASSERTIONS, ids=lambda one: str(one.__name__))
@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_student_that_is_not_a_number_does_not_pass(check: Callable[..., None], value: float) -> None:
    with pytest.raises(AssertionError):
        check(PROBLEM, student=lambda problem, eps: {k: v * value for k, v in student_step(problem, eps).items()})


def test_a_correct_student_in_another_order_passes() -> None:
    testing.assert_aligned_to_first_order(
        PROBLEM, student=lambda problem, eps: dict(reversed(student_step(problem, eps).items()))
    )


def _changed(change: Callable[[Params], object]) -> Callable[[Problem, float], object]:
    return lambda problem, eps: change(student_step(problem, eps))


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda step: {k: v.float() for k, v in step.items()}, "of torch.float64, got (3, 2) of torch.float32"),
        (lambda step: {k: v.T for k, v in step.items()}, "expected shape (3, 2)"),
        (lambda step: {k: v for k, v in step.items() if "bias" not in k}, "'layers.0.bias', 'layers.1.bias'] missing"),
        (lambda step: {k.upper(): v for k, v in step.items()}, "unknown"),
        (
            lambda step: {k: v.tolist() for k, v in step.items()},
            "student['layers.0.weight']: expected a tensor, got list",
        ),
        (lambda step: list(step.values()), "student: expected a dict of tensors by parameter, got list"),
        (lambda _step: None, "got NoneType"),
    ],
)
@pytest.mark.filterwarnings("ignore:The use of `x.T` on tensors of dimension other than 2")
def test_what_is_no_update_is_one_clear_error(change: Callable[[Params], object], sentence: str) -> None:
    with pytest.raises(InputError) as caught:
        testing.assert_claim("C1", PROBLEM, student=_changed(change))  # type: ignore[arg-type]
    assert sentence in str(caught.value)


def test_a_graph_on_the_update_does_no_harm() -> None:
    def with_graph(problem: Problem, eps: float) -> dict[str, Tensor]:
        return {name: value.requires_grad_() * 1 for name, value in student_step(problem, eps).items()}

    testing.assert_aligned_to_first_order(PROBLEM, student=with_graph)


def test_a_falsifying_example_prints_what_differs_from_the_defaults() -> None:
    from hypothesis import given, settings

    @settings(max_examples=5, database=None, derandomize=True)
    @given(spec=testing.problem_specs(), problem=testing.problems())
    def fails(spec: ProblemSpec, problem: Problem) -> None:
        assert len(problem.inputs) < spec.num_inputs

    with pytest.raises(AssertionError) as caught:
        fails()
    assert "spec=ProblemSpec()" in "".join(caught.value.__notes__)
    assert repr(ProblemSpec(hidden=(2,), seed=3)) == "ProblemSpec(hidden=(2,), seed=3)"


def test_torch_is_not_asked_for_what_is_missing() -> None:
    with pytest.raises(InputError):
        testing.assert_claim("C7b", PROBLEM, student=lambda _p, _e: {"w": torch.zeros(1)})
