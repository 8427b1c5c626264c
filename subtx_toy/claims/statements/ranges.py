"""Claims C1b, C8 and C10: which steps move toward the teacher, and up to which eps the alignment is positive."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from subtx_toy.claims.statements.alignment import aligned
from subtx_toy.claims.vocabulary.claim import Claim, Hypothesis, Inequality, Outcome, order_checks, outcome
from subtx_toy.claims.vocabulary.evidence import UNIT_ROUNDOFF, Evidence
from subtx_toy.claims.vocabulary.hypotheses import CURVED, MOVING, ONE_STEP, SEEN, SMOOTH, STANDARD_LOSS
from subtx_toy.claims.vocabulary.observation import norms
from subtx_toy.claims.vocabulary.rounding import known
from subtx_toy.theory.observed_eps import observed_eps
from subtx_toy.theory.step_predictions import exact_distance_window
from subtx_toy.tolerances import TERMS_ROUNDING

_PARTS = (0.5, 0.9, 1.1, 2.0)  # of the window


def distances(
    evidence: Evidence, every: Sequence[float], student_lrs: Float[np.ndarray, "s r"]
) -> tuple[Float[np.ndarray, "s r"], Float[np.ndarray, "s r"]]:
    """Return how far the student is from the teachers after steps of these sizes, and how far rounding moves that."""
    base, eps, updates = evidence.base.numpy(), np.array(every)[:, None], evidence.updates(every)
    students = base + student_lrs[..., None] * updates[:, None]
    gaps = norms(students - (base + eps * evidence.dT.numpy())[:, None])
    fixed = evidence.base_norm + eps * evidence.dT_norm
    return gaps, TERMS_ROUNDING * UNIT_ROUNDOFF * (fixed + student_lrs * norms(updates)[:, None])


def moves_toward(evidence: Evidence) -> Outcome:
    """Check that the student ends closer inside the window 2 eps a / ||dS||^2, farther outside, and its limit."""
    ladder, checks = evidence.ladder, []
    windows = [exact_distance_window(evidence.alignment(e), evidence.update_norm(e), e) for e in ladder]
    turns = [not evidence.alignment(eps) <= evidence.alignment_rounding(eps) for eps in ladder[::2]]
    steps = [window if turn else evidence.problem.student_lr for window, turn in zip(windows[::2], turns, strict=True)]
    found = (one.tolist() for one in distances(evidence, ladder[::2], np.outer(steps, (0.0, *_PARTS, 1.0))))
    for eps, turn, (before, *afters), (_, *roundings) in zip(ladder[::2], turns, *found, strict=True):
        if not turn:
            if evidence.degenerate:
                what = f"closer by, at eps = {eps:.3g}"
                checks.append(Inequality(before - afters[-1], roundings[-1], what=what))
            continue
        for part, after, rounding in zip(_PARTS, afters, roundings, strict=False):
            what = f"student_lr {part} of the window, at eps = {eps:.3g}"
            change = after - before if part < 1 else before - after
            sign = "" if part < 1 else "minus "
            checks.append(Inequality(change, 0.0, rounding, f"{sign}change of distance, {what}"))
    if evidence.degenerate:
        return outcome(checks)
    if CURVED.unmet(evidence):
        return outcome([*checks, Inequality(0.0, 0.0, math.inf, "the window's limit: eps V is near rounding")])
    # The window's limit 2 V / ||G dT||^2, as a rate: the ratio to it tends to 1.
    limit = 2 * evidence.V / float(evidence.G_dT @ evidence.G_dT)
    update = 2 * evidence.update_rounding
    relative = [evidence.alignment_rounding(e) / (e * evidence.V) + update / (e * evidence.G_dT_norm) for e in ladder]
    gaps = [window / limit - 1 for window in windows]
    checks += order_checks(ladder, gaps, relative, order=1, what="window / its limit - 1")
    return outcome(checks, predicted=limit, observed=windows[-1] if relative[-1] < 1e-3 else float("nan"))


_GRID = (1.0, 0.9, 0.5, 0.1, 0.01)  # of the closed form
_FAR = 256.0  # where the closed form is infinite: teachers that have moved up to that far


def positive_in_closed_form(evidence: Evidence) -> Outcome:
    """Check that the alignment is positive on a grid in (0, closed form]."""
    end = known(evidence.closed_form.eps, evidence.closed_form.reason)
    last = min(end, _FAR * evidence.unit)
    evidence.prepare([part * last for part in _GRID])
    return outcome(aligned(evidence, part * last, f"{part} of the closed form") for part in _GRID)


def closed_before_observed(evidence: Evidence) -> Outcome:
    """Check that the closed form ends before the first sign change that a scan finds."""
    end = known(evidence.closed_form.eps, evidence.closed_form.reason)
    seen = observed_eps(evidence.problem, evidence.ray)
    if seen.eps is not None:
        # A sign change that 160 bits do not show is no observation.
        floor = 0.0 if seen.confirmed else math.inf
        what = "E <= first sign change" + (f", not confirmed: {seen.unconfirmed}" if seen.unconfirmed else "")
        return outcome([Inequality(end, seen.eps, floor, what)], predicted=end, observed=seen.eps)
    # No sign change up to the cap contradicts no bound, however large.
    return outcome([Inequality(0.0, math.inf, what="E, and no sign change up to the cap")])


BOUNDED = Hypothesis(
    "a bound on the second derivative along the ray is known",
    lambda evidence: evidence.closed_form.reason if evidence.closed_form.eps is None else "",
)


CLAIMS = (
    Claim(
        id="C1b",
        statement="The student ends closer to the teacher exactly if student_lr ||dS||^2 < 2 eps a(eps), a window "
        "that tends to 2 V / ||G dT||^2.",
        prediction="2 V / ||G dT||^2",
        observation="distances after steps of .5, .9, 1.1 and 2 of the window",
        source="this package; the square completed",
        tolerance="TERMS_ROUNDING",
        evaluate=moves_toward,
        hypotheses=ONE_STEP,
    ),
    Claim(
        id="C8",
        statement="The alignment is positive for every eps up to the E with E M(E) = 2 V, M a bound on its second "
        "derivative along the ray.",
        prediction="E: in closed form for a perceptron, by intervals for any other module",
        observation="dS . dT at parts of E",
        source="this package; Taylor's theorem with the remainder bounded layer by layer",
        tolerance="ALIGNMENT_FLOOR_UNITS",
        evaluate=positive_in_closed_form,
        hypotheses=(MOVING, SMOOTH, STANDARD_LOSS, SEEN, BOUNDED),
        every=8,
    ),
    Claim(
        id="C10",
        statement="The E of C8 ends before the first eps at which the alignment changes sign.",
        prediction="E: in closed form for a perceptron, by intervals for any other module",
        observation="the first sign change of a scan over 460 eps, above rounding and confirmed at 160 bits",
        source="this package",
        tolerance="ALIGNMENT_FLOOR_UNITS",
        evaluate=closed_before_observed,
        own_students=True,
        hypotheses=(MOVING, SMOOTH, STANDARD_LOSS, SEEN, BOUNDED),
        every=32,
    ),
)
