"""Take the part of a gradient that would serve a trait out of it, before every step."""

from __future__ import annotations

from subtx_toy.channel.fit import BeforeStep
from subtx_toy.problem.model import MLP
from subtx_toy.problem.params import Params
from subtx_toy.training.mlp_stack import MLPStack


def projected_off(model: MLP, direction: Params) -> BeforeStep:
    """Return what keeps a single member from stepping towards ``direction``.

    g <- g - (g . u) u / (u . u) whenever a step along -g would go along u, that is g . u < 0

    Under Adam the step is not along -g, so what is taken out of the gradient may come back through its scaling.

    Args:
        model: the member's shape.
        direction: u, all of its parameters.
    """
    u = MLPStack(model, [direction], batch_size=1).theta  # the layout of a stack of one
    square = float(u @ u)

    def project(stack: MLPStack) -> None:
        along = float(stack.gradient @ u)
        if along < 0:
            stack.gradient.sub_(u, alpha=along / square)

    return project
