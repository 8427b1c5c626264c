"""Claim C7: the cosine, its limit and its lower bounds."""

from __future__ import annotations

import pytest
from hypothesis import given

from subtx_toy.claims.registry import CLAIMS
from subtx_toy.claims.vocabulary.evidence import Evidence
from tests.reference.planted import GENERIC, judge_all, outcome_of, planted_ggn, seeds, spec_of


@given(seeds)
def test_c7_is_violated_by_no_drawn_problem(seed: int) -> None:
    judge_all(CLAIMS["C7"], spec_of(seed))


@pytest.mark.parametrize("error", ["wrong sign", "transposed J", "M omitted"])  # a factor cancels in a cosine
def test_c7_is_violated_by_a_planted_error(error: str) -> None:
    assert outcome_of("C7", Evidence(GENERIC.build())).worst.verdict == "holds"
    assert outcome_of("C7", planted_ggn(GENERIC.build(), error)).worst.verdict == "violated"


def test_c7_is_violated_by_eigenvalues_that_are_too_small() -> None:
    problem = GENERIC.build()
    values, components = Evidence(problem).ggn_spectrum
    planted = Evidence(problem, ggn_spectrum=(1e-3 * values, components))
    assert outcome_of("C7", planted).worst.verdict == "violated"
