"""Claims C30 and C33: what students say on inputs they never saw, and students whose outputs are scaled."""

from __future__ import annotations

import numpy as np
import torch

from subtx_toy.claims.statements.descent import EVERY, MANY_STEPS
from subtx_toy.claims.statements.trait_criterion import TRAIT
from subtx_toy.claims.vocabulary.claim import Claim, Inequality, Outcome, order_checks, outcome
from subtx_toy.claims.vocabulary.evidence import UNIT_ROUNDOFF, Evidence
from subtx_toy.claims.vocabulary.hypotheses import STANDARD_LOSS
from subtx_toy.claims.vocabulary.observation import norms
from subtx_toy.claims.vocabulary.orders import second_order_check
from subtx_toy.problem import params as vectors
from subtx_toy.theory.error_polynomials import fraction
from subtx_toy.theory.linear_students import linear_student
from subtx_toy.theory.multi_step import change_of_outputs, predicted_displacement
from subtx_toy.tolerances import PREDICTED_ROUNDING, ROUTES_AGREE, TERMS_ROUNDING
from subtx_toy.training.many_steps import moved
from subtx_toy.training.scaled_imitation import ScaledImitation
from subtx_toy.training.update_rules import Descent

_STEPS = 10
_SCALES = tuple(4.0**power for power in range(6))
_SCALED_STEPS, _FAR = 6, 0.25  # the teacher has moved by that much: nothing is small but 1 / scale


def function_space(evidence: Evidence) -> Outcome:
    """Check that three routes give one displacement, and that students say on unseen inputs what it predicts."""
    many, problem, ladder = evidence.many_steps, evidence.problem, evidence.ladder
    assert problem.trait_loss is not None  # a hypothesis
    rate, unseen = many.rate, problem.trait_loss.inputs
    mine = many.predicted(lambda x: fraction(rate * x, _STEPS))
    checks = []
    for method in ("lanczos", "steps"):
        other = predicted_displacement(problem, _STEPS, student_lr=rate, method=method).value.numpy()
        what = f"||kernel - {method}||, over ||dT||"
        checks.append(Inequality(float(norms(mine - other)) / evidence.dT_norm, ROUTES_AGREE, what=what))
    found = many.descended([_STEPS])[_STEPS]
    before = problem.outputs(problem.base_params, unseen).detach()
    sizes, seen, told = [], 0.0, before * 0
    for eps, student in zip(ladder, found, strict=True):
        # True changes, not J dT: what the linearised student learns from the real teacher.
        changes = evidence.ray.targets(eps) - evidence.ray.outputs
        toward = many.factor * many.kernel.applied(
            lambda x: fraction(rate * x, _STEPS), many.kernel.seen_outputs(changes)
        )
        told = change_of_outputs(problem, toward, unseen)
        after = problem.outputs(
            vectors.unflatten(evidence.base + torch.from_numpy(student), problem.base_params), unseen
        )
        sizes.append(float((after.detach() - before - told).norm()))
        seen = float((after.detach() - before).norm())
    rounding = many.rounding(_STEPS, rate) * _spread(evidence, mine, float(told.norm()))
    rounding += TERMS_ROUNDING * UNIT_ROUNDOFF * float(before.norm())
    size = 0.0 if evidence.degenerate else float(told.norm()) / ladder[-1]
    rounding += PREDICTED_ROUNDING * ladder[0] * size
    check = second_order_check(ladder, sizes, rounding, what="||f_S(x') - f_base(x') - J(x') Delta||", predicted=size)
    if check.floor or evidence.degenerate:
        return outcome([*checks, check])
    return outcome([*checks, check], predicted=float(told.norm()), observed=seen)


def _spread(evidence: Evidence, displacement: np.ndarray, outputs: float) -> float:
    # How far the outputs move with the parameters, at least 1.
    size = float(norms(displacement)) * evidence.ladder[-1]
    return max(1.0, outputs / size) if size else 1.0


def scaled_limit(evidence: Evidence) -> Outcome:
    """Check that students of scaled outputs tend to the linearised student like 1 / scale, far from the base."""
    many, problem = evidence.many_steps, evidence.problem
    eps, scales, rate = _FAR * evidence.unit, np.array(_SCALES), many.rate
    limit = many.factor * linear_student(problem, eps, _SCALED_STEPS, student_lr=rate)
    base = evidence.base.numpy()
    teachers = base + eps / scales[:, None] * evidence.dT.numpy()
    losses = ScaledImitation(problem, teachers, scales)
    # The gradient has one factor 1 / scale already, so these are student_lr / scale^2, and student_lr / scale.
    lr = rate / scales[:, None] if many.lr_over_scale else np.full((len(scales), 1), rate)
    students = base + moved(losses, Descent("gd", lr=lr), [_SCALED_STEPS])[_SCALED_STEPS]
    v = many.linear_outputs(limit)
    sizes = norms(losses.changes(students) - v).tolist()
    # Outputs are right to some units of their size, and a difference of them is scaled up.
    unit = TERMS_ROUNDING * UNIT_ROUNDOFF * (1 + float(evidence.ray.outputs.norm())) * _SCALED_STEPS
    rounding = [unit * scale for scale in _SCALES]
    parts = [1 / scale for scale in _SCALES]
    checks = order_checks(parts, sizes, rounding, order=1, what="||scaled change of outputs - linearised||")
    return outcome(checks, predicted=float(norms(v)), observed=float(norms(losses.changes(students)[2])))


CLAIMS = (
    Claim(
        id="C30",
        statement="On inputs it never saw, a student of K steps says f_base + J(x') J^T Theta^-1 (I - (I - student_lr "
        "Theta / n)^K) (f_teacher - f_base) + O(eps^2), for squared error; for kl with M^(1/2) on both sides of Theta.",
        prediction="by eigenvectors of the kernel; by Lanczos and by K products with G the same displacement",
        observation=f"the student's outputs on the inputs of the trait, after {_STEPS} steps",
        source="this package; Jacot et al. 2018, arXiv:1806.07572, for the kernel",
        tolerance="ROUTES_AGREE",
        evaluate=function_space,
        hypotheses=(TRAIT, *MANY_STEPS),
        every=EVERY,
    ),
    Claim(
        id="C33",
        statement="Students of outputs f_base + scale (f - f_base), with student_lr / scale^2 and the teacher's move "
        "/ scale, tend to the linearised student of the linearised teacher as the scale grows, like 1 / scale, at any "
        "eps.",
        prediction="K steps in the linearised model, under the loss as it is",
        observation=f"changes of the distilled outputs after {_SCALED_STEPS} steps at scales from 1 to {_SCALES[-1]:g}",
        source="Chizat et al. 2019, arXiv:1812.07956, for one net; this package for the pair",
        tolerance="REMAINDER_GROWTH",
        evaluate=scaled_limit,
        own_students=True,
        hypotheses=(*MANY_STEPS, STANDARD_LOSS),
        every=EVERY,
    ),
)
