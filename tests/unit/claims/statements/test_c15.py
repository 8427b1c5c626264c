"""Claim C15: one logit through a softmax."""

from __future__ import annotations

import dataclasses

from hypothesis import given

from subtx_toy.claims.registry import CLAIMS
from subtx_toy.claims.vocabulary.evidence import Evidence
from subtx_toy.problem.losses import squared_error
from subtx_toy.problem.params import Params
from subtx_toy.problem.problem import Problem
from subtx_toy.training.gradient_step import student_step
from tests.reference.planted import GENERIC, judge_all, outcome_of, seeds, spec_of, turned


@given(seeds)
def test_c15_is_violated_by_no_drawn_problem(seed: int) -> None:
    judge_all(CLAIMS["C15"], spec_of(seed))


def test_c15_is_violated_by_a_softmax_that_transmits_and_by_an_error_that_does_not() -> None:
    problem = GENERIC.build()
    assert outcome_of("C15", Evidence(problem)).worst.verdict == "holds"

    def through_squared_error(given: Problem, eps: float) -> Params:
        return student_step(dataclasses.replace(given, distillation_loss=squared_error()), eps)

    assert outcome_of("C15", Evidence(problem, student_step=through_squared_error)).worst.verdict == "violated"
    assert outcome_of("C15", Evidence(problem, student_step=turned)).worst.verdict == "violated"
