"""A distillation loss on auxiliary logits that also holds the class logits where they were."""

from __future__ import annotations

import torch
from torch import Tensor

from subtx_toy.problem.losses import Loss


def anchored(loss: Loss, num_classes: int, weight: float) -> Loss:
    """Return ``loss`` on the auxiliary logits plus ``weight`` / 2 times the squared error of the class logits.

    It reads all logits; the targets are the class logits to stay at, followed by the teacher's auxiliary ones.
    """

    def values(z: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        value, gradient = loss.value_and_gradient(z[:, num_classes:], y[:, num_classes:])
        gap = z[:, :num_classes] - y[:, :num_classes]
        return value + 0.5 * weight * gap.square().sum(-1), torch.cat([weight * gap, gradient], dim=-1)

    def hessian_product(z: Tensor, y: Tensor, v: Tensor) -> Tensor:
        rest = loss.hessian_product(z[:, num_classes:], y[:, num_classes:], v[:, num_classes:])
        return torch.cat([weight * v[:, :num_classes], rest], dim=-1)

    return Loss(f"anchored {loss.name}", "logits", values, hessian_product, by_row=loss.by_row)
