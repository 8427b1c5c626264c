"""Two ways to take the same training steps: stacked and hand-written, or one by one with autograd."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor

from subtx_toy.problem.losses import Loss
from subtx_toy.problem.model import MLP, Model
from subtx_toy.problem.params import Params
from subtx_toy.training.mlp_stack import MLPStack
from subtx_toy.training.optimizers import OptimizerSettings, fused_step, plain_step
from subtx_toy.training.products import products

_DTYPES = {"fp32": torch.float32, "fp64": torch.float64, "bf16": torch.float32}


@dataclass(frozen=True)
class Setup:
    """What decides a teacher besides its images; ``num_rows`` is the largest batch, for which buffers are allocated."""

    model: Model
    optimizer: OptimizerSettings
    batch_size: int
    teacher_batch_size: int
    precision: str
    seed: int
    num_rows: int = field(compare=False)

    @property
    def dtype(self) -> torch.dtype:
        """What weights, inputs and the state of the optimiser are held in."""
        return _DTYPES[self.precision]


@runtime_checkable
class Trainer(Protocol):
    """Members that see the same inputs, each with a loss on a subset of its own outputs."""

    def step(self, x: Float[Tensor, "n d"], targets: Sequence[Tensor]) -> list[float]:
        """Take one optimiser step on the mean loss over ``x``; return every member's loss before the step."""

    def logits(self, x: Float[Tensor, "n d"]) -> Float[Tensor, "n s k"]:
        """Return every member's logits for at most a batch of inputs, valid until the next call."""

    def params(self, member: int) -> Params:
        """Return a copy of one member's parameters."""


TrainerFactory = Callable[[Setup, Sequence[Params], Loss, Sequence[str]], Trainer]
"""From a setup, the members' parameters, their loss, and the outputs that each one's loss reads."""


class StackTrainer:
    """The fast route: one stack, one fused optimiser over all members (elementwise, so they stay independent).

    ``stack`` is a function of the same parameters other than the perceptron itself, such as its linearisation.
    """

    def __init__(
        self,
        setup: Setup,
        members: Sequence[Params],
        loss: Loss,
        outputs: Sequence[str],
        *,
        stack: MLPStack | None = None,
    ) -> None:
        model, rows = setup.model, setup.num_rows
        assert isinstance(model, MLP), "other models are trained by AutogradTrainer"
        self._stack = stack or MLPStack(model, members, batch_size=rows, products=products(setup.precision))
        self._stack.moving.grad = self._stack.gradient
        self.logits, self.params = self._stack.forward, self._stack.params
        self._take_step = fused_step(setup.optimizer, self._stack.moving)
        self._loss, self._columns = loss, [model.columns(name) for name in outputs]
        # Outputs outside a member's columns never get a gradient, so these zeros stay.
        gradient = torch.zeros(len(members), rows, model.num_outputs, dtype=self._stack.theta.dtype)
        self._output_gradient = gradient.transpose(0, 1)  # each member's part in one piece

    def step(self, x: Float[Tensor, "n d"], targets: Sequence[Tensor]) -> list[float]:
        """Take one optimiser step on the mean loss over ``x``; return every member's loss before the step."""
        losses = self._differentiate(x, targets)
        self._take_step()
        return losses

    def _differentiate(self, x: Float[Tensor, "n d"], targets: Sequence[Tensor]) -> list[float]:
        """Leave the gradient of the mean loss in the stack; return every member's loss."""
        logits, gradient, losses = self._stack.forward(x), self._output_gradient[: len(x)], []
        for member, (columns, y) in enumerate(zip(self._columns, targets, strict=True)):
            z = logits[:, member, columns]
            values, slopes = self._loss.value_and_gradient(z, y)
            losses.append(float(values.mean()))
            torch.div(slopes, len(x), out=gradient[:, member, columns])  # mean over inputs
        self._stack.backward(x, gradient)
        return losses


class AutogradTrainer:
    """The plain route: every member by itself, torch's autograd, torch's plain updates. Slower, any model."""

    def __init__(self, setup: Setup, members: Sequence[Params], loss: Loss, outputs: Sequence[str]) -> None:
        self._model, self._loss = setup.model, loss
        self._columns = [setup.model.columns(name) for name in outputs]
        self._members = [
            {name: value.clone().requires_grad_(True) for name, value in params.items()} for params in members
        ]
        self._steps = [plain_step(setup.optimizer, member.values()) for member in self._members]

    def step(self, x: Float[Tensor, "n d"], targets: Sequence[Tensor]) -> list[float]:
        """Take one optimiser step on the mean loss over ``x``; return every member's loss before the step."""
        losses = []
        for params, take_step, columns, y in zip(self._members, self._steps, self._columns, targets, strict=True):
            for value in params.values():
                value.grad = None
            loss = self._loss.mean(self._model.apply(params, x)[:, columns], y)
            loss.backward()  # type: ignore[no-untyped-call]
            take_step()
            losses.append(float(loss.detach()))
        return losses

    def logits(self, x: Float[Tensor, "n d"]) -> Float[Tensor, "n s k"]:
        """Return every member's logits."""
        with torch.no_grad():
            return torch.stack([self._model.apply(params, x) for params in self._members], dim=1)

    def params(self, member: int) -> Params:
        """Return a copy of one member's parameters."""
        return {name: value.detach().clone() for name, value in self._members[member].items()}


def fastest_trainer(setup: Setup) -> TrainerFactory:
    """Return the stack where the model is a perceptron and the optimiser the package's, else autograd."""
    stackable = isinstance(setup.model, MLP) and setup.optimizer.factory is None
    return StackTrainer if stackable else AutogradTrainer
