"""A perceptron with a second labelled head between its class logits and its auxiliary logits, and the loss of both."""

from __future__ import annotations

from dataclasses import dataclass, fields

import torch
from torch import Tensor

from subtx_toy.errors import InputError
from subtx_toy.problem.losses import Loss, cross_entropy
from subtx_toy.problem.model import MLP
from subtx_toy.settings.messages import quoted


@dataclass(frozen=True, repr=False)
class TwoTaskMLP(MLP):
    """Class logits, then ``num_second`` logits of a second task, then auxiliary logits, which no label touches."""

    num_second: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        rest = self.sizes[-1] - self.num_classes
        if type(self.num_second) is not int or not 0 <= self.num_second <= rest:
            raise InputError(f"num_second: expected an integer from 0 to {rest}, got {quoted(self.num_second)}")

    def columns(self, distilled_logits: str) -> slice:
        """Return which outputs a name stands for; ``"tasks"`` are the class logits and the second task's."""
        first, both = self.num_classes, self.num_classes + self.num_second
        own = {"second": slice(first, both), "tasks": slice(0, both), "aux": slice(both, None)}
        return own[distilled_logits] if distilled_logits in own else super().columns(distilled_logits)


def with_second_head(model: MLP, num_second: int) -> TwoTaskMLP:
    """Return the same perceptron with ``num_second`` more outputs."""
    values = {field.name: getattr(model, field.name) for field in fields(MLP)}
    sizes = (*model.sizes[:-1], model.sizes[-1] + num_second)
    return TwoTaskMLP(**values | {"sizes": sizes}, num_second=num_second)


def two_tasks(num_classes: int, num_second: int) -> Loss:
    """Build the sum of two cross-entropies, on the first ``num_classes`` logits and on the others.

    A target is ``label * num_second + second label``.
    """
    loss = cross_entropy()

    def values(z: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        first, slopes = loss.value_and_gradient(z[:, :num_classes], y // num_second)
        second, others = loss.value_and_gradient(z[:, num_classes:], y % num_second)
        return first + second, torch.cat([slopes, others], dim=-1)

    def hessian_product(z: Tensor, y: Tensor, v: Tensor) -> Tensor:
        first = loss.hessian_product(z[:, :num_classes], y, v[:, :num_classes])
        return torch.cat([first, loss.hessian_product(z[:, num_classes:], y, v[:, num_classes:])], dim=-1)

    return Loss("two tasks", "labels", values, hessian_product, by_row=True)
