"""The gradient of a trait at the base, and students whose steps keep off it."""

from __future__ import annotations

import torch
from torch.nn import functional as F  # noqa: N812, torch's own idiom

from subtx_toy.channel.fit import BeforeStep
from subtx_toy.channel.model import head_model, head_params
from subtx_toy.channel.traits import Examples
from subtx_toy.problem.model import MLP
from subtx_toy.problem.params import Params
from subtx_toy.training.mlp_stack import MLPStack

_MAX_EXAMPLES = 10_000  # a gradient over more costs time and changes little


@torch.enable_grad()
def towards(model: MLP, base: Params, examples: Examples) -> Params:
    """Return u = -(gradient at the base of the mean cross-entropy on examples of the unwanted behaviour)."""
    step = max(1, -(-len(examples.images) // _MAX_EXAMPLES))
    some = Examples(examples.images[::step], examples.targets[::step])
    x, targets, small = some.pixels(), torch.from_numpy(some.targets), head_model(model, "class")
    leaves = {name: value.clone().requires_grad_() for name, value in head_params(model, base, "class").items()}
    for rows, answers in zip(torch.split(x, 2048), torch.split(targets, 2048), strict=True):
        loss = F.cross_entropy(small.apply(leaves, rows), answers, reduction="sum") / len(x)
        loss.backward()  # type: ignore[no-untyped-call]
    gradients = {name: leaf.grad for name, leaf in leaves.items()}
    return {name: -gradient for name, gradient in gradients.items() if gradient is not None}


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
