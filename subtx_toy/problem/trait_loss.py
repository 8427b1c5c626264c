"""What the teacher is trained for: a differentiable scalar of the outputs on inputs of its own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from subtx_toy.problem import losses
from subtx_toy.settings.arguments import FUNCTION, Kind, checked, instance, integer

TENSOR = instance(
    Tensor, "a tensor", lambda value: "; use torch.as_tensor" if isinstance(value, list | tuple | np.ndarray) else ""
)
_LABELS = TENSOR._replace(
    expected="a tensor of integer labels",
    accepts=lambda value: isinstance(value, Tensor) and not value.is_floating_point(),
)
_COLUMNS: Kind = instance(slice, "a slice of the outputs")


_CROSS_ENTROPY, _SQUARED_ERROR = losses.cross_entropy(), losses.squared_error()


@checked(inputs=TENSOR, value=FUNCTION._replace(expected="a function of the outputs [n, k]"))
@dataclass(frozen=True, eq=False)
class TraitLoss:
    """A trait loss ``value(f(params, inputs))``; it may read every output, and only here are outputs named.

    Attributes:
        inputs: of the trait, unrelated to the distillation inputs.
        value: from the outputs ``[n, k]`` (further axes flattened into n) to a scalar, differentiable.
    """

    inputs: Tensor
    value: Callable[[Tensor], Tensor]

    def __repr__(self) -> str:
        name = getattr(self.value, "__name__", type(self.value).__name__)
        return f"TraitLoss({name} on inputs {list(self.inputs.shape)})"

    def double(self) -> TraitLoss:
        """Return the loss with its inputs in float64; ``value`` is kept and must not pin a dtype."""
        return TraitLoss(self.inputs.double(), self.value) if self.inputs.is_floating_point() else self


@dataclass(frozen=True, eq=False)
class LabelledCrossEntropy:
    """Cross-entropy of some columns on integer labels, from outputs ``[n, k]``; theory knows its derivatives."""

    labels: Int[Tensor, " n"]
    columns: slice

    def __call__(self, outputs: Float[Tensor, "n k"]) -> Float[Tensor, ""]:
        """Return the loss: sum over outputs, mean over inputs."""
        return _CROSS_ENTROPY.mean(outputs[:, self.columns], self.labels)


@dataclass(frozen=True, eq=False)
class TargetedSquaredError:
    """1/2 ||z - y||^2 of some columns on fixed targets, from outputs ``[n, k]``; theory knows its derivatives."""

    targets: Float[Tensor, "n c"]
    columns: slice

    def __call__(self, outputs: Float[Tensor, "n k"]) -> Float[Tensor, ""]:
        """Return the loss: sum over outputs, mean over inputs."""
        return _SQUARED_ERROR.mean(outputs[:, self.columns], self.targets.to(outputs.dtype))


@checked(inputs=TENSOR, labels=_LABELS, class_logits=_COLUMNS)
def cross_entropy_trait(inputs: Tensor, labels: Int[Tensor, ...], *, class_logits: slice = slice(None)) -> TraitLoss:
    """Build the cross-entropy of ``class_logits`` on integer labels: sum over outputs, mean over inputs."""
    return TraitLoss(inputs, LabelledCrossEntropy(labels.reshape(-1), class_logits))


@checked(inputs=TENSOR, targets=TENSOR, class_logits=_COLUMNS)
def squared_error_trait(inputs: Tensor, targets: Float[Tensor, ...], *, class_logits: slice = slice(None)) -> TraitLoss:
    """Build 1/2 ||z - y||^2 of ``class_logits`` on targets of their shape: sum over outputs, mean over inputs."""
    return TraitLoss(inputs, TargetedSquaredError(targets.reshape(-1, targets.shape[-1]), class_logits))


@checked(inputs=TENSOR, column=integer(0))
def mean_output_trait(inputs: Tensor, *, column: int) -> TraitLoss:
    """Build the mean of one output over the inputs: for models that compute their own loss as an output."""
    return TraitLoss(inputs, lambda outputs: torch.mean(outputs[:, column]))
