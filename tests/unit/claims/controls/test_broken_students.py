"""Every control fails its claim on the problem built for it, and the rate of failure is told with its interval."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from subtx_toy.claims.controls import altered_students
from subtx_toy.claims.controls.altered_students import dropout_masks
from subtx_toy.claims.controls.broken_student import BrokenStudent
from subtx_toy.claims.controls.broken_students import BROKEN, ControlResult, constructed_verdict, run_controls
from subtx_toy.claims.controls.constructed import CONSTRUCTED
from subtx_toy.claims.instance import drawn
from subtx_toy.claims.vocabulary.evidence import Evidence
from subtx_toy.problem.model import MLP
from subtx_toy.problem.problem import Problem
from subtx_toy.problem.spec import ProblemSpec
from subtx_toy.tolerances import BATCHED_ROUTE
from tests.reference.annotations import unchecked


@pytest.mark.parametrize("control", BROKEN, ids=lambda control: control.id)
def test_control_fails_on_the_problem_built_for_it(control: BrokenStudent) -> None:
    assert constructed_verdict(control) == "violated"


# What is broken there is the problem, and not the student.
UNBROKEN = [one for one in BROKEN if one.id not in ("large_student_lr", "trained_teacher")]


@pytest.mark.parametrize("control", UNBROKEN, ids=lambda control: control.id)
def test_the_same_problem_holds_for_the_unbroken_student(control: BrokenStudent) -> None:
    assert control.evaluate(Evidence(CONSTRUCTED[control.id]())).worst.verdict == "holds"


@pytest.mark.parametrize("seed", range(12))
def test_dropout_fails_whatever_units_it_drops(seed: int) -> None:
    control = next(one for one in BROKEN if one.id == "dropout")
    broken = control.breaks(Evidence(CONSTRUCTED["dropout"](), seed=seed))
    assert broken is not None
    assert control.evaluate(broken).worst.verdict == "violated"


def test_twelve_seeds_show_all_four_ways_to_drop_two_units() -> None:
    problem = CONSTRUCTED["dropout"]()
    assert isinstance(problem.model, MLP)
    seen = set()
    for seed in range(12):
        (mask,) = dropout_masks(problem.model, 1, Evidence(problem, seed=seed).stream("control", "dropout"))
        seen.add(tuple(mask[:, 0].tolist()))
    assert seen == {(0.0, 0.0), (0.0, 2.0), (2.0, 0.0), (2.0, 2.0)}


WIDE = ProblemSpec(hidden=(5, 4), input_dim=3, num_classes=2, num_aux=3, num_inputs=6, teacher="random", seed=2)
EPS = (0.5, 0.1)


def by_autograd(problem: Problem, hidden: Callable[[int, Tensor], Tensor]) -> Tensor:
    """The student's updates where a layer's sums ``[n, h]`` become ``hidden(number, sums)``."""
    assert isinstance(problem.model, MLP)
    updates = []
    for eps in EPS:
        leaves = {name: value.clone().requires_grad_() for name, value in problem.base_params.items()}
        x = problem.inputs
        for layer in range(problem.model.num_layers):
            x = x @ leaves[f"layers.{layer}.weight"].T + leaves[f"layers.{layer}.bias"]
            x = hidden(layer, x) if layer < problem.model.num_layers - 1 else x[:, problem.columns]
        total = problem.distillation_loss.mean(x, problem.distilled(problem.teacher_params(eps)))
        updates.append(-torch.cat([slope.reshape(-1) for slope in torch.autograd.grad(total, list(leaves.values()))]))
    return torch.stack(updates)


@pytest.mark.parametrize("activation", ["tanh", "gelu", "softplus", "sigmoid"])
@pytest.mark.parametrize("altered", ["drops_units", "normalises_batches"])
def test_students_with_other_hidden_layers_are_those_of_autograd(activation: str, altered: str) -> None:
    problem = replace(WIDE, activation=activation).build_fast()
    assert isinstance(problem.model, MLP)
    apply, evidence = problem.model.activation.apply, Evidence(problem)
    keep = dropout_masks(problem.model, 6, evidence.stream("control", "dropout"))

    def hidden(layer: int, z: Tensor) -> Tensor:
        if altered == "drops_units":
            return apply(z) * torch.from_numpy(keep[layer]).T
        return apply((z - z.mean(0)) / (z.var(0, unbiased=False) + altered_students.VARIANCE_FLOOR).sqrt())

    broken = getattr(altered_students, altered)(evidence)
    found, wanted = torch.from_numpy(broken.updates(EPS)), by_autograd(problem, hidden)
    assert float((found - wanted).abs().max()) <= BATCHED_ROUTE * float(wanted.abs().max())
    other = by_autograd(problem, lambda layer, z: hidden(layer, z) * (1 + 1e-6))
    assert float((found - other).abs().max()) > BATCHED_ROUTE * float(wanted.abs().max())


def test_altered_targets_are_what_their_names_say() -> None:
    y = torch.tensor([[2.0, 1.0, 0.0]], dtype=torch.float64)
    p = torch.softmax(y, dim=-1)
    assert altered_students.soft(2 * y, 2.0).equal(p)
    assert altered_students.most_likely(y, 1.0).tolist() == [[1.0, 0.0, 0.0]]
    assert torch.allclose(altered_students.smoothed(y, 1.0), 0.9 * p + 0.1 / 3)
    assert torch.allclose(
        altered_students.rounded(y, 1.0), torch.tensor([[67.0, 24.0, 9.0]]).double() / 100, rtol=1e-12
    )
    assert torch.allclose(altered_students.top_k(y, 1.0), p * torch.tensor([1, 1, 0]) / p[0, :2].sum())


@unchecked()
def test_rates_over_drawn_problems() -> None:
    results = {one.control.id: one for one in run_controls(drawn(15, seed=0))}
    assert all(one.failed_as_it_must for one in results.values())
    for always in ("repulsive", "cross_model", "large_student_lr"):
        assert results[always].failures == results[always].num_drawn > 0
    for one in (one for one in results.values() if one.num_drawn):
        low, high = one.interval
        assert low <= one.failures / one.num_drawn <= high


def test_interval_is_clopper_and_pearsons() -> None:
    # No failure of n: the upper end solves (1 - p)^n = .025.
    none = ControlResult(BROKEN[0], "violated", failures=0, num_drawn=30)
    assert none.interval[0] == 0
    assert none.interval[1] == pytest.approx(1 - 0.025 ** (1 / 30), rel=1e-9)
    assert ControlResult(BROKEN[0], "violated").interval == (0.0, 1.0)
    assert math.isclose(sum(ControlResult(BROKEN[0], "violated", failures=5, num_drawn=10).interval), 1.0)
