"""Problems whose curvature float64 cannot hold: every claim says so, none breaks, and no number is silently wrong."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from torch import Tensor, nn

from subtx_toy.claims.about_data import about_data
from subtx_toy.claims.registry import CLAIMS
from subtx_toy.claims.vocabulary.evidence import Evidence
from subtx_toy.errors import InputError
from subtx_toy.problem.loss_conditions import null_space_fault
from subtx_toy.problem.losses import squared_error
from subtx_toy.problem.params import norm, scaled_norm
from subtx_toy.problem.problem import Problem
from subtx_toy.problem.smooth_loss import smooth_loss
from subtx_toy.seeding import generator, torch_stream
from subtx_toy.theory.cosine import lambda_max, predicted_cosine
from subtx_toy.theory.step_predictions import predicted_distance


def linear(scale: float, *, width: int = 8) -> Problem:
    """Two linear layers, on inputs of the size ``scale``."""
    with torch_stream(generator(0, "tests", "extreme scales")):
        module = nn.Sequential(nn.Linear(3, width), nn.Linear(width, 4)).double()
        x = torch.randn(5, 3).double()
        update = {name: torch.randn_like(value) for name, value in module.named_parameters()}
    return Problem(
        model=module, inputs=scale * x, distillation_loss=squared_error(), teacher_update=update, eps=1e-3,
        student_lr=0.1,
    )  # fmt: skip


def scaled(what: str, scale: float) -> Problem:
    """The same on inputs of size 1, with one part of it at another scale."""
    near = linear(1.0)
    match what:
        case "inputs":
            return linear(scale)
        case "base_params":
            return dataclasses.replace(near, base_params={k: scale * one for k, one in near.base_params.items()})
        case _:
            return dataclasses.replace(near, teacher_update={k: scale * one for k, one in near.teacher_update.items()})


@pytest.mark.parametrize("scale", [1e100, 1e160, 1e-100, 1e-160])
@pytest.mark.parametrize("what", ["inputs", "base_params", "teacher_update"])
def test_no_claim_breaks_and_none_calls_infinity_rounding(what: str, scale: float) -> None:
    if (what, scale) == ("base_params", 1e160):  # two layers of it overflow
        with pytest.raises(InputError, match="expected finite outputs"):
            scaled(what, scale)
        return
    problem = scaled(what, scale)
    evidence = Evidence(problem)
    for claim in CLAIMS.values():
        judgement = claim.judge(evidence)  # and no exception
        assert judgement.verdict != "violated", judgement.reason
        assert "= inf is near rounding" not in judgement.reason
    assert about_data(problem) is None or scale < 1e100  # and no exception


@pytest.mark.parametrize("size", [1e-9, 1e-30])
def test_a_teacher_that_leaves_outputs_near_zero_violates_no_claim_on_directions(size: float) -> None:
    problem = scaled("base_params", size)
    judgement = CLAIMS["C7c"].judge(Evidence(problem))
    assert judgement.verdict == "undecided"
    assert "cosine_distance: the loss bends at eps" in judgement.reason


def test_a_cosine_is_that_of_the_same_problem_in_other_units() -> None:
    near = linear(1e5)
    for scale in (1e80, 1e120):  # squares of G dT overflow, and the cosine does not depend on the unit
        assert predicted_cosine(linear(scale)) == pytest.approx(predicted_cosine(near), rel=1e-4)
    units = predicted_distance(linear(1e80)).best_student_lr * 1e160
    assert units == pytest.approx(predicted_distance(near).best_student_lr * 1e10, rel=1e-4)


@pytest.mark.parametrize("width", [1, 8], ids=["dense", "lanczos"])
def test_a_largest_eigenvalue_that_overflows_is_an_error(width: int) -> None:
    with pytest.raises(InputError, match="a curvature that float64 can hold"):
        lambda_max(linear(1e160, width=width))
    with pytest.raises(InputError, match="a curvature that float64 can hold"):
        predicted_distance(linear(1e160, width=width))


def test_a_scaled_norm_neither_overflows_nor_underflows() -> None:
    for scale in (1e-200, 1.0, 1e200):
        vector = {"a": torch.tensor([3.0, 0.0]).double() * scale, "b": torch.tensor([[4.0]]).double() * scale}
        assert scaled_norm(vector) == pytest.approx(5 * scale)
    assert scaled_norm({"a": torch.zeros(2)}) == 0.0
    assert scaled_norm({"a": torch.tensor([1.0, float("nan")])}) != scaled_norm({"a": torch.ones(2)})
    assert not scaled_norm({"a": torch.tensor([1.0, float("inf")])}) > 0
    assert float(norm({"a": torch.tensor([1e200]).double()})) == float("inf"), "the control"


def test_a_loss_without_finite_slopes_far_away_has_a_fault() -> None:
    def values(z: Tensor, y: Tensor) -> Tensor:
        gap = (z - y).square().sum(-1)
        return torch.where(gap < 4.0, gap, gap * float("nan"))

    outputs = torch.from_numpy(generator(0, "tests", "far slopes").standard_normal((4, 2)))
    flat = smooth_loss("flat", lambda z, y: values(z, y) ** 2)
    assert "not finite" in null_space_fault(flat, outputs)
