"""Claims C23, C24 and C27: where plain gradient descent leads in many steps, on batches and with weight decay."""

from __future__ import annotations

import numpy as np

from subtx_toy.claims.vocabulary.claim import Claim, Hypothesis, Inequality, Outcome, outcome
from subtx_toy.claims.vocabulary.evidence import UNIT_ROUNDOFF, Evidence
from subtx_toy.claims.vocabulary.hypotheses import ONE_STEP, STANDARD_LOSS
from subtx_toy.claims.vocabulary.many_steps import MAX_ROWS
from subtx_toy.claims.vocabulary.observation import norms
from subtx_toy.problem.model import FastMLP
from subtx_toy.problem.viewpoint import on_inputs
from subtx_toy.theory.error_polynomials import fraction
from subtx_toy.theory.multi_step import batched_displacement, decayed_fraction
from subtx_toy.tolerances import TERMS_ROUNDING
from subtx_toy.training.update_rules import Descent

EVERY = 32
"""Claims on many steps look at one drawn problem in so many: each takes dozens of steps at every eps."""

_STEPS, _THOROUGH = (1, 3, 10, 30), (1, 3, 10, 30, 100)
_DECAY = 0.1  # of lambda_max
_DECAY_STEPS = 10
_EPOCHS, _BATCHES = 2, 3


def many_steps(evidence: Evidence) -> Outcome:
    """Check that K steps lead to eps h_K(G) dT up to second order, for several K."""
    many, checks = evidence.many_steps, []
    # Of a user's model a hundred steps at every eps would take seconds.
    thorough = evidence.thorough and isinstance(evidence.problem.model, FastMLP)
    rate, every = many.rate, _THOROUGH if thorough else _STEPS
    found = many.descended(every)
    for num_steps in every:
        predicted = many.predicted(lambda values, K=num_steps: fraction(rate * values, K))  # type: ignore[misc]
        what = f"||Delta_S - eps h_K(G) dT|| after K = {num_steps} steps"
        checks.append(many.order_check(predicted, found[num_steps], many.rounding(num_steps, rate), what))
        checks += aligned(evidence, predicted, found[num_steps], f"after {num_steps} steps")
    return _reported(evidence, checks, predicted, found[every[-1]])


def aligned(evidence: Evidence, predicted: np.ndarray, observed: np.ndarray, when: str) -> list[Inequality]:
    """Check that the predicted alignment is not negative, and the observed one where its remainder leaves it a sign."""
    many, eps = evidence.many_steps, evidence.ladder[-1]
    size = evidence.dT_norm * float(norms(predicted))
    checks = [Inequality(0.0, many.along(predicted), TERMS_ROUNDING * UNIT_ROUNDOFF * size, f"0 <= alignment {when}")]
    left = float(norms(observed[-1] - eps * predicted)) * evidence.dT_norm
    if eps * many.along(predicted) > 2 * left:
        checks.append(Inequality(0.0, many.along(observed[-1]), what=f"0 <= observed alignment {when}"))
    return checks


def _reported(evidence: Evidence, checks: list[Inequality], predicted: np.ndarray, observed: np.ndarray) -> Outcome:
    many, eps = evidence.many_steps, evidence.ladder[-1]
    if evidence.degenerate or any(one.floor and one.verdict == "undecided" for one in checks):
        return outcome(checks)
    return outcome(checks, predicted=eps * many.along(predicted), observed=many.along(observed[-1]))


def batched_steps(evidence: Evidence) -> Outcome:
    """Check K steps on mini-batches: the product of their factors, its alignment, and that no distance grows."""
    many, problem = evidence.many_steps, evidence.problem
    order = evidence.stream("C24").permutation(len(problem.inputs))
    rows = [part.tolist() for part in np.array_split(order, min(_BATCHES, len(order)))]
    # (b / n) G_b <= G, so lambda_max(G_b) is at most n / b times that of G.
    rates = [1.9 * many.reach * len(part) / (len(order) * many.largest) for part in rows]
    rate, every = min(rates), _EPOCHS * len(rows)
    batches = [on_inputs(problem, part) for part in rows]
    predicted = many.factor * batched_displacement(batches * _EPOCHS, [rate] * every).numpy()
    found = many.observed(Descent("gd", lr=rate), [every], rows=rows)[every]
    what = f"||Delta_S - eps (I - product) dT|| after {every} mini-batches"
    checks = [many.order_check(predicted, found, many.rounding(every, rate), what)]
    checks += aligned(evidence, predicted, found, f"after {every} mini-batches")
    dT, floor = evidence.dT.numpy(), TERMS_ROUNDING * UNIT_ROUNDOFF * evidence.dT_norm
    left = float(norms(dT - predicted))
    checks.append(Inequality(left, evidence.dT_norm + floor, what="distance to the teacher, over eps <= ||dT||"))
    return _reported(evidence, checks, predicted, found)


