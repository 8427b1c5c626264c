"""Claims C25 and C26: students with momentum, and Adam's."""

from __future__ import annotations

import itertools
import math

import numpy as np

from subtx_toy.claims.statements.descent import EVERY, MANY_STEPS, aligned
from subtx_toy.claims.vocabulary.claim import Claim, Inequality, Outcome, outcome
from subtx_toy.claims.vocabulary.evidence import UNIT_ROUNDOFF, Evidence
from subtx_toy.claims.vocabulary.hypotheses import CURVED, SEEN
from subtx_toy.theory.curvature import ggn_operator
from subtx_toy.theory.error_polynomials import (
    first_crossing,
    heavy_ball_errors,
    nesterov_crossing,
    nesterov_errors,
    nth,
)
from subtx_toy.theory.linear_students import linear_adam
from subtx_toy.tolerances import TERMS_ROUNDING
from subtx_toy.training.update_rules import Descent

BETA, INSIDE = 0.9, 0.999
"""Momentum, and how far inside its limit: at the limit the alignment of one mode is zero."""

_STEPS, _SCANNED = (2, 4, 8), 40  # observed, and up to which the sign of the polynomial is looked at
_ADAM_STEPS = 10
_REACH = 0.25  # of the teacher's move, root mean square: Adam's step size


def momentum_steps(evidence: Evidence) -> Outcome:
    """Check both momenta: displacements by their error polynomials, and that none points away inside its limit."""
    many, checks, last = evidence.many_steps, [], {}
    limits = {"heavy_ball": first_crossing(BETA)[0], "nesterov": nesterov_crossing(BETA)}
    for rule, errors in (("heavy_ball", heavy_ball_errors), ("nesterov", nesterov_errors)):
        rate = INSIDE * many.reach * limits[rule] / many.largest
        found = many.observed(Descent(rule, lr=rate, momentum=BETA), _STEPS)  # type: ignore[arg-type]
        for num_steps in _STEPS:
            predicted = many.predicted(lambda x, K=num_steps, e=errors, a=rate: 1 - nth(e(a * x, BETA), K))  # type: ignore[misc]
            # A momentum adds up to 1 / (1 - beta) gradients.
            rounding = many.rounding(num_steps, rate / (1 - BETA))
            what = f"||Delta_S - prediction|| after {num_steps} steps of {rule}"
            checks.append(many.order_check(predicted, found[num_steps], rounding, what))
            checks += aligned(evidence, predicted, found[num_steps], f"after {num_steps} steps of {rule}")
        values, weights = many.weights
        floor = TERMS_ROUNDING * UNIT_ROUNDOFF * float(weights.sum())
        for num_steps, missing in enumerate(itertools.islice(errors(rate * values, BETA), 1, _SCANNED), start=1):
            along = many.factor * float(weights @ (1 - missing))
            checks.append(Inequality(0.0, along, floor, f"0 <= alignment after {num_steps} steps of {rule}"))
        last[rule] = many.along(predicted), many.along(found[_STEPS[-1]][-1])
    slope, seen = last["heavy_ball"]
    return outcome(checks, predicted=evidence.ladder[-1] * slope, observed=seen)


def adam_steps(evidence: Evidence) -> Outcome:
    """Check that Adam's displacement is eps A_K(dT) up to second order where lr and its eps follow eps."""
    many, ladder = evidence.many_steps, np.array(evidence.ladder)
    size = math.sqrt(len(evidence.dT))
    lr, stabiliser = _REACH * evidence.dT_norm / size, evidence.G_dT_norm / size
    product = ggn_operator(evidence.problem)
    predicted = many.factor * linear_adam(product, evidence.dT, _ADAM_STEPS, lr=lr, stabiliser=stabiliser).numpy()
    scale = ladder[:, None] if many.lr_follows_eps else np.full((len(ladder), 1), ladder[0])
    descent = Descent("adam", lr=lr * scale, stabiliser=stabiliser * scale)
    found = many.observed(descent, [_ADAM_STEPS])[_ADAM_STEPS]
    rounding = many.rounding(_ADAM_STEPS, lr / stabiliser)
    what = f"||Delta_S - eps A_K(dT)|| after {_ADAM_STEPS} steps of Adam"
    check = many.order_check(predicted, found, rounding, what)
    if check.floor:
        return outcome([check])
    return outcome([check], predicted=evidence.ladder[-1] * many.along(predicted), observed=many.along(found[-1]))


CLAIMS = (
    Claim(
        id="C25",
        statement="With momentum the student moves by eps (I - e_K(student_lr G)) dT + O(eps^2), e_K the optimiser's "
        "error polynomial; to leading order heavy ball never points away for student_lr lambda_max <= x*(momentum), "
        "nor, as found numerically and not proved, Nesterov for student_lr lambda_max <= 1 + 1 / (1 + momentum)^2.",
        prediction=f"e_K by its recursion; x*({BETA}) = 1.5087 by bisection, and 1.2770",
        observation=f"displacements after 2, 4 and 8 steps, and the predicted sign of {_SCANNED - 1} numbers of steps",
        source="this package; Polyak 1964, USSR Comput. Math. Math. Phys. 4(5), 1-17",
        tolerance="REMAINDER_ORDER",
        evaluate=momentum_steps,
        hypotheses=MANY_STEPS,
        every=EVERY,
    ),
    Claim(
        id="C26",
        statement="If Adam's step size and its eps are proportional to the teacher's eps, K steps move the student by "
        "eps A_K(dT) + O(eps^2), A_K Adam in the linearised model.",
        prediction="A_K(dT) by products with G",
        observation=f"displacements after {_ADAM_STEPS} steps on a ladder of eps",
        source="this package; Adam is positively homogeneous in its gradients, its step size and its eps",
        tolerance="REMAINDER_ORDER",
        evaluate=adam_steps,
        hypotheses=(*MANY_STEPS, SEEN, CURVED),
        every=EVERY,
    ),
)
