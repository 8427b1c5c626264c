"""Claims C3 and C8b: the trait loss falls by the student's step, and how large the step may be."""

from __future__ import annotations

from subtx_toy.claims.vocabulary.claim import Claim, Hypothesis, Inequality, Outcome, order_checks, outcome, small_eps
from subtx_toy.claims.vocabulary.evidence import RUNG_RATIO, UNIT_ROUNDOFF, Evidence, rungs
from subtx_toy.claims.vocabulary.hypotheses import MOVING, ONE_STEP, SMOOTH, TRAIT_STEP
from subtx_toy.tolerances import TERMS_ROUNDING, VISIBLE

_GRID = (1.0, 0.9, 0.5, 0.1, 0.01)  # of the closed form in student_lr
_DOUBLINGS = 16  # of a student_lr beyond the closed form, in search of the first that raises the trait loss


def trait_ladder(evidence: Evidence) -> tuple[float, ...]:
    """Return a ladder on which the student moves no further than the teacher does on its own ladder."""
    top, stretch = evidence.ladder[0], evidence.problem.student_lr * evidence.G_dT_norm * evidence.unit
    while stretch > 1:
        top, stretch = top / RUNG_RATIO, stretch / RUNG_RATIO
    return rungs(top)


def trait_rounding(evidence: Evidence, eps: float, student_lr: float | None = None) -> float:
    """Return how far rounding can move the change of the trait loss."""
    value = TERMS_ROUNDING * UNIT_ROUNDOFF * (1 + abs(evidence.trait_before))
    return value + (student_lr or evidence.problem.student_lr) * evidence.alignment_rounding(eps)


def trait_loss_falls(evidence: Evidence) -> Outcome:
    """Check the change of the trait loss against -eps student_lr V, and its sign at small eps unless V = 0."""
    ladder, slope = trait_ladder(evidence), evidence.problem.student_lr * evidence.V
    evidence.prepare(ladder)
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


def falls_in_closed_form(evidence: Evidence) -> Outcome:
    """Check that the trait loss falls at parts of the closed form in student_lr, and find where it stops to."""
    end, eps = evidence.trait_range.student_lr, evidence.problem.eps
    assert end is not None  # a hypothesis
    checks = []
    for part in _GRID:
        change, floor = evidence.trait_change(eps, part * end), trait_rounding(evidence, eps, part * end)
        what = f"change of trait loss at {part} of the closed form in student_lr"
        checks.append(Inequality(change, 0.0, floor, what))
    return outcome(checks, predicted=end, observed=_first_rise(evidence, end))


def _first_rise(evidence: Evidence, start: float) -> float:
    # nan where the trait loss still falls at 2^_DOUBLINGS times the closed form
    upper = start
    for _ in range(_DOUBLINGS):
        lower, upper = upper, 2 * upper
        if evidence.trait_change(evidence.problem.eps, upper) >= 0:
            break
    else:
        return float("nan")
    for _ in range(_DOUBLINGS):
        middle = (lower + upper) / 2
        falls = evidence.trait_change(evidence.problem.eps, middle) < 0
        lower, upper = (middle, upper) if falls else (lower, middle)
    return upper


BENT = Hypothesis(
    "a bound on the second derivative of the trait loss is known, and the step is aligned",
    lambda evidence: evidence.trait_range.reason if evidence.trait_range.student_lr is None else "",
)

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
    Claim(
        id="C8b",
        statement="After a trait step of the teacher, the trait loss falls whenever student_lr eps < "
        "2 (a / eps) / (beta ||dS / eps||^2), beta a bound on its second derivative along the student's step; as "
        "eps -> 0 the threshold is 2 / (beta lambda_max) or more.",
        prediction="the largest such student_lr, in closed form",
        observation="the trait loss before and after steps of parts of it, and where it rises first",
        source="this package; Taylor's theorem with the remainder bounded layer by layer",
        tolerance="TERMS_ROUNDING",
        evaluate=falls_in_closed_form,
        hypotheses=(MOVING, SMOOTH, TRAIT_STEP, BENT),
        every=16,
    ),
)
