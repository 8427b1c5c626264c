"""Claims C1, C2, C5, C6: the alignment of one student step with the teacher's."""

from __future__ import annotations

import math

from subtx_toy.claims.vocabulary.claim import Claim, Hypothesis, Inequality, Outcome, order_checks, outcome, small_eps
from subtx_toy.claims.vocabulary.evidence import FAR, UNIT_ROUNDOFF, Evidence
from subtx_toy.claims.vocabulary.hypotheses import (
    CONSISTENT,
    LOSS_GRADIENT,
    MOVING,
    NULL_SPACE,
    ONE_STEP,
    STANDARD_LOSS,
)
from subtx_toy.problem.model import MLP
from subtx_toy.tolerances import TERMS_ROUNDING, VISIBLE

_PAPER = "Cloud et al. 2025, arXiv:2507.14805"


def first_order(evidence: Evidence) -> Outcome:
    """Check V >= 0 and a(eps) = eps V + O(eps^2)."""
    ladder, V = evidence.ladder, evidence.V
    # The claims below look at the last ones: one pass takes all.
    evidence.prepare((*ladder, evidence.problem.eps, *(far * evidence.unit for far in FAR)))
    remainders = [evidence.alignment(eps) - eps * V for eps in ladder]
    rounding = [evidence.alignment_rounding(eps) for eps in ladder]
    floor = 0.0 if evidence.degenerate else rounding[0] / ladder[0]
    checks = [Inequality(0.0, V, floor, "curvature V is not negative")]
    checks += order_checks(ladder, remainders, rounding, order=2, what="alignment - eps V")
    if not evidence.degenerate and ladder[0] * V < VISIBLE * rounding[0]:
        checks.append(Inequality(0.0, 0.0, rounding[0], "eps V is near rounding"))
    at = small_eps(ladder, remainders, V)
    if abs(evidence.alignment(at)) <= evidence.alignment_rounding(at):
        return outcome(checks)
    return outcome(checks, predicted=at * V, observed=evidence.alignment(at))


def dichotomy(evidence: Evidence) -> Outcome:
    """Check that a(eps) is 0 at every eps where the outputs do not see dT, and positive at small eps elsewhere."""
    ladder, V = evidence.ladder, evidence.V
    if evidence.degenerate:
        every = (*ladder, *(far * evidence.unit for far in FAR))
        evidence.prepare(every)
        return outcome(unaligned(evidence, eps) for eps in every)
    evidence.prepare(ladder)
    eps = small_eps(ladder, [evidence.alignment(one) - one * V for one in ladder], V)
    return outcome([aligned(evidence, eps)], predicted=eps * V, observed=evidence.alignment(eps))


def aligned(evidence: Evidence, eps: float, where: str = "") -> Inequality:
    """Assert that the alignment is not negative at an eps."""
    where = where or f"eps = {eps:.3g}"
    return Inequality(0.0, evidence.alignment(eps), evidence.alignment_rounding(eps), f"alignment at {where}")


def unaligned(evidence: Evidence, eps: float) -> Inequality:
    """Assert that the alignment is zero, up to rounding, at an eps."""
    what = f"|alignment| at eps = {eps:.3g}"
    return Inequality(abs(evidence.alignment(eps)), evidence.alignment_rounding(eps), what=what)


def exact_identity(evidence: Evidence) -> Outcome:
    """Check the alignment by forward passes along the ray against the inner product of the two updates."""
    every = (*evidence.ladder[::2], evidence.problem.eps, *(far * evidence.unit for far in FAR[:2]))
    evidence.prepare(every)
    checks = []
    for eps in every:
        rounding, observed = evidence.alignment_rounding(eps), evidence.alignment(eps)
        # An update that is not a number has no rounding either, and is violated.
        if math.isfinite(observed) and not math.isfinite(rounding):
            checks.append(Inequality(0.0, 0.0, math.inf, f"rounding has no bound at eps = {eps:.3g}"))
        else:
            what = f"|dS . dT - (- mean <v, dl/dz>)| at eps = {eps:.3g}"
            checks.append(Inequality(abs(observed - evidence.ray.alignment(eps)), rounding, what=what))
    at = evidence.ladder[0]
    if abs(evidence.alignment(at)) <= 1e3 * evidence.alignment_rounding(at):
        return outcome(checks)
    return outcome(checks, predicted=evidence.ray.alignment(at), observed=evidence.alignment(at))