def decaying_steps(evidence: Evidence) -> Outcome:
    """Check K steps with decay towards the shared initialisation."""
    many = evidence.many_steps
    decay = _DECAY * many.largest
    rate = many.reach / (many.largest + decay)
    predicted = many.predicted(lambda values: decayed_fraction(values, _DECAY_STEPS, rate, decay))
    descent = Descent("gd", lr=rate, decay=decay, decay_towards=many.decay_towards)  # type: ignore[arg-type]
    found = many.observed(descent, [_DECAY_STEPS])[_DECAY_STEPS]
    what = f"||Delta_S - prediction|| after {_DECAY_STEPS} decaying steps"
    checks = [many.order_check(predicted, found, many.rounding(_DECAY_STEPS, rate), what)]
    return _reported(evidence, checks + aligned(evidence, predicted, found, "with decay"), predicted, found)


def _too_many(evidence: Evidence) -> str:
    rows = evidence.ray.outputs.numel()
    return "" if rows <= MAX_ROWS else f"there are {rows}"


def _blind(evidence: Evidence) -> str:
    return "" if evidence.many_steps.largest > 0 else "no distilled output depends on a parameter"


FEW_OUTPUTS = Hypothesis(f"inputs times distilled outputs are at most {MAX_ROWS}, for eigenvectors", _too_many)
SEEING = Hypothesis("the distilled outputs depend on the parameters", _blind)
MANY_STEPS = (FEW_OUTPUTS, *ONE_STEP, SEEING)
"""What the claims on many steps ask."""


def _mixed(evidence: Evidence) -> str:
    ray, rows = evidence.ray, len(evidence.problem.inputs)
    if len(ray.outputs) != rows:
        return f"{rows} inputs give {len(ray.outputs)} rows of outputs"
    problem = on_inputs(evidence.problem, [rows - 1])
    alone = problem.distilled(problem.base_params).detach()
    gap = float((alone - ray.outputs[-1:]).abs().max())
    return "" if gap <= 1e-9 * (1 + float(ray.outputs.abs().max())) else f"one differs by {gap:.3g} when it is alone"


BY_ROW = Hypothesis("the outputs of an input do not depend on the others", _mixed)

_SOURCE = "this package; Taylor's theorem, by induction over the steps"

CLAIMS = (
    Claim(
        id="C23",
        statement="After K steps of gradient descent the student has moved by eps (I - (I - student_lr G)^K) dT + "
        "O(eps^2); for student_lr <= 2 / lambda_max the alignment is >= 0 to leading order.",
        prediction="eps h_K(G) dT, from the eigenvectors of A A^T with G = A^T A",
        observation="the log-log slope of the remainder on a ladder of eps, for K = 1, 3, 10, 30 and on one drawn "
        "problem in 64 for K = 100, with student_lr = 1 / lambda_max",
        source=_SOURCE,
        tolerance="REMAINDER_ORDER",
        evaluate=many_steps,
        hypotheses=MANY_STEPS,
        every=EVERY,
    ),
    Claim(
        id="C24",
        statement="On mini-batches the student moves by eps (I - prod_k (I - student_lr G_k)) dT + O(eps^2), later "
        "factors on the left; if every student_lr lambda_max(G_k) <= 2, to leading order the alignment is >= 0 and "
        "the distance to the teacher never grows, whatever the batches.",
        prediction="products with G_k, one after the other",
        observation=f"displacements after {_EPOCHS} epochs of up to {_BATCHES} batches in a drawn order",
        source="this package; no factor is longer than 1",
        tolerance="REMAINDER_ORDER",
        evaluate=batched_steps,
        hypotheses=(*MANY_STEPS, STANDARD_LOSS, BY_ROW),
        every=EVERY,
    ),
    Claim(
        id="C27",
        statement="With weight decay towards the shared initialisation the student moves by "
        "eps (I - (I - student_lr (G + decay))^K) (G + decay)^-1 G dT + O(eps^2), with alignment >= 0 to leading "
        "order for student_lr (lambda_max + decay) <= 2.",
        prediction="that function of G, from the eigenvectors of A A^T",
        observation=f"displacements after {_DECAY_STEPS} steps with decay = {_DECAY} lambda_max",
        source="this package",
        tolerance="REMAINDER_ORDER",
        evaluate=decaying_steps,
        hypotheses=MANY_STEPS,
        every=EVERY,
    ),
)
