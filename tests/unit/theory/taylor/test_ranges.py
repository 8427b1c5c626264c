"""Enclosures of whole models along a ray, and the ranges that they prove."""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import nn

from subtx_toy.errors import InputError
from subtx_toy.problem.losses import kl, squared_error
from subtx_toy.problem.params import Params, axpy, flatten, norm
from subtx_toy.problem.problem import Problem
from subtx_toy.theory.alignment import AlignmentRay
from subtx_toy.theory.closed_form import closed_form_eps, falling_student_lr
from subtx_toy.theory.second_order import output_bend
from subtx_toy.theory.step_predictions import remainder
from subtx_toy.theory.taylor.enclosures import Enclosures
from subtx_toy.theory.taylor.jet import Jet
from subtx_toy.theory.taylor.operations import Unbounded
from subtx_toy.theory.taylor.ranges import aligned_eps, falling_step, remainder_bounds
from subtx_toy.theory.taylor.tape import Tape
from subtx_toy.training.gradient_step import student_step
from tests.reference.large_modules import large_problem
from tests.reference.modules import FOREIGN, foreign_problem
from tests.reference.planted import GENERIC, LINEAR
from tests.verdicts.module_corpus import MODULES, Net, problem_of

UNDER = 1e-9  # of autograd's own rounding in a second derivative
BOUNDED = [
    "gelu", "gelu tanh", "silu", "mish", "softplus", "logsigmoid", "sin", "exp", "erf", "atan", "rsqrt", "sqrt",
    "softmax", "log_softmax", "layer_norm", "group_norm", "log cosh by abs", "glu", "cumsum", "avg_pool", "outer",
    "polynomial", "roll", "GRU", "LSTM", "RNN", "attention", "BatchNorm in eval", "convolution",
    "sum of squares in the mean",
]  # fmt: skip


def assert_contained(problem: Problem, eps: float) -> None:
    """The outputs and their two derivatives are in the enclosures, at a few step sizes of the range."""
    found = Tape.of(problem.distilled, problem.base_params).along(problem.base_params, problem.teacher_update, eps)
    for part in (0.0, 0.6) if eps else (0.0,):
        at = axpy(part * eps, problem.teacher_update, problem.base_params)
        with torch.no_grad():
            value = problem.distilled(at)
        bend = output_bend(problem, problem.teacher_update, part * eps)
        for ball, one in ((found.value, value), (found.second, bend)):
            slack = UNDER * (1 + one.abs())
            outside = (one - ball.mid).abs() > ball.rad + slack
            assert not bool(outside.any()), f"at {part} of the range"


@pytest.mark.parametrize("name", [*FOREIGN, *BOUNDED])
def test_the_outputs_and_their_second_derivative_are_enclosed(name: str) -> None:
    problem = foreign_problem(name, kl()) if name in FOREIGN else MODULES[name].build()
    unit = 1 / float(norm(problem.teacher_update))
    for part in (0.0, 1e-2):
        assert_contained(problem, part * unit)


def test_an_enclosure_of_another_ray_is_caught() -> None:
    problem = foreign_problem("cnn", kl())
    other = {name: 1.001 * value for name, value in problem.teacher_update.items()}
    planted = dataclasses.replace(problem, teacher_update=other)
    found = Tape.of(problem.distilled, problem.base_params).along(problem.base_params, problem.teacher_update, 1e-3)
    outside = (output_bend(planted, other, 0.0) - found.second.mid).abs() > found.second.rad
    assert bool(outside.any())


@pytest.mark.parametrize("loss", [kl(), squared_error()], ids=lambda loss: loss.name)
@pytest.mark.parametrize("name", FOREIGN)
def test_the_alignment_is_positive_on_the_proved_range(name: str, loss: object) -> None:
    problem = foreign_problem(name, loss)  # type: ignore[arg-type]
    ray = AlignmentRay.of(problem)
    found = aligned_eps(problem, ray.v, ray.curvature())
    assert found.end is not None
    assert found.end > 1e-4
    for part in (1.0, 0.7, 0.3, 0.01):
        assert ray.alignment(part * found.end) > 0


@pytest.mark.parametrize("name", FOREIGN)
def test_the_trait_loss_falls_on_the_proved_range(name: str) -> None:
    problem = foreign_problem(name, kl())
    end = falling_student_lr(problem).student_lr
    assert end is not None
    update = student_step(problem, problem.eps)
    before = float(problem.trait_value(problem.base_params))
    for part in (1.0, 0.5, 0.1):
        assert float(problem.trait_value(axpy(part * end, update, problem.base_params))) < before