def aligned_everywhere(evidence: Evidence) -> Outcome:
    """Check a(eps) >= 0 near and far; with squared error, a(eps) = eps V."""
    every = (*evidence.ladder[:1], *(far * evidence.unit for far in FAR))
    evidence.prepare(every)
    if evidence.degenerate:
        return outcome(unaligned(evidence, eps) for eps in every)
    checks = [aligned(evidence, eps) for eps in every]
    if evidence.problem.distillation_loss.formula == "squared_error":
        for eps in every:
            rounding = evidence.alignment_rounding(eps) + TERMS_ROUNDING * UNIT_ROUNDOFF * eps * abs(evidence.V)
            gap = abs(evidence.alignment(eps) - eps * evidence.V)
            checks.append(Inequality(gap, rounding, what=f"|alignment - eps V| at eps = {eps:.3g}"))
    return outcome(checks, predicted=every[0] * evidence.V, observed=evidence.alignment(every[0]))


def _curved(evidence: Evidence) -> str:
    model, update = evidence.problem.model, evidence.problem.teacher_update
    if isinstance(model, MLP):
        last = f"layers.{model.num_layers - 1}."
        moved = (name for name, value in update.items() if not name.startswith(last) and value.any())
        first = next(moved, "") if model.num_layers > 1 else ""
        return f"the teacher moved {first} below a nonlinearity" if first else ""
    ray = evidence.ray
    for distance in (0.5, 4.0, 32.0):
        eps = distance * evidence.unit
        there = ray.targets(eps)
        bend = there - ray.outputs - eps * ray.v
        size = there.abs() + ray.outputs.abs() + (eps * ray.v).abs()
        if bool((bend.abs() > TERMS_ROUNDING * 16 * UNIT_ROUNDOFF * (1 + size)).any()):
            return f"the outputs bend by {float(bend.abs().max()):.3g} when the teacher has moved by {distance}"
    return ""


AFFINE = Hypothesis("the outputs are affine along the teacher's ray", _curved)

CLAIMS = (
    Claim(
        id="C1",
        statement="The alignment of one student step is eps V + O(eps^2) with V >= 0, whatever the teacher's update.",
        prediction="eps V, V = dT^T G dT = mean_n v_n^T M_n v_n",
        observation="dS . dT on a ladder of eps",
        source=f"{_PAPER}, Lemma 1",
        tolerance="REMAINDER_GROWTH",
        evaluate=first_order,
        hypotheses=ONE_STEP,
    ),
    Claim(
        id="C2",
        statement="If V = 0 the alignment is exactly zero at every eps; otherwise it is positive at every small eps.",
        prediction="0, or the sign of V",
        observation="dS . dT near and far, or where eps V is twice the remainder",
        source=f"{_PAPER}, Theorem 1",
        tolerance="ALIGNMENT_FLOOR_UNITS",
        evaluate=dichotomy,
        hypotheses=(*ONE_STEP, NULL_SPACE),
    ),
    Claim(
        id="C5",
        statement="At every eps the alignment is - mean_n <v_n, dl/dz(f_base, f_teacher)>, v = J dT.",
        prediction="one Jacobian product and forward passes along the ray",
        observation="dS . dT near and far",
        source="this package; the student stands at the shared init, only its target moves",
        tolerance="ALIGNMENT_FLOOR_UNITS",
        evaluate=exact_identity,
        hypotheses=(MOVING, LOSS_GRADIENT),
    ),
    Claim(
        id="C6",
        statement="Where the outputs are affine along the teacher's ray, the alignment is >= 0 at every eps >= 0.",
        prediction="a sign; with squared error eps V, exactly",
        observation="dS . dT, until the teacher has moved by 256",
        source="this package; gradients of convex functions are monotone",
        tolerance="ALIGNMENT_FLOOR_UNITS",
        evaluate=aligned_everywhere,
        hypotheses=(MOVING, CONSISTENT, STANDARD_LOSS, AFFINE),
    ),
)
