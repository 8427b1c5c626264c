"""Claims C4 and C7: the student's update as a vector, its order and its angle to the teacher's."""

from __future__ import annotations

import math

import numpy as np
import torch

from subtx_toy.claims.vocabulary.claim import Claim, Hypothesis, Inequality, Outcome, order_checks, outcome
from subtx_toy.claims.vocabulary.evidence import UNIT_ROUNDOFF, Evidence
from subtx_toy.claims.vocabulary.hypotheses import CURVED, ONE_STEP, SEEN, STANDARD_LOSS
from subtx_toy.claims.vocabulary.observation import norms
from subtx_toy.claims.vocabulary.orders import order_above_rounding, second_order_check
from subtx_toy.claims.vocabulary.rounding import NoBoundError
from subtx_toy.theory.cosine import Eigenvalue, largest_kantorovich, rayleigh_bound
from subtx_toy.theory.step_predictions import FittedOrder
from subtx_toy.tolerances import LIMIT_ROUNDING

_SEEN = 10.0  # roundings that a remainder exceeds where its size says something


def remainder_order(evidence: Evidence) -> FittedOrder | None:
    """Fit the order of ||dS - eps G dT|| on the lowest rungs above rounding (see ``order_above_rounding``)."""
    return order_above_rounding(evidence.ladder, _remainders(evidence), evidence.update_rounding)


def _remainders(evidence: Evidence) -> list[float]:
    ladder = np.array(evidence.ladder)[:, None]
    sizes: list[float] = norms(evidence.updates(evidence.ladder) - ladder * evidence.G_dT.numpy()).tolist()
    return sizes


def second_order(evidence: Evidence) -> Outcome:
    """Check that the remainder of the update falls at least as eps^REMAINDER_ORDER, or is zero to rounding."""
    ladder, predicted = evidence.ladder, 0.0 if evidence.degenerate else evidence.G_dT_norm
    what = "||dS - eps G dT||"
    check = second_order_check(ladder, _remainders(evidence), evidence.update_rounding, what=what, predicted=predicted)
    if evidence.degenerate or check.floor:
        return outcome([check])
    return outcome([check], predicted=ladder[-1] * predicted, observed=evidence.update_norm(ladder[-1]))


def bounded_remainder(evidence: Evidence) -> Outcome:
    """Check ||dS - eps G dT|| <= eps^2 K / 2 on the rungs that K was proved for."""
    bound = evidence.remainder
    if isinstance(bound, str):  # a hypothesis, but for the rounding
        raise NoBoundError(bound)
    checks = [
        Inequality(size, bound.constant * eps**2 / 2, evidence.update_rounding, f"remainder at eps = {eps:.3g}")
        for eps, size in zip(evidence.ladder, _remainders(evidence), strict=True)
        if eps <= bound.eps
    ]
    seen = [one for one in checks if one.lhs > _SEEN * one.floor]
    largest = seen[0] if seen else None
    return outcome(
        seen or checks, predicted=largest.rhs if largest else math.nan, observed=largest.lhs if largest else math.nan
    )


def cosine_bounds(evidence: Evidence) -> Outcome:
    """Check the cosine's limit V / (||G dT|| ||dT||) and that both lower bounds stay below it and what is observed."""
    ladder = evidence.ladder
    limit = evidence.V / (evidence.G_dT_norm * evidence.dT_norm)
    cosines, rounding = [], []
    for eps in ladder:
        size = evidence.update_norm(eps)
        cosines.append(evidence.alignment(eps) / (size * evidence.dT_norm))
        rounding.append(evidence.alignment_rounding(eps) / (size * evidence.dT_norm) + evidence.update_rounding / size)
    gaps = [one - limit for one in cosines]
    checks = order_checks(ladder, gaps, rounding, order=1, what="cosine - V / (||G dT|| ||dT||)")
    (values, components), top = evidence.modes, evidence.top_eigenvalue
    # An eigenvalue at rounding level is none; the bound holds on every leading set of modes.
    values = torch.where(values > len(values) * UNIT_ROUNDOFF * top, values, 0.0)
    # What is observed stands at a finite eps: two rungs tell how far from the limit it is.
    observed = cosines[-2] + abs(cosines[-2] - cosines[-3]) + rounding[-2]
    bounds = {
        "Rayleigh": rayleigh_bound(evidence.problem, Eigenvalue(top, 0.0)),
        "Kantorovich": largest_kantorovich(values, components).value,
    }
    for name, bound in bounds.items():
        checks.append(Inequality(bound, limit * (1 + LIMIT_ROUNDING), what=f"{name}'s bound <= limit of the cosine"))
        checks.append(Inequality(bound, observed, what=f"{name}'s bound <= observed cosine"))
    window = 2 * evidence.V / float(evidence.G_dT @ evidence.G_dT)
    checks.append(Inequality(2 / top, window * (1 + LIMIT_ROUNDING), what="2 / lambda_max <= 2 V / ||G dT||^2"))
    return outcome(checks, predicted=limit, observed=cosines[-2] if rounding[-2] < 1e-3 * limit else float("nan"))


ENCLOSED = Hypothesis(
    "a bound on the second derivative of the slopes is known",
    lambda evidence: evidence.remainder if isinstance(evidence.remainder, str) else "",
)

CLAIMS = (
    Claim(
        id="C4",
        statement="The student's update is eps G dT with a remainder whose norm is of order eps^2.",
        prediction="eps G dT, G = mean_n J_n^T M_n J_n",
        observation="the log-log slope of ||dS - eps G dT|| on a ladder of eps, above rounding",
        source="Cloud et al. 2025, arXiv:2507.14805, proof of Lemma 1; the order by Taylor's theorem",
        tolerance="REMAINDER_ORDER",
        evaluate=second_order,
        quick=False,
        hypotheses=ONE_STEP,
    ),
    Claim(
        id="C4b",
        statement="The remainder of the student's update is at most eps^2 K / 2, K from a bound on the second "
        "derivative of the loss's slopes along the ray.",
        prediction="eps^2 K / 2, K proved for the operations that the model runs",
        observation="||dS - eps G dT|| on the rungs up to the end of the range of K",
        source="this package; Taylor's theorem with the remainder enclosed by intervals",
        tolerance="VISIBLE",
        evaluate=bounded_remainder,
        hypotheses=(*ONE_STEP, STANDARD_LOSS, ENCLOSED),
        every=64,
    ),
    Claim(
        id="C7",
        statement="As eps -> 0 the cosine of the updates tends to V / (||G dT|| ||dT||), which is at least "
        "sqrt(V / (lambda_max ||dT||^2)) and at least Kantorovich's bound on the modes that dT excites.",
        prediction="V / (||G dT|| ||dT||) and both bounds, from the eigenvalues of G or Lanczos's iteration",
        observation="dS . dT / (||dS|| ||dT||) on a ladder of eps",
        source="this package; Kantorovich 1948, Uspekhi Mat. Nauk 3(6), 89-185",
        tolerance="LIMIT_ROUNDING",
        evaluate=cosine_bounds,
        hypotheses=(*ONE_STEP, SEEN, CURVED),
        every=16,
    ),
)