@pytest.mark.parametrize("name", ["cnn", "gru", "tied"])
def test_the_remainder_is_below_its_bound_and_a_tenth_of_the_bound_is_not(name: str) -> None:
    problem = foreign_problem(name, kl())
    (bound,) = remainder_bounds(problem, [0.01])
    seen = remainder(problem, student_step(problem, 0.01), 0.01)[0]
    assert 0.1 * bound.constant * 0.01**2 / 2 < seen <= bound.constant * 0.01**2 / 2


def test_a_perceptron_and_the_same_module_have_ranges_of_the_same_size() -> None:
    problem = GENERIC.build()
    by_norms = closed_form_eps(problem).eps
    ray = AlignmentRay.of(problem)
    enclosed = aligned_eps(problem, ray.v, ray.curvature()).end
    assert by_norms is not None
    assert enclosed is not None
    assert by_norms < enclosed  # entry by entry is tighter than by norms


def test_a_model_that_is_affine_on_the_ray_has_no_end() -> None:
    problem = LINEAR.build()
    ray = AlignmentRay.of(problem)
    assert aligned_eps(problem, ray.v, ray.curvature()).end == float("inf")


def test_a_range_on_which_enclosures_overflow_is_not_proved() -> None:
    problem = problem_of(lambda: Net(lambda x: torch.exp(torch.exp(x))))
    ray = AlignmentRay.of(problem)
    enclosures = Enclosures(problem, ray.v)
    with pytest.raises(Unbounded, match="its enclosures overflow"):
        enclosures.outputs(16 / float(norm(problem.teacher_update)))
    end = aligned_eps(problem, ray.v, ray.curvature()).end
    assert end is not None
    assert ray.curvature() + end * float(enclosures.alignment_bend(end).low) / 2 > 0


@pytest.mark.slow
def test_ranges_of_residual_nets_are_those_of_the_page() -> None:
    page = (Path(__file__).parents[4] / "docs" / "verify-your-own-model.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (\d+) \| (\d+) \| (\d+) \| (\S+) \| (\S+) \|$", page, flags=re.MULTILINE)
    assert len(rows) == 7
    for channels, blocks, size, eps, rounding in rows:
        problem = large_problem("resnet", int(channels), int(blocks))
        assert len(flatten(problem.base_params)) == int(size)
        found = closed_form_eps(problem).eps
        assert ("none" if found is None else f"{found:.2g}") == eps
        still = Tape.of(problem.distilled, problem.base_params)
        slope = still.along(problem.base_params, problem.teacher_update, 0.0).first
        v = AlignmentRay.of(problem).v
        assert float(slope.rad.norm() / v.norm()) == pytest.approx(float(rounding), rel=0.5)


def test_what_is_not_a_number_proves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    problem = MODULES["tanh"].build()
    ray, found = AlignmentRay.of(problem), Tape.along

    def without_numbers(tape: Tape, base: Params, direction: Params, eps: float) -> Jet:
        jet = found(tape, base, direction, eps)
        return dataclasses.replace(jet, second=jet.second.scaled(float("nan"))) if eps else jet

    monkeypatch.setattr(Tape, "along", without_numbers)
    assert aligned_eps(problem, ray.v, ray.curvature()).end is None
    assert falling_student_lr(problem).student_lr is None


@pytest.mark.parametrize("kinked", [torch.relu, nn.functional.leaky_relu, torch.abs])
def test_a_piecewise_linear_model_is_bounded_up_to_its_first_kink(kinked: Callable[..., torch.Tensor]) -> None:
    # kinked(t) with t = 1 - s: the slope changes at s = 1, and the model is affine before.
    problem = Problem(
        model=lambda params, x: kinked(params["t"]) * x,
        base_params={"t": torch.ones(1, dtype=torch.float64)},
        inputs=torch.ones(1, 1, dtype=torch.float64),
        distillation_loss=squared_error(),
        teacher_update={"t": -torch.ones(1, dtype=torch.float64)},
        eps=0.1,
        student_lr=0.1,
    )
    found = closed_form_eps(problem).eps
    assert found is not None
    assert 0.9 < found < 1.0


