"""Claim C13: a cross-model student's update has order 0."""

from __future__ import annotations

import pytest
from hypothesis import given

from subtx_toy.claims.registry import CLAIMS
from subtx_toy.claims.statements import other_init
from subtx_toy.claims.vocabulary.evidence import Evidence
from subtx_toy.problem.params import Params
from subtx_toy.problem.problem import Problem
from subtx_toy.theory.step_predictions import unshared_update
from tests.reference.planted import GENERIC, judge_all, outcome_of, seeds, spec_of


@given(seeds)
def test_c13_is_violated_by_no_drawn_problem(seed: int) -> None:
    judge_all(CLAIMS["C13"], spec_of(seed))


@pytest.mark.parametrize("factor", [-1.0, 1.01, 7.0])
def test_c13_is_violated_by_a_planted_error(factor: float, monkeypatch: pytest.MonkeyPatch) -> None:
    assert outcome_of("C13", Evidence(GENERIC.build())).worst.verdict == "holds"
    right = unshared_update

    def wrong(problem: Problem, start: Params) -> Params:
        return {name: factor * value for name, value in right(problem, start).items()}

    monkeypatch.setattr(other_init, "unshared_update", wrong)
    assert outcome_of("C13", Evidence(GENERIC.build())).worst.verdict == "violated"
