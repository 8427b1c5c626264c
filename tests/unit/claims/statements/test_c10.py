"""Claim C10: the closed form ends before the first sign change."""

from __future__ import annotations

import pytest
from hypothesis import given

from subtx_toy.claims.registry import CLAIMS
from subtx_toy.claims.vocabulary.evidence import Evidence
from subtx_toy.theory.alignment import AlignmentRay
from subtx_toy.theory.closed_form import ClosedFormEps
from subtx_toy.theory.observed_eps import observed_eps
from tests.reference.examples import at_most
from tests.reference.planted import TURNING, judge_all, outcome_of, seeds, spec_of


@at_most(8)  # a scan over 460 eps each
@given(seeds)
def test_c10_is_violated_by_no_drawn_problem(seed: int) -> None:
    judge_all(CLAIMS["C10"], spec_of(seed))


def test_c10_is_violated_by_a_closed_form_beyond_the_first_sign_change() -> None:
    problem = TURNING.build()
    assert CLAIMS["C10"].judge(Evidence(problem)).verdict == "holds"
    turn = observed_eps(problem).eps
    assert turn is not None
    planted = Evidence(problem, closed_form=ClosedFormEps(1.01 * turn))
    assert outcome_of("C10", planted).worst.verdict == "violated"


def test_c10_is_undecided_where_160_bits_do_not_show_the_sign_change(monkeypatch: pytest.MonkeyPatch) -> None:
    alignment = AlignmentRay.alignment
    monkeypatch.setattr(AlignmentRay, "alignment", lambda ray, eps: alignment(ray, eps) * (1 if eps < 0.5 else -1))
    judgement = CLAIMS["C10"].judge(Evidence(TURNING.build()))
    assert judgement.verdict == "undecided"
    assert "not confirmed: 160 bits show no change" in judgement.reason
