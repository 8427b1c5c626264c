"""Parameters and first moment as ONE state: its linear recurrence, and what a change of it does later.

An optimiser with momentum and a fixed scale P of its steps, P = 1 for heavy ball, P = 1 / (sqrt(v) + eps) for Adam
whose second moment is frozen:

    m_{k+1} = momentum m_k + weight H_k (x_k - dT),    x_{k+1} = x_k - rate_k P m_{k+1}

H_k = G in the linearised model. A change of the first moment alone leaves x_0 as it is and moves x_1 by
-rate_0 momentum P dm: nothing is seen at the moment of a transplant, and it grows from the next step on. In a real
network a change (dx, dm) follows the same recurrence with H_k the Hessian of the loss along the way, to first order.

Reference: Xu 2026, arXiv:2608.20442, states the recurrence for optimiser states; the costate is this package's.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from subtx_toy.errors import InputError
from subtx_toy.problem import params as vectors
from subtx_toy.problem.params import Params
from subtx_toy.problem.problem import Problem

Vector = Float[Tensor, " p"]
Product = Callable[[Vector], Vector]


@dataclass(frozen=True, eq=False)
class Momentum:
    """The recurrence's numbers: ``rates`` one per step, ``scale`` P ``[p]`` or 1.

    ``heavy_ball`` and ``frozen_adam`` build those of this package's optimisers.
    """

    momentum: float
    weight: float
    rates: tuple[float, ...]
    scale: Vector | float = 1.0

    @classmethod
    def heavy_ball(cls, num_steps: int, *, student_lr: float, momentum: float = 0.9) -> Momentum:
        """Return torch's SGD with momentum."""
        return cls(momentum, 1.0, (student_lr,) * num_steps)

    @classmethod
    def frozen_adam(
        cls, num_steps: int, *, lr: float, second: Vector, stabiliser: float = 1e-8, beta: float = 0.9, count: int = 0
    ) -> Momentum:
        """Return Adam with its second moment kept at ``second``, after ``count`` steps; the first one is corrected."""
        rates = tuple(lr / (1 - beta ** (count + step)) for step in range(1, num_steps + 1))
        return cls(beta, 1 - beta, rates, 1 / (second.sqrt() + stabiliser))

    @property
    def num_steps(self) -> int:
        """How many steps it is for."""
        return len(self.rates)


def descendant(products: Product | Sequence[Product], rule: Momentum, change: Vector) -> list[Vector]:
    """Return by how much a change of the first moment alone moves the parameters, after 0, 1, ... steps.

    ``products`` multiply with H_k, one for all steps or one for each. The first is zero, the second
    -rate momentum P ``change``.
    """
    x, m, found = torch.zeros_like(change), change, [torch.zeros_like(change)]
    for product, rate in zip(_each(products, rule), rule.rates, strict=True):
        m = rule.momentum * m + rule.weight * product(x)
        x = x - rate * (rule.scale * m)
        found.append(x)
    return found


@dataclass(frozen=True, eq=False)
class Costate:
    """What changes at one step do to a readout at the end: readout change = of_params . dx + of_first . dm."""

    of_params: Vector
    of_first: Vector


def costates(products: Product | Sequence[Product], rule: Momentum, readout: Vector) -> list[Costate]:
    """Return the costates before step 0, 1, ... and after the last, of the readout ``readout . x_K``.

    One backward sweep, one symmetric product a step, prices every change at every step; for the linearised model
    exactly, for a network with Hessians along its path up to second order in the change.
    """
    of_x, of_m = readout, torch.zeros_like(readout)
    found = [Costate(of_x, of_m)]
    for product, rate in zip(reversed(_each(products, rule)), reversed(rule.rates), strict=True):
        # x' = x - rate P m', m' = momentum m + weight H x
        of_next = of_m - rate * (rule.scale * of_x)
        of_x, of_m = of_x + rule.weight * product(of_next), rule.momentum * of_next
        found.append(Costate(of_x, of_m))
    return found[::-1]


def loss_hessian(problem: Problem, student: Params, teacher: Params) -> Product:
    """Return the product with the Hessian of the distillation loss at a student's parameters, by two reverse passes."""
    with torch.no_grad():
        targets = problem.distilled(teacher)
    leaves = {name: value.detach().clone().requires_grad_() for name, value in student.items()}
    with torch.enable_grad():
        loss = problem.distillation_loss.mean(problem.distilled(leaves), targets)
        slopes = torch.autograd.grad(
            loss, list(leaves.values()), create_graph=True, allow_unused=True, materialize_grads=True
        )
        gradient = torch.cat([slope.reshape(-1) for slope in slopes])

    def product(vector: Vector) -> Vector:
        found = torch.autograd.grad(
            gradient, list(leaves.values()), vector, retain_graph=True, allow_unused=True, materialize_grads=True
        )
        return vectors.flatten(dict(zip(leaves, found, strict=True)))

    return product


def _each(products: Product | Sequence[Product], rule: Momentum) -> list[Product]:
    if callable(products):
        return [products] * rule.num_steps
    if len(products) != rule.num_steps:
        raise InputError(f"products: expected one for each of {rule.num_steps} steps, got {len(products)}")
    return list(products)
