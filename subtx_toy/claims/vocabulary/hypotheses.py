"""Conditions that claims share, each checked on the problem and told with its reason where it fails."""

from __future__ import annotations

import torch
from torch import nn

from subtx_toy.claims.vocabulary.claim import Hypothesis
from subtx_toy.claims.vocabulary.evidence import UNIT_ROUNDOFF, Evidence
from subtx_toy.problem.functional import ModuleFunction
from subtx_toy.problem.model import MLP
from subtx_toy.tolerances import ALIGNMENT_FLOOR_UNITS, CURVATURE_SEEN

_KINKED = (
    nn.ReLU, nn.ReLU6, nn.LeakyReLU, nn.PReLU, nn.RReLU, nn.ELU, nn.SELU, nn.CELU, nn.Hardtanh, nn.Hardsigmoid,
    nn.Hardswish, nn.Hardshrink, nn.Softshrink, nn.Threshold, nn.MaxPool1d, nn.MaxPool2d, nn.MaxPool3d,
    nn.AdaptiveMaxPool1d, nn.AdaptiveMaxPool2d, nn.AdaptiveMaxPool3d,
)  # fmt: skip


def _kinks(evidence: Evidence) -> str:
    model = evidence.problem.model
    if isinstance(model, MLP) and model.num_layers > 1 and not model.activation.smooth:
        return f"{model.activation.name} is not twice continuously differentiable"
    if isinstance(model, ModuleFunction):
        for name, part in model.module.named_modules():
            inner = getattr(part, "activation", None) or getattr(part, "nonlinearity", None)
            if isinstance(part, _KINKED) or inner in (torch.nn.functional.relu, "relu"):
                kind = type(part).__name__ if isinstance(part, _KINKED) else "relu"
                return f"model.{name} ({kind}) is not twice continuously differentiable".replace("model. ", "model ")
    return ""


def _disagreement(evidence: Evidence) -> str:
    if evidence.problem.distillation_loss.name in ("kl", "squared_error"):
        return ""
    z = evidence.ray.outputs
    slope = float(evidence.problem.distillation_loss.output_gradient(z, z).abs().max())
    swapped = evidence.problem.distillation_loss.output_gradient(z, z.roll(1, dims=-1)).abs().max()
    floor = ALIGNMENT_FLOOR_UNITS * UNIT_ROUNDOFF * max(1.0, float(swapped))
    return "" if slope <= floor else f"its slope at agreeing outputs is {slope:.3g}"


def _other_loss(evidence: Evidence) -> str:
    name = evidence.problem.distillation_loss.name
    return "" if name in ("kl", "squared_error") else f"it is {name}"


def _flat(evidence: Evidence) -> str:
    top = evidence.ladder[0]
    seen = abs(evidence.V) * top > CURVATURE_SEEN * evidence.ray.floor(top)
    return "" if seen else f"V = {evidence.V:.3g} is near rounding"


SMOOTH = Hypothesis("the model is twice continuously differentiable", _kinks)
MOVING = Hypothesis(
    "the teacher moves", lambda evidence: "" if evidence.dT_norm > 0 else "the teacher's update is zero"
)
CONSISTENT = Hypothesis("the distillation loss is least where student and teacher agree", _disagreement)
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
