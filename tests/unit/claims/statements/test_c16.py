"""Claim C16: one step on sampled labels."""

from __future__ import annotations

from hypothesis import given

from subtx_toy.claims.registry import CLAIMS
from subtx_toy.claims.vocabulary.evidence import Evidence
from subtx_toy.problem.spec import ProblemSpec
from tests.reference.planted import GENERIC, judge_all, outcome_of, planted_ray, seeds, spec_of


@given(seeds)
def test_c16_is_violated_by_no_drawn_problem(seed: int) -> None:
    judge_all(CLAIMS["C16"], spec_of(seed))


def test_c16_is_violated_by_a_planted_error() -> None:
    assert outcome_of("C16", Evidence(GENERIC.build())).worst.verdict == "holds"
    assert outcome_of("C16", planted_ray(GENERIC.build(), lambda v: -v)).worst.verdict == "violated"
    assert outcome_of("C16", planted_ray(GENERIC.build(), lambda v: 1.01 * v)).worst.verdict == "violated"


def test_c16_is_not_applicable_without_labels() -> None:
    judgement = CLAIMS["C16"].judge(Evidence(ProblemSpec(hidden=(3,)).build()))
    assert judgement.verdict == "not applicable"
