"""Claim C2: the alignment is zero at every eps, or positive at every small one."""

from __future__ import annotations

import dataclasses

import torch
from hypothesis import given

from subtx_toy.claims.registry import CLAIMS
from subtx_toy.claims.vocabulary.evidence import Evidence
from subtx_toy.problem.spec import ProblemSpec
from tests.reference.planted import GENERIC, judge_all, outcome_of, seeds, spec_of, turned


@given(seeds)
def test_c2_is_violated_by_no_drawn_problem(seed: int) -> None:
    judge_all(CLAIMS["C2"], spec_of(seed))


def test_c2_is_violated_by_a_student_that_turns_round() -> None:
    assert outcome_of("C2", Evidence(GENERIC.build())).worst.verdict == "holds"
    assert outcome_of("C2", Evidence(GENERIC.build(), student_step=turned)).worst.verdict == "violated"


def test_c2_asserts_exactly_zero_where_the_outputs_do_not_see_the_teacher() -> None:
    # A linear model's auxiliary outputs have parameters of their own, which no trait step moves.
    evidence = Evidence(ProblemSpec(input_dim=2, num_classes=2, num_aux=2, distilled_logits="aux").build())
    assert evidence.degenerate
    assert [evidence.alignment(eps) for eps in (1e-3, 1.0, 1e3)] == [0, 0, 0]
    assert CLAIMS["C2"].judge(evidence).verdict == "holds"
    astray = Evidence(evidence.problem, student_step=lambda problem, _eps: problem.teacher_update)
    assert CLAIMS["C2"].judge(astray).verdict == "violated"


def test_c2_is_undecided_with_a_bound_where_the_curvature_is_near_rounding() -> None:
    problem = ProblemSpec(input_dim=2, num_classes=2, loss="kl", trait="squared_error").build()
    everywhere = {name: torch.ones_like(value) for name, value in problem.base_params.items()}
    # All logits move alike but for one part in 1e14: a softmax sees the rest.
    everywhere["layers.0.bias"][0] += 1e-14
    evidence = Evidence(dataclasses.replace(problem, teacher_update=everywhere))
    assert not evidence.degenerate
    judgement = CLAIMS["C2"].judge(evidence)
    assert judgement.verdict == "undecided"
    assert "rounding" in judgement.reason
