"""Claim C1b: which student steps move toward the teacher in parameter space."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch

from subtx_toy.claims.vocabulary.claim import Claim, Inequality, Outcome, order_checks, outcome
from subtx_toy.claims.vocabulary.evidence import UNIT_ROUNDOFF, Evidence
from subtx_toy.claims.vocabulary.hypotheses import CURVED, ONE_STEP
from subtx_toy.theory.step_predictions import exact_distance_window
from subtx_toy.tolerances import TERMS_ROUNDING

_PARTS = (0.5, 0.9, 1.1, 2.0)  # of the window


def distances(evidence: Evidence, eps: float, student_lrs: Sequence[float]) -> tuple[list[float], list[float]]:
    """Return how far the student is from the teacher after steps of these sizes, and how far rounding moves that."""
    rates = torch.tensor(student_lrs, dtype=torch.float64)[:, None]
    teacher = evidence.base + eps * evidence.dT
    gaps = ((evidence.base + rates * evidence.update(eps)) - teacher).norm(dim=-1).tolist()
    fixed, step = evidence.base_norm + eps * evidence.dT_norm, evidence.update_norm(eps)
    return gaps, [TERMS_ROUNDING * UNIT_ROUNDOFF * (fixed + student_lr * step) for student_lr in student_lrs]


def moves_toward(evidence: Evidence) -> Outcome:
    """Check that the student ends closer inside the window 2 eps a / ||dS||^2, farther outside, and its limit."""
    ladder = evidence.ladder
    checks = []
    for eps in ladder[::2]:
        alignment, size = evidence.alignment(eps), evidence.update_norm(eps)
        if alignment <= evidence.alignment_rounding(eps):
            (before, after), (_, rounding) = distances(evidence, eps, (0.0, evidence.problem.student_lr))
            if evidence.degenerate:
                checks.append(Inequality(before - after, rounding, what=f"closer by, at eps = {eps:.3g}"))
            continue
        window = exact_distance_window(alignment, size, eps)
        (before, *afters), (_, *roundings) = distances(evidence, eps, [part * window for part in (0.0, *_PARTS)])
        for part, after, rounding in zip(_PARTS, afters, roundings, strict=True):
            what = f"student_lr {part} of the window, at eps = {eps:.3g}"
            change = after - before if part < 1 else before - after
            checks.append(
                Inequality(change, 0.0, rounding, f"{'' if part < 1 else 'minus '}change of distance, {what}")
            )
    if evidence.degenerate:
        return outcome(checks)
    if CURVED.unmet(evidence):
        return outcome([*checks, Inequality(0.0, 0.0, math.inf, "the window's limit: eps V is near rounding")])
    # The window's limit 2 V / ||G dT||^2, as a rate: the ratio to it tends to 1.
    limit = 2 * evidence.V / float(evidence.G_dT @ evidence.G_dT)
    windows = [exact_distance_window(evidence.alignment(e), evidence.update_norm(e), e) for e in ladder]
    relative = [_window_rounding(evidence, eps) for eps in ladder]
    gaps = [window / limit - 1 for window in windows]
    checks += order_checks(ladder, gaps, relative, order=1, what="window / its limit - 1")
    return outcome(checks, predicted=limit, observed=windows[-1] if relative[-1] < 1e-3 else float("nan"))


def _window_rounding(evidence: Evidence, eps: float) -> float:
    relative = evidence.alignment_rounding(eps) / (eps * evidence.V)
    return relative + 2 * evidence.update_rounding / (eps * evidence.G_dT_norm)


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
)
