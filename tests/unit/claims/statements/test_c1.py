"""Claim C1: the alignment is eps V + O(eps^2), V >= 0."""

from __future__ import annotations

import pytest
from hypothesis import given

from subtx_toy.claims.registry import CLAIMS
from subtx_toy.claims.statements.alignment import first_order
from subtx_toy.claims.vocabulary.evidence import Evidence
from subtx_toy.tolerances import VISIBLE
from tests.reference.planted import GENERIC, WEIGHTS, judge_all, outcome_of, planted_ggn, seeds, spec_of


@given(seeds)
def test_c1_is_violated_by_no_drawn_problem(seed: int) -> None:
    judge_all(CLAIMS["C1"], spec_of(seed))


@pytest.mark.parametrize("error", WEIGHTS)
def test_c1_is_violated_by_a_planted_error(error: str) -> None:
    assert outcome_of("C1", Evidence(GENERIC.build())).worst.verdict == "holds"
    assert outcome_of("C1", planted_ggn(GENERIC.build(), error)).worst.verdict == "violated"


@pytest.mark.parametrize("roundings", [1.0, 150.0, 300.0, VISIBLE / 2, 1.01 * VISIBLE, 1e8])
@pytest.mark.parametrize("missing", [0.01, 1.0, 2.0])
def test_c1_never_holds_for_an_effect_that_is_not_there(missing: float, roundings: float) -> None:
    """All of the effect missing, turned round, or a hundredth of it missing, beside constant rounding."""
    ladder = tuple(4.0**-rung for rung in range(6))

    class Missing(Evidence):
        def alignment(self, eps: float) -> float:
            return (1 - missing) * eps

        def alignment_rounding(self, eps: float) -> float:
            del eps
            return 1 / roundings

    verdict = first_order(Missing(GENERIC.build(), ladder=ladder, V=1.0, degenerate=False)).worst.verdict
    assert verdict == ("violated" if roundings > VISIBLE else verdict)
    assert verdict != "holds"
