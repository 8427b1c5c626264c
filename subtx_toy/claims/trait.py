"""Claim C3: the trait loss falls by the student's step."""

from __future__ import annotations

from subtx_toy.claims.claim import Claim, Inequality, Outcome, outcome
from subtx_toy.claims.evidence import RUNG_RATIO, UNIT_ROUNDOFF, Evidence, rungs
from subtx_toy.claims.hypotheses import ONE_STEP, TRAIT_STEP
from subtx_toy.claims.order import order_checks, small_eps
from subtx_toy.tolerances import TERMS_ROUNDING, VISIBLE


def trait_ladder(evidence: Evidence) -> tuple[float, ...]:
    """Return a ladder on which the student moves no further than the teacher does on its own ladder."""
    top, stretch = evidence.ladder[0], evidence.problem.student_lr * float(evidence.G_dT.norm()) * evidence.unit
    while stretch > 1:
        top, stretch = top / RUNG_RATIO, stretch / RUNG_RATIO
    return rungs(top)


def trait_rounding(evidence: Evidence, eps: float) -> float:
    """Return how far rounding can move the change of the trait loss."""
    value = TERMS_ROUNDING * UNIT_ROUNDOFF * (1 + abs(evidence.trait_before))
    return value + evidence.problem.student_lr * evidence.alignment_rounding(eps)


def trait_loss_falls(evidence: Evidence) -> Outcome:
    """Check the change of the trait loss against -eps student_lr V, and its sign at small eps unless V = 0."""
    ladder, slope = trait_ladder(evidence), evidence.problem.student_lr * evidence.V
    remainders = [evidence.trait_change(eps) + eps * slope for eps in ladder]
    rounding = [trait_rounding(evidence, eps) for eps in ladder]
    checks = order_checks(ladder, remainders, rounding, order=2, what="change of trait loss + eps student_lr V")
    if evidence.degenerate:
        return outcome(checks)
    if ladder[0] * slope < VISIBLE * rounding[0]:
        checks.append(Inequality(0.0, 0.0, rounding[0], "eps student_lr V is near rounding"))
    eps = small_eps(ladder, remainders, slope)
    change, floor = evidence.trait_change(eps), trait_rounding(evidence, eps)
    checks.append(Inequality(change, 0.0, floor, f"change of trait loss at eps = {eps:.3g}"))
    return outcome(checks, predicted=-eps * slope, observed=change if abs(change) > floor else float("nan"))


CLAIMS = (
    Claim(
        id="C3",
        statement="After a trait step of the teacher, the student's step changes the trait loss by "
        "-eps student_lr V + O(eps^2): it falls at every small eps, unless V = 0.",
        prediction="-eps student_lr V",
        observation="the trait loss before and after the student's step, student_lr fixed",
        source="Cloud et al. 2025, arXiv:2507.14805, Theorem 1",
        tolerance="REMAINDER_GROWTH",
        evaluate=trait_loss_falls,
        hypotheses=(*ONE_STEP, TRAIT_STEP),
    ),
)
