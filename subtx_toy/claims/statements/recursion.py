"""Claim C31: a chain of students, each of which imitates the one before it."""

from __future__ import annotations

from collections.abc import Sequence

from subtx_toy.claims.statements.descent import EVERY, MANY_STEPS
from subtx_toy.claims.vocabulary.claim import Claim, Inequality, Outcome, outcome
from subtx_toy.claims.vocabulary.evidence import UNIT_ROUNDOFF, Evidence
from subtx_toy.claims.vocabulary.hypotheses import SEEN
from subtx_toy.claims.vocabulary.observation import norms
from subtx_toy.problem.stack import Array
from subtx_toy.theory.error_polynomials import fraction
from subtx_toy.tolerances import TERMS_ROUNDING
from subtx_toy.training.many_steps import moved
from subtx_toy.training.update_rules import Descent

_STEPS, _GENERATIONS = 3, 4


def log_convex_chain(evidence: Evidence) -> Outcome:
    """Check each generation's displacement, and that the coefficients a_g = dT . h(G)^g dT never fall faster."""
    many = evidence.many_steps
    rate, checks = many.rate, []
    coefficients, rounding = [1.0], TERMS_ROUNDING * UNIT_ROUNDOFF
    for generation, found in enumerate(_chain(evidence, rate), start=1):
        predicted = many.predicted(lambda x, g=generation: fraction(rate * x, _STEPS) ** g)  # type: ignore[misc]
        floor = many.rounding(generation * _STEPS, rate)
        what = f"||Delta - eps h(G)^{generation} dT|| of generation {generation}"
        checks.append(many.order_check(predicted, found, floor, what))
        left = float(norms(found[-1] / evidence.ladder[-1] - predicted))
        coefficients.append(many.along(found[-1]) / evidence.ladder[-1] / evidence.dT_norm**2)
        rounding = max(rounding, 4 * left / evidence.dT_norm)
    a = coefficients
    for g in range(1, len(a) - 1):
        # How far a remainder in each of the three moves the gap.
        floor = rounding * (abs(a[g - 1]) + 2 * abs(a[g]) + abs(a[g + 1]) + rounding)
        checks.append(Inequality(a[g] ** 2, a[g - 1] * a[g + 1] + floor, what=f"a_{g}^2 <= a_{g - 1} a_{g + 1}"))
        checks.append(Inequality(a[g + 1], a[g] + rounding, what=f"a_{g + 1} <= a_{g}"))
    return outcome(checks, predicted=many.along(predicted) / evidence.dT_norm**2, observed=a[-1])


def _chain(evidence: Evidence, rate: float) -> list[Array]:
    many, base = evidence.many_steps, evidence.base.numpy()
    teachers, found = many.teachers(evidence.ladder), []
    for generation in range(1, _GENERATIONS + 1):
        losses = many.losses(teachers)
        if not many.same_inputs:
            losses = losses.on(_halves(len(evidence.problem.inputs))[generation % 2])
        found.append(moved(losses, Descent("gd", lr=rate), [_STEPS])[_STEPS])
        teachers = base + found[-1]
    return found


def _halves(num: int) -> tuple[Sequence[int], Sequence[int]]:
    return range(1, num, 2) or range(num), range(0, num, 2)


CLAIMS = (
    Claim(
        id="C31",
        statement="In a chain of students that each imitate the one before, from one initialisation and on the same "
        "inputs, generation g has moved by eps h_K(G)^g dT + O(eps^2); a_g = dT . h_K(G)^g dT is a moment sequence, so "
        "to leading order it is log-convex for student_lr <= 2 / lambda_max, and never grows for 1 / lambda_max.",
        prediction="powers of h_K(G), and a_g^2 <= a_{g-1} a_{g+1}",
        observation=f"displacements of {_GENERATIONS} generations of {_STEPS} steps each on a ladder of eps",
        source="this package; Cauchy and Schwarz, for h_K(G) is not negative",
        tolerance="REMAINDER_ORDER",
        evaluate=log_convex_chain,
        hypotheses=(*MANY_STEPS, SEEN),
        every=EVERY,
    ),
)
