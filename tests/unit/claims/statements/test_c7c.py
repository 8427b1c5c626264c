"""Claim C7c: other distillation losses."""

from __future__ import annotations

import pytest
import torch
from hypothesis import example, given
from torch import Tensor

from subtx_toy.claims.registry import CLAIMS
from subtx_toy.claims.vocabulary.evidence import Evidence
from subtx_toy.problem.problem import Problem
from subtx_toy.problem.smooth_loss import smooth_loss
from tests.reference.examples import at_most
from tests.reference.planted import GENERIC, judge_all, outcome_of, seeds, spec_of, turned


@at_most(20)  # three losses each
@given(seeds)
@example(seed=8732)  # outputs of 1e-10 on one input, where cosine distance is not smooth on the ladder
@example(seed=4469)  # softmaxes so saturated that reverse kl is rounding
def test_c7c_is_violated_by_no_drawn_problem(seed: int) -> None:
    judge_all(CLAIMS["C7c"], spec_of(seed))


def test_c7c_holds_and_is_violated_by_a_student_that_turns_round() -> None:
    assert outcome_of("C7c", Evidence(GENERIC.build())).worst.verdict == "holds"
    assert outcome_of("C7c", Evidence(GENERIC.build(), student_step=turned)).worst.verdict == "violated"


def test_c7c_the_dichotomy_needs_more_than_a_minimum() -> None:
    """h(z - y) = 1/2 (u1 + u2^2)^2 + 1/2 u2^4 is least at 0, V = 0, and yet a(eps) = -2 eps^3."""

    def value(z: Tensor, y: Tensor) -> Tensor:
        u = z - y
        return 0.5 * (u[:, 0] + u[:, 1] ** 2) ** 2 + 0.5 * u[:, 1] ** 4

    problem = Problem(
        model=lambda params, x: torch.stack([3 * params["t"] ** 2, params["t"]]) * torch.ones_like(x),
        base_params={"t": torch.zeros((), dtype=torch.float64)},
        inputs=torch.ones(1, 2, dtype=torch.float64),
        distillation_loss=smooth_loss("counterexample", value),
        teacher_update={"t": torch.ones((), dtype=torch.float64)},
        eps=0.1,
        student_lr=0.1,
    )
    evidence = Evidence(problem)
    assert evidence.V == 0
    for eps in (0.1, 0.01):
        assert evidence.alignment(eps) == pytest.approx(-2 * eps**3, rel=1e-9)
    assert CLAIMS["C2"].judge(evidence).verdict == "not applicable"