def test_a_perceptron_with_a_kink_has_a_range_of_the_student_lr_alone() -> None:
    problem = dataclasses.replace(GENERIC, activation="relu", hidden=(6,)).build()
    assert closed_form_eps(problem).eps is None
    assert falling_student_lr(problem).student_lr is not None


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("detached branch", "detach"),
        ("straight through", "what autograd differentiates otherwise than the outputs change"),
        ("max_pool", "max_pool2d_with_indices"),
        ("relu by where", "where"),
        ("hidden in numpy", "numpy, which reads a number"),
    ],
)
def test_what_has_no_bound_is_said(name: str, reason: str) -> None:
    found = closed_form_eps(MODULES[name].build())
    assert found.eps is None
    assert reason in found.reason


READS: dict[str, Callable[[torch.Tensor], object]] = {
    "item": lambda x: x.sum().item() > 1e9,
    "float": lambda x: float(x.sum().detach()) > 1e9,
    "int": lambda x: int(1e3 * x.sum().detach()) == 10**9,
    "bool": lambda x: bool(x.sum() > 1e9),
    "tolist": lambda x: x.tolist()[0][0] > 1e9,
    "numpy": lambda x: x.sum().detach().numpy() > 1e9,
    "equal": lambda x: torch.equal(x, 2 * x),
    "nonzero": lambda x: len((x > 1e9).nonzero()) > 0,
    "index": lambda x: x[x > 1e9].numel() > 0,
}


@pytest.mark.parametrize("name", READS)
def test_no_range_is_proved_where_python_reads_what_depends_on_the_parameters(name: str) -> None:
    problem = problem_of(lambda: Net(lambda x: torch.tanh(x) * (-1.0 if READS[name](x) else 1.0)))
    found = closed_form_eps(problem)
    assert found.eps is None
    assert f"{name}, wh" in found.reason
    assert "depends on the parameters" in falling_student_lr(problem).reason


def test_numbers_of_constants_may_be_read() -> None:
    two = torch.tensor([2.0])
    found = closed_form_eps(problem_of(lambda: Net(lambda x: torch.tanh(x) * two.item() * two.tolist()[0])))
    assert found.eps is not None


class WritesElsewhere(nn.Module):
    """The outputs are a buffer's memory, which a view of it wrote."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(3, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = torch.tanh(self.layer(x))
        column = y[:, 0]
        column.mul_(2.0)
        return y


def test_what_is_written_through_a_view_is_not_taken_for_what_it_was() -> None:
    module = WritesElsewhere().double()
    params = {name: value.detach() for name, value in module.named_parameters()}
    x = torch.ones(2, 3, dtype=torch.float64)
    tape = Tape.of(lambda given: torch.func.functional_call(module, given, (x,)), params)
    assert "written over" in tape.obstacle


def test_bounds_say_what_is_wrong_with_their_arguments() -> None:
    problem = foreign_problem("cnn", kl())
    with pytest.raises(InputError, match="every: expected numbers > 0"):
        remainder_bounds(problem, [0.0])
    with pytest.raises(InputError, match="expected operations with known bounds, got detach"):
        remainder_bounds(MODULES["detached branch"].build(), [0.1])
    assert len(flatten(problem.base_params)) > 0


@pytest.mark.parametrize("first_order", [math.nan, 0.0, -1.0])
@pytest.mark.parametrize("name", ["cnn", "residual"])
def test_no_range_is_proved_of_a_first_order_that_is_not_positive(name: str, first_order: float) -> None:
    problem = foreign_problem(name, squared_error())
    update = student_step(problem, problem.eps)
    for found in (
        aligned_eps(problem, AlignmentRay.of(problem).v, first_order),
        falling_step(problem, update, first_order),
    ):
        assert found.end is None
        assert f"{first_order:.3g}" in found.reason


def test_no_closed_form_is_given_of_a_curvature_that_is_no_number(monkeypatch: pytest.MonkeyPatch) -> None:
    linear = LINEAR.build()
    assert closed_form_eps(linear).eps == math.inf
    monkeypatch.setattr(AlignmentRay, "curvature", lambda _ray: math.nan)
    assert closed_form_eps(linear).eps is None
    monkeypatch.setattr(AlignmentRay, "alignment", lambda _ray, _eps: math.nan)
    found = falling_student_lr(linear)
    assert found.student_lr is None
    assert "nan" in found.reason
