"""Claim C7b: every batch of inputs that are aligned one by one."""

from __future__ import annotations

import dataclasses

from hypothesis import given

from subtx_toy.claims.registry import CLAIMS
from subtx_toy.claims.vocabulary.evidence import Evidence
from tests.reference.planted import SQUARED, judge_all, outcome_of, planted_ray, seeds, spec_of, turned


@given(seeds)
def test_c7b_is_violated_by_no_drawn_problem(seed: int) -> None:
    judge_all(CLAIMS["C7b"], spec_of(seed))


# An eps at which every input alone is aligned, small against the outputs' bend.
PROBLEM = dataclasses.replace(SQUARED, eps=1e-4)


def test_c7b_holds_and_is_violated_by_planted_errors() -> None:
    problem = PROBLEM.build()
    assert CLAIMS["C7b"].judge(Evidence(problem)).verdict == "holds"
    assert CLAIMS["C7b"].judge(Evidence(problem, student_step=turned)).verdict == "violated"
    for change in (lambda v: 1.01 * v, lambda v: len(v) * v, lambda v: v.flip(0)):
        assert outcome_of("C7b", planted_ray(problem, change)).worst.verdict == "violated"
