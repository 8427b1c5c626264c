"""Conditions that claims share, each checked on the problem and told with its reason where it fails."""

from __future__ import annotations

import math

from subtx_toy.claims.vocabulary.claim import Hypothesis
from subtx_toy.claims.vocabulary.evidence import Evidence
from subtx_toy.claims.vocabulary.smoothness import smoothness
from subtx_toy.problem.loss_conditions import agreement_fault, gradient_fault, null_space_fault
from subtx_toy.problem.model import MLP
from subtx_toy.tolerances import CURVATURE_SEEN


def _disagreement(evidence: Evidence) -> str:
    loss = evidence.problem.distillation_loss
    return "" if loss.formula else agreement_fault(loss, evidence.ray.outputs)


def _unseen_slope(evidence: Evidence) -> str:
    loss = evidence.problem.distillation_loss
    return "" if loss.formula else null_space_fault(loss, evidence.ray.outputs)


def _other_gradient(evidence: Evidence) -> str:
    loss = evidence.problem.distillation_loss
    return "" if loss.formula else gradient_fault(loss, evidence.ray.outputs)


def _other_loss(evidence: Evidence) -> str:
    loss = evidence.problem.distillation_loss
    return "" if loss.formula else f"it is {loss.name}"


def _flat(evidence: Evidence) -> str:
    if not math.isfinite(evidence.V):
        return f"V = {evidence.V} is beyond the range of float64"
    top = evidence.ladder[0]
    seen = abs(evidence.V) * top > CURVATURE_SEEN * evidence.ray.floor(top)
    return "" if seen else f"V = {evidence.V:.3g} is near rounding"


SMOOTH = Hypothesis(
    "the model is twice continuously differentiable",
    lambda evidence: smoothness(evidence.problem).unmet,
    lambda evidence: smoothness(evidence.problem).unchecked,
)
MOVING = Hypothesis(
    "the teacher moves", lambda evidence: "" if evidence.dT_norm > 0 else "the teacher's update is zero"
)
CONSISTENT = Hypothesis("the distillation loss is least where student and teacher agree", _disagreement)
NULL_SPACE = Hypothesis("the loss has no slope where its Hessian at agreement is zero", _unseen_slope)
LOSS_GRADIENT = Hypothesis("the loss is one number per input, with the gradient that it states", _other_gradient)
TRAIT_STEP = Hypothesis(
    "the teacher takes a step down its trait loss",
    lambda evidence: "" if evidence.problem.is_trait_step else "the teacher's update is another direction",
)
STANDARD_LOSS = Hypothesis("the distillation loss is squared error or kl", _other_loss)
SEEN = Hypothesis(
    "the teacher's update changes the distilled outputs",
    lambda evidence: "the distilled outputs do not see the teacher's update" if evidence.degenerate else "",
)
CURVED = Hypothesis("the curvature V can be seen", _flat)
PERCEPTRON = Hypothesis(
    "the model is one of this package's perceptrons",
    lambda evidence: (
        "" if isinstance(evidence.problem.model, MLP) else "no other random initialisation of this model is known"
    ),
)

ONE_STEP = (MOVING, SMOOTH, CONSISTENT)
"""What the leading-order claims ask."""
