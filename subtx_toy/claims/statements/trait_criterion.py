"""Claim C29: when many steps towards a TRAINED teacher lower the trait loss to first order."""

from __future__ import annotations

import numpy as np

from subtx_toy.claims.statements.descent import EVERY, MANY_STEPS
from subtx_toy.claims.vocabulary.claim import Claim, Hypothesis, Inequality, Outcome, order_checks, outcome, small_eps
from subtx_toy.claims.vocabulary.evidence import Evidence
from subtx_toy.claims.vocabulary.hypotheses import SEEN
from subtx_toy.theory.error_polynomials import fraction
from subtx_toy.theory.trait_criterion import TraitCriterion, trait_criterion
from subtx_toy.tolerances import VISIBLE
from subtx_toy.training.gradient_step import trait_values
from subtx_toy.training.update_rules import Descent

_STEPS = (1, 10)
_ANY = (1, 2, 3, 10, 30, 100, 1000, 10_000, 100_000)
_RATES = (1.0, 0.5, 0.1)  # of 1 / lambda_max
_TIMES = (0.1, 1.0, 10.0, 1e3, 1e5)  # of gradient flow, of 1 / lambda_max


def criterion(evidence: Evidence) -> TraitCriterion:
    """Return F of the problem, computed once."""
    found: TraitCriterion = evidence.__dict__.setdefault("_criterion", None) or trait_criterion(
        evidence.problem, evidence.many_steps.kernel
    )
    evidence.__dict__["_criterion"] = found
    return found


def trait_falls_throughout(evidence: Evidence) -> Outcome:
    """Check the sign of the first order at any number of steps, and that real students follow it at small eps."""
    many, found = evidence.many_steps, criterion(evidence)
    rate, checks = many.rate, []
    for part in _RATES:
        for num_steps in _ANY:
            change = found.change(lambda x, K=num_steps, a=part * rate: fraction(a * x, K))  # type: ignore[misc]
            what = f"g . h(G) dT after {num_steps} steps of {part} / lambda_max"
            checks.append(Inequality(change, found.rounding * 2, what=what))
    for time in _TIMES:
        change = found.change(lambda x, t=time * rate: -np.expm1(-t * x))  # type: ignore[misc]
        checks.append(Inequality(change, found.rounding * 2, what=f"g . h(G) dT after flow of {time} / lambda_max"))
    predicted = observed = float("nan")
    moved = many.descended(_STEPS)
    for num_steps in _STEPS:
        slope = many.factor * found.change(lambda x, K=num_steps: fraction(rate * x, K))  # type: ignore[misc]
        changes, rounding = _changes(evidence, moved[num_steps])
        ladder = evidence.ladder
        remainders = [change - eps * slope for change, eps in zip(changes, ladder, strict=True)]
        what = f"change of trait loss - eps g . h_K(G) dT after {num_steps} steps"
        checks += order_checks(ladder, remainders, [rounding] * len(ladder), order=2, what=what)
        eps = small_eps(ladder, remainders, abs(slope))
        if ladder[0] * abs(slope) > VISIBLE * rounding:
            there = many.observed(Descent("gd", lr=rate), [num_steps], ladder=[eps])[num_steps]
            change = _changes(evidence, there)[0][0]
            checks.append(Inequality(change, 0.0, rounding, f"change of trait loss after {num_steps} steps"))
            predicted, observed = eps * slope, change if abs(change) > rounding else float("nan")
    return outcome(checks, predicted=predicted, observed=observed)


def _changes(evidence: Evidence, moved: np.ndarray) -> tuple[list[float], float]:
    values = trait_values(evidence.problem, evidence.base + evidence.many_steps.as_vectors(moved))
    rounding = evidence.trait_rounding(evidence.ladder[-1], 0.0)
    return [float(value) - evidence.trait_before for value in values], rounding


def _no_trait(evidence: Evidence) -> str:
    return "" if evidence.problem.trait_loss is not None else "there is none"


def _falls_short(evidence: Evidence) -> str:
    found = criterion(evidence)
    return "" if found.holds else f"F reaches {found.least:.3g}"


TRAIT = Hypothesis("the problem has a trait loss", _no_trait)
CRITERION = Hypothesis("F(t) >= 0 at every eigenvalue of G", _falls_short)

CLAIMS = (
    Claim(
        id="C29",
        statement="If F(t) = - sum_j (u_j . g)(u_j . dT) min(lambda_j, t) >= 0 at every eigenvalue of G, the trait "
        "loss falls to first order in eps, or stays, after every number of steps with student_lr <= 1 / lambda_max.",
        prediction="eps g . h_K(G) dT, never positive",
        observation=f"its sign up to 100,000 steps, and the trait loss of students after {_STEPS[0]} and {_STEPS[1]}",
        source="this package; h_K is concave, so a positive mixture of min(lambda, t)",
        tolerance="REMAINDER_GROWTH",
        evaluate=trait_falls_throughout,
        hypotheses=(TRAIT, *MANY_STEPS, SEEN, CRITERION),
        every=EVERY,
    ),
)
