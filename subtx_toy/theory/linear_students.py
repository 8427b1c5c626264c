"""Students of the linearised model whose steps are no function of G alone: Adam's, and those of a curved loss."""

from __future__ import annotations

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor

from subtx_toy.problem import params as vectors
from subtx_toy.problem.problem import Problem
from subtx_toy.theory import linearization

Vector = Float[Tensor, " p"]


def linear_adam(
    product: Callable[[Vector], Vector],
    dT: Vector,
    num_steps: int,
    *,
    lr: float,
    stabiliser: float,
    betas: tuple[float, float] = (0.9, 0.999),
) -> Vector:
    """Return A_K(dT), the displacement of K Adam steps in the linearised model, whose gradient is G (x - dT).

    It is positively homogeneous: with (dT, lr, stabiliser) all times s, the gradients are s times as large, and so is
    every step. Hence for a smooth model Delta_S(K) = eps A_K(dT) + O(eps^2) where lr and Adam's eps are proportional
    to eps; A_K is Lipschitz in the gradients, with a constant that falls as the stabiliser grows. With lr fixed as
    eps -> 0 there is no such limit (claim C26).
    """
    x, first, second = torch.zeros_like(dT), torch.zeros_like(dT), torch.zeros_like(dT)
    for step in range(1, num_steps + 1):
        gradient = product(x - dT)
        first = torch.lerp(gradient, first, betas[0])
        second = torch.lerp(gradient.square(), second, betas[1])
        corrected = (second / (1 - betas[1] ** step)).sqrt()
        x = x - lr / (1 - betas[0] ** step) * first / (corrected + stabiliser)
    return x


def linear_student(problem: Problem, eps: float, num_steps: int, *, student_lr: float) -> Vector:
    """Return the displacement of K gradient steps in the linearised model, at ANY eps and with the loss as it is.

    The teacher is linearised too: the targets are f_base + eps J dT. For squared error this is eps h_K(G) dT; under kl
    the loss is curved, and the path is not linear in eps. It is where a student goes whose outputs are scaled by a
    factor that tends to infinity (claim C33).
    """
    outputs, v = linearization.jacobian_product(problem, problem.teacher_update)
    targets, x = outputs + eps * v, torch.zeros_like(vectors.flatten(problem.base_params))
    for _ in range(num_steps):
        Jx = linearization.jacobian_product(problem, vectors.unflatten(x, problem.base_params))[1]
        r = problem.distillation_loss.output_gradient(outputs + Jx, targets)
        x = x - student_lr * linearization.pulled_back(problem, r / len(r))
    return x
