"""Claims C3 and C8b: the trait loss falls by the student's step, and how large the step may be."""

from __future__ import annotations

import math

import numpy as np

from subtx_toy.claims.vocabulary.claim import Claim, Hypothesis, Inequality, Outcome, order_checks, outcome, small_eps
from subtx_toy.claims.vocabulary.evidence import RUNG_RATIO, Evidence, rungs
from subtx_toy.claims.vocabulary.hypotheses import MOVING, ONE_STEP, SMOOTH, TRAIT_STEP
from subtx_toy.claims.vocabulary.rounding import known
from subtx_toy.problem.sign_change import bisected
from subtx_toy.tolerances import VISIBLE

_GRID = (1.0, 0.9, 0.5, 0.1, 0.01)  # of the closed form in student_lr
_DOUBLINGS = 16  # of a student_lr beyond the closed form, in search of the first that raises the trait loss


def trait_ladder(evidence: Evidence) -> tuple[float, ...]:
    """Return a ladder on which the student moves no further than the teacher does on its own ladder."""
    top, stretch = evidence.ladder[0], evidence.problem.student_lr * evidence.G_dT_norm * evidence.unit
    while stretch > 1:
        top, stretch = top / RUNG_RATIO, stretch / RUNG_RATIO
    return rungs(top)


def trait_loss_falls(evidence: Evidence) -> Outcome:
    """Check the change of the trait loss against -eps student_lr V, and its sign at small eps unless V = 0."""
    ladder, slope = trait_ladder(evidence), evidence.problem.student_lr * evidence.V
    changes = evidence.trait_changes(ladder, evidence.problem.student_lr)
    remainders = [change + eps * slope for eps, change in zip(ladder, changes, strict=True)]
    rounding = [evidence.trait_rounding(eps, evidence.problem.student_lr) for eps in ladder]
    checks = order_checks(ladder, remainders, rounding, order=2, what="change of trait loss + eps student_lr V")
    if evidence.degenerate:
        return outcome(checks)
    if ladder[0] * slope < VISIBLE * rounding[0]:
        checks.append(Inequality(0.0, 0.0, rounding[0], "eps student_lr V is near rounding"))
    eps = small_eps(ladder, remainders, slope)
    change, floor = evidence.trait_change(eps), evidence.trait_rounding(eps, evidence.problem.student_lr)
    checks.append(Inequality(change, 0.0, floor, f"change of trait loss at eps = {eps:.3g}"))
    return outcome(checks, predicted=-eps * slope, observed=change if abs(change) > floor else float("nan"))


def falls_in_closed_form(evidence: Evidence) -> Outcome:
    """Check that the trait loss falls at parts of the closed form in student_lr, and find where it stops to."""
    end, eps = known(evidence.trait_range.student_lr, evidence.trait_range.reason), evidence.problem.eps
    checks = []
    student_lrs = np.array(_GRID) * end
    changes = evidence.trait_changes([eps] * len(_GRID), student_lrs)
    for part, student_lr, change in zip(_GRID, student_lrs.tolist(), changes, strict=True):
        what = f"change of trait loss at {part} of the closed form in student_lr"
        checks.append(Inequality(change, 0.0, evidence.trait_rounding(eps, student_lr), what))
    return outcome(checks, predicted=end, observed=_first_rise(evidence, end))


def _first_rise(evidence: Evidence, start: float) -> float:
    # nan where the trait loss still falls at 2^_DOUBLINGS times the closed form
    def falls(student_lrs: np.ndarray) -> np.ndarray:
        return np.array(evidence.trait_changes([evidence.problem.eps] * len(student_lrs), student_lrs)) < 0

    uppers = start * 2.0 ** np.arange(1, _DOUBLINGS + 1)
    risen = uppers[~falls(uppers)]
    return bisected(falls, risen[0] / 2, risen[0], halvings=_DOUBLINGS)[1] if len(risen) else math.nan


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
        prediction="the largest such student_lr: in closed form for a perceptron, by intervals for any other module",
        observation="the trait loss before and after steps of parts of it, and where it rises first",
        source="this package; Taylor's theorem with the remainder bounded layer by layer",
        tolerance="TERMS_ROUNDING",
        evaluate=falls_in_closed_form,
        hypotheses=(MOVING, SMOOTH, TRAIT_STEP, BENT),
        every=16,
    ),
)
