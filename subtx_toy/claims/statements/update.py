"""Claims C4, C13 and the first part of C14: the student's update as a vector."""

from __future__ import annotations

import numpy as np

from subtx_toy.claims.vocabulary.claim import Claim, Inequality, Outcome, outcome
from subtx_toy.claims.vocabulary.evidence import Evidence
from subtx_toy.claims.vocabulary.hypotheses import ONE_STEP
from subtx_toy.theory.step_predictions import FittedOrder
from subtx_toy.tolerances import MIN_RUNGS, REMAINDER_ORDER, VISIBLE


def remainder_order(evidence: Evidence) -> FittedOrder | None:
    """Fit the order of ||dS - eps G dT|| on the lowest MIN_RUNGS rungs above rounding.

    Its slope is infinite where no rung is above rounding, and None where some are but too few.
    """
    floor = evidence.update_rounding
    evidence.prepare(evidence.ladder)
    sizes = [float((evidence.update(eps) - eps * evidence.G_dT).norm()) for eps in evidence.ladder]
    above = [(eps, size) for eps, size in zip(evidence.ladder, sizes, strict=True) if size > floor]
    if not above:
        return FittedOrder(float("inf"), 0)
    if len(above) < MIN_RUNGS:
        return None
    eps, values = np.log(above[-MIN_RUNGS:]).T
    eps -= eps.mean()
    return FittedOrder(float(eps @ values / (eps @ eps)), len(above))


def second_order(evidence: Evidence) -> Outcome:
    """Check that the remainder of the update falls at least as eps^REMAINDER_ORDER, or is zero to rounding."""
    order = remainder_order(evidence)
    if order is None:
        floor = evidence.update_rounding
        return outcome([Inequality(0.0, 0.0, floor, "too few remainders above rounding to fit an order")])
    top = evidence.ladder[0] * evidence.G_dT_norm
    if not evidence.degenerate and top < VISIBLE * evidence.update_rounding:
        return outcome([Inequality(0.0, 0.0, evidence.update_rounding, "eps G dT is near rounding")])
    eps = evidence.ladder[-1]
    check = Inequality(REMAINDER_ORDER, order.slope, what="least order <= fitted order of ||dS - eps G dT||")
    if evidence.degenerate:
        return outcome([check])
    return outcome([check], predicted=eps * evidence.G_dT_norm, observed=evidence.update_norm(eps))


CLAIMS = (
    Claim(
        id="C4",
        statement="The student's update is eps G dT with a remainder whose norm is of order eps^2.",
        prediction="eps G dT, G = mean_n J_n^T M_n J_n",
        observation="the log-log slope of ||dS - eps G dT|| on a ladder of eps, above rounding",
        source="Cloud et al. 2025, arXiv:2507.14805, proof of Lemma 1; the order by Taylor's theorem",
        tolerance="REMAINDER_ORDER",
        evaluate=second_order,
        hypotheses=ONE_STEP,
    ),
)
