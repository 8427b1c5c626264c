"""Claim C4: the remainder of the update is of second order."""

from __future__ import annotations

import pytest
from hypothesis import given

from subtx_toy.claims.registry import CLAIMS
from subtx_toy.claims.vocabulary.evidence import Evidence
from tests.reference.planted import GENERIC, WEIGHTS, judge_all, outcome_of, planted_ggn, seeds, spec_of


@given(seeds)
def test_c4_is_violated_by_no_drawn_problem(seed: int) -> None:
    judge_all(CLAIMS["C4"], spec_of(seed))


@pytest.mark.parametrize("error", WEIGHTS)
def test_c4_is_violated_by_a_planted_error(error: str) -> None:
    assert outcome_of("C4", Evidence(GENERIC.build())).worst.verdict == "holds"
    assert outcome_of("C4", planted_ggn(GENERIC.build(), error)).worst.verdict == "violated"
