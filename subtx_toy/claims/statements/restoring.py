"""Claim C28: every step of every optimiser starts at a student that the one-step claims speak of."""

from __future__ import annotations

import numpy as np
import torch

from subtx_toy.claims.statements.descent import EVERY, MANY_STEPS
from subtx_toy.claims.vocabulary.claim import Claim, Inequality, Outcome, order_checks, outcome
from subtx_toy.claims.vocabulary.evidence import UNIT_ROUNDOFF, Evidence
from subtx_toy.claims.vocabulary.hypotheses import CURVED, SEEN
from subtx_toy.claims.vocabulary.observation import norms
from subtx_toy.claims.vocabulary.rays import ray_class
from subtx_toy.problem import params as vectors
from subtx_toy.problem.viewpoint import seen_from
from subtx_toy.theory.alignment import AlignmentRay
from subtx_toy.tolerances import ALIGNMENT_FLOOR_UNITS, TERMS_ROUNDING
from subtx_toy.training.update_rules import Descent

_STEPS = 3
_PARTS = (0.5, 2.0)  # of the window of the next plain step


def restoring(evidence: Evidence) -> Outcome:
    """Check the pull towards the teacher after some steps of three optimisers: exactly, its order, and the distance."""
    many, ladder, checks = evidence.many_steps, evidence.ladder, []
    teachers = many.teachers(evidence.ladder)
    step = evidence.unit and float(evidence.dT_norm) / len(evidence.dT) ** 0.5 / 8
    scale = np.array(ladder)[:, None]
    descents = (
        Descent("gd", lr=many.rate),
        Descent("heavy_ball", lr=many.rate / 4),
        Descent("adam", lr=step * scale, stabiliser=scale * evidence.G_dT_norm / len(evidence.dT) ** 0.5),
    )
    predicted = observed = float("nan")
    for descent in descents:
        taken = many.descended([_STEPS]) if descent.rule == "gd" else many.observed(descent, [_STEPS])
        moved = taken[_STEPS]
        students = evidence.base.numpy() + moved
        slopes = many.losses(teachers).gradient(students)
        left = teachers - students
        pulls, gaps, floors = -np.vecdot(slopes, left), [], []
        for at, eps in enumerate(ladder):
            ray = _ray(evidence, students[at], teachers[at])
            floor = ray.floor(1.0) + ALIGNMENT_FLOOR_UNITS * UNIT_ROUNDOFF * float(norms(slopes[at]) * norms(left[at]))
            exact, pull = ray.alignment(1.0), float(pulls[at])
            when = f"after {_STEPS} steps of {descent.rule}, at eps = {eps:.3g}"
            gap = abs(pull - exact)
            checks.append(Inequality(gap, floor, what=f"|pull - its identity| {when}"))
            gaps.append((pull - ray.curvature()) / eps)
            floors.append(floor / eps)
            if at % 2 == 0:
                checks += _distance(pull, slopes[at], left[at], floor, float(norms(students[at])), when)
            predicted, observed = ray.curvature(), pull
        what = f"(pull - e^T G_K e) / eps after {_STEPS} steps of {descent.rule}"
        checks += order_checks(ladder, gaps, floors, order=2, what=what)
    return outcome(checks, predicted=predicted, observed=observed)


def _ray(evidence: Evidence, student: np.ndarray, teacher: np.ndarray) -> AlignmentRay:
    base = evidence.problem.base_params
    pair = (vectors.unflatten(torch.from_numpy(one), base) for one in (student, teacher))
    problem = seen_from(evidence.problem, *pair)
    return ray_class(problem).of(problem)


def _distance(
    pull: float, slope: np.ndarray, left: np.ndarray, floor: float, size: float, when: str
) -> list[Inequality]:
    square = float(slope @ slope)
    if not pull > floor or not square > 0:
        return []
    checks, before = [], float(norms(left))
    for part in _PARTS:
        step = part * 2 * pull / square
        change = float(norms(left + step * slope)) - before
        rounding = TERMS_ROUNDING * UNIT_ROUNDOFF * (size + before + step * square**0.5) + step * floor / before
        sign = 1.0 if part < 1 else -1.0
        checks.append(Inequality(sign * change, 0.0, rounding, f"{sign:+g} change of distance, {part} windows {when}"))
    return checks


CLAIMS = (
    Claim(
        id="C28",
        statement="At every step of every optimiser, with e what is left to the teacher: the pull <-grad L_S, e> is "
        "-mean_n <J_n e, dl/dz(f_student, f_teacher)> exactly, e^T G e + O(|e|^3) with G at the student, and a plain "
        "step ends closer to the teacher exactly if student_lr ||grad L_S||^2 < 2 <-grad L_S, e>.",
        prediction="one Jacobian product at the student, forward passes along its own ray",
        observation=f"gradients and distances after {_STEPS} steps of gradient descent, heavy ball and Adam",
        source="this package; claims C1, C1b and C5 with the student as the base",
        tolerance="ALIGNMENT_FLOOR_UNITS",
        evaluate=restoring,
        hypotheses=(*MANY_STEPS, SEEN, CURVED),
        every=EVERY,
    ),
)
