"""One comparison of what the package finds in float64 with 200 bits: numbers, and verdicts."""

from __future__ import annotations

from flint import arb

from subtx_toy.claims.registry import CLAIMS
from subtx_toy.claims.vocabulary.evidence import Evidence
from subtx_toy.claims.vocabulary.rounding import RoundedEvidence
from tests.verdicts.truth import ALLOWED, IDS, Evaluated, Truth

DIFFERS = 1e-12
"""Relative, V in float64: some hundred roundings of sums without cancellation give 1e-14; where a model cancels, its
measured spread is added."""


def assert_numbers_agree(evidence: Evidence, exact: Evaluated) -> None:
    """Assert that V and the alignment differ from 200 bits by no more than the rounding that the package states."""
    if evidence.out_of_range:
        return
    eps, rounded = evidence.ladder[0], RoundedEvidence.of(evidence)
    gap = abs(arb(evidence.alignment(eps)) - exact.alignment(eps))
    if not gap <= evidence.alignment_rounding(eps):  # the cheap floor knows the outputs' size alone
        assert gap <= rounded.alignment_rounding(eps), f"alignment differs by {float(gap)}"
    gap, size = abs(arb(evidence.V) - exact.curvature()), abs(exact.curvature())
    if not gap <= DIFFERS * size:
        assert gap <= rounded.spread(lambda other: other.V), f"V differs by {float(gap)}"


def judged(evidence: Evidence, exact: Evaluated) -> list[tuple[Truth, str]]:
    """Return the truth of each claim with its verdict, after asserting that no verdict is wrong."""
    found: list[tuple[Truth, str]] = []
    for id in IDS:
        truth, judgement = exact.truths[id], CLAIMS[id].judge(evidence)
        assert judgement.verdict in ALLOWED[truth], f"{id} is {judgement.verdict}, {truth}: {judgement.reason}"
        found.append((truth, judgement.verdict))
    return found
