"""A distillation loss on auxiliary logits that also holds the class logits where they were."""

from __future__ import annotations

import torch
from torch import Tensor

from subtx_toy.problem.losses import Loss, kl


def anchored(loss: Loss, num_classes: int, weight: float, *, width: float = 0.0, by_kl: bool = False) -> Loss:
    """Return ``loss`` on the auxiliary logits plus a penalty on how far the class logits are from where they were.

    The penalty is ``weight`` / 2 times the squared error of what lies more than ``width`` away; or ``weight`` times
    KL(start || student) between the softmaxes of the class logits. It reads all logits; the targets are the class
    logits to stay at, followed by the teacher's auxiliary ones.
    """
    divergence = kl()

    def penalty(z: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        if by_kl:
            return divergence.value_and_gradient(z, y)
        gap = z - y
        if width:
            gap = gap - gap.clamp(-width, width)
        return 0.5 * gap.square().sum(-1), gap

    def values(z: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        value, gradient = loss.value_and_gradient(z[:, num_classes:], y[:, num_classes:])
        more, slope = penalty(z[:, :num_classes], y[:, :num_classes])
        return value + weight * more, torch.cat([weight * slope, gradient], dim=-1)

    def hessian_product(z: Tensor, y: Tensor, v: Tensor) -> Tensor:
        rest = loss.hessian_product(z[:, num_classes:], y[:, num_classes:], v[:, num_classes:])
        own, start, along = (one[:, :num_classes] for one in (z, y, v))
        if by_kl:
            moved = divergence.hessian_product(own, start, along)
        else:
            moved = along if not width else along * ((own - start).abs() > width)
        return torch.cat([weight * moved, rest], dim=-1)

    return Loss(f"anchored {loss.name}", "logits", values, hessian_product, by_row=loss.by_row)
