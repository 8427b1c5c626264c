"""Claim C4b: the remainder of the student's update stays below a bound that is proved for the operations that run."""

from __future__ import annotations

import pytest
from hypothesis import given

from subtx_toy.claims.registry import CLAIMS
from subtx_toy.claims.vocabulary.evidence import Evidence
from subtx_toy.problem.losses import kl
from subtx_toy.theory.taylor.ranges import RemainderBound
from tests.reference.examples import at_most
from tests.reference.modules import FOREIGN, foreign_problem
from tests.reference.planted import GENERIC, judge_all, outcome_of, planted_ggn, seeds, spec_of
from tests.verdicts.module_corpus import MODULES


@at_most(5)
@given(seeds)
def test_c4b_is_violated_by_no_drawn_problem(seed: int) -> None:
    judge_all(CLAIMS["C4b"], spec_of(seed))


@pytest.mark.parametrize("name", FOREIGN)
def test_c4b_holds_on_foreign_modules_and_says_something(name: str) -> None:
    outcome = outcome_of("C4b", Evidence(foreign_problem(name, kl())))
    assert outcome.worst.verdict == "holds"
    assert 1 < outcome.ratio < 100


@pytest.mark.parametrize("error", ["wrong sign", "factor 1.01", "missing 1/n", "transposed J", "M omitted"])
def test_c4b_is_violated_by_a_planted_error(error: str) -> None:
    assert outcome_of("C4b", planted_ggn(GENERIC.build(), error)).worst.verdict == "violated"


def test_c4b_is_violated_by_a_constant_that_is_too_small() -> None:
    problem = GENERIC.build()
    bound = Evidence(problem).remainder
    assert isinstance(bound, RemainderBound)
    planted = Evidence(problem, remainder=RemainderBound(bound.eps, 0.2 * bound.constant))
    assert CLAIMS["C4b"].judge(planted).verdict == "violated"


def test_c4b_says_which_operation_has_no_bound() -> None:
    judgement = CLAIMS["C4b"].judge(Evidence(MODULES["stable softmax"].build()))
    assert judgement.verdict == "not applicable"
    assert "amax" in judgement.reason
