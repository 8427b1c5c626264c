"""Claim C8: positive up to the closed form."""

from __future__ import annotations

import dataclasses

from hypothesis import given

from subtx_toy.claims.registry import CLAIMS
from subtx_toy.claims.vocabulary.evidence import Evidence
from subtx_toy.problem.losses import scaled, squared_error
from subtx_toy.theory.closed_form import ClosedFormEps
from subtx_toy.theory.observed_eps import observed_eps
from tests.reference.planted import SQUARED, TURNING, judge_all, outcome_of, seeds, spec_of


@given(seeds)
def test_c8_is_violated_by_no_drawn_problem(seed: int) -> None:
    judge_all(CLAIMS["C8"], spec_of(seed))


def test_c8_is_violated_by_a_closed_form_beyond_the_first_sign_change() -> None:
    problem = TURNING.build()
    turn = observed_eps(problem).eps
    assert turn is not None
    assert CLAIMS["C8"].judge(Evidence(problem)).verdict == "holds"
    beyond = Evidence(problem, closed_form=ClosedFormEps(1.2 * turn))
    assert outcome_of("C8", beyond).worst.verdict == "violated"


def test_c8_is_not_applicable_where_no_bound_is_known() -> None:
    relu = dataclasses.replace(SQUARED, activation="relu").build()
    assert CLAIMS["C8"].judge(Evidence(relu)).verdict == "not applicable"
    large = SQUARED.build(distillation_loss=scaled(squared_error(), 100.0))  # the bound is of the loss itself
    assert CLAIMS["C8"].judge(Evidence(large)).verdict == "not applicable"
