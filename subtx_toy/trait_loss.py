"""What the teacher is trained for: a differentiable scalar of the outputs on inputs of its own."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from subtx_toy import losses


@dataclass(frozen=True, eq=False)
class TraitLoss:
    """A trait loss ``value(f(params, inputs))``; it may read every output, and only here are outputs named.

    Attributes:
        inputs: of the trait, unrelated to the distillation inputs.
        value: from the outputs ``[n, k]`` (further axes flattened into n) to a scalar, differentiable.
    """

    inputs: Tensor
    value: Callable[[Tensor], Tensor]

    def double(self) -> TraitLoss:
        """Return the loss with its inputs in float64; ``value`` is kept and must not pin a dtype."""
        return dataclasses.replace(self, inputs=self.inputs.double()) if self.inputs.is_floating_point() else self


def cross_entropy_trait(inputs: Tensor, labels: Int[Tensor, ...], *, class_logits: slice = slice(None)) -> TraitLoss:
    """Build the cross-entropy of ``class_logits`` on integer labels: sum over outputs, mean over inputs."""
    loss, flat = losses.cross_entropy(), labels.reshape(-1)
    return TraitLoss(inputs, lambda outputs: loss.mean(outputs[:, class_logits], flat))


def squared_error_trait(inputs: Tensor, targets: Float[Tensor, ...], *, class_logits: slice = slice(None)) -> TraitLoss:
    """Build 1/2 ||z - y||^2 of ``class_logits`` on targets of their shape: sum over outputs, mean over inputs."""
    loss, flat = losses.squared_error(), targets.reshape(-1, targets.shape[-1])
    return TraitLoss(inputs, lambda outputs: loss.mean(outputs[:, class_logits], flat.to(outputs.dtype)))


def mean_output_trait(inputs: Tensor, *, column: int) -> TraitLoss:
    """Build the mean of one output over the inputs: for models that compute their own loss as an output."""
    return TraitLoss(inputs, lambda outputs: torch.mean(outputs[:, column]))
