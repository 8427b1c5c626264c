"""Second derivatives of any module: products with the trait loss's Hessian, the outputs' bend, and sampled bounds.

A sampled bound is the largest value met at the points that were looked at. It proves nothing, and says so by its name;
``theory.taylor`` has proved ones where the model's operations allow it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from subtx_toy.errors import InputError
from subtx_toy.problem import derivatives
from subtx_toy.problem import params as vectors
from subtx_toy.problem.params import Params
from subtx_toy.problem.problem import Problem
from subtx_toy.seeding import generator
from subtx_toy.theory.lanczos import lanczos


def trait_hessian_product(problem: Problem, update: Params, *, at: Params | None = None) -> Params:
    """Return H ``update``, H the Hessian of the trait loss at ``base_params`` or at other parameters.

    Reverse mode twice, which every differentiable module has; no factor 1/n beyond the trait loss's own.

    Raises:
        InputError: if the problem has no trait loss, or is not in float64.

    Reference: Pearlmutter 1994, Neural Computation 6, 147-160.
    """
    problem.require_float64()
    base = problem.base_params if at is None else at
    leaves, value = derivatives.traced(problem.trait_value, base)
    slopes = torch.autograd.grad(value, list(leaves.values()), create_graph=True, materialize_grads=True,
                                 allow_unused=True)  # fmt: skip
    product = torch.stack([(slope * update[name]).sum() for name, slope in zip(leaves, slopes, strict=True)]).sum()
    if not product.requires_grad:  # the trait loss is linear in every parameter
        return {name: torch.zeros_like(value) for name, value in base.items()}
    found = torch.autograd.grad(product, list(leaves.values()), materialize_grads=True, allow_unused=True)
    return dict(zip(leaves, found, strict=True))


def output_bend(problem: Problem, direction: Params, eps: float = 0.0) -> Float[Tensor, "n k"]:
    """Return d^2/ds^2 of the distilled outputs at base + s ``direction``, s = ``eps``, ``[n, k]``.

    Reverse mode three times: forward mode over forward mode is quietly wrong for torch's layer_norm.

    Raises:
        InputError: if the problem is not in float64.
        RuntimeError: of torch, if an operation has no third reverse pass.
    """
    problem.require_float64()
    s = torch.tensor(eps, dtype=torch.float64, requires_grad=True)
    with torch.enable_grad():
        outputs = problem.distilled(vectors.axpy(s, direction, problem.base_params))
        weights = torch.zeros_like(outputs, requires_grad=True)
        (slope,) = torch.autograd.grad(outputs, s, weights, create_graph=True)
        (bend,) = torch.autograd.grad(slope, s, create_graph=True, allow_unused=True, materialize_grads=True)
        if not bend.requires_grad:
            return torch.zeros_like(outputs)
        (found,) = torch.autograd.grad(bend, weights, allow_unused=True, materialize_grads=True)
    return found.detach()


@dataclass(frozen=True)
class Sampled:
    """The largest value at ``num_points`` points: a lower bound of the supremum, proved to be nothing more."""

    value: float
    num_points: int


def sampled_bend(problem: Problem, eps: float, *, num_points: int = 9) -> Sampled:
    """Return the largest mean_n ||z_n''||^2 to the power 1/2 over equidistant s in [0, eps], z the distilled outputs.

    It is B of a(eps) >= eps (||v||^2 - eps B ||v|| / 2) for squared error, norms in the mean over inputs, as sampled.

    Args:
        problem: in float64.
        eps: >= 0.
        num_points: >= 1, both ends among them.

    Raises:
        InputError: if eps is negative or there are no points.
    """
    if not eps >= 0 or num_points < 1:
        raise InputError(f"eps, num_points: expected numbers >= 0 and >= 1, got {eps} and {num_points}")
    found = [
        output_bend(problem, problem.teacher_update, float(s)).square().sum(-1).mean().sqrt()
        for s in torch.linspace(0.0, eps, num_points, dtype=torch.float64)
    ]
    return Sampled(float(torch.stack(found).max()), num_points)  # of torch, whose maximum keeps a nan


def sampled_smoothness(
    problem: Problem, direction: Params, reach: float, *, num_points: int = 5, num_steps: int = 20
) -> Sampled:
    """Return the largest ||H|| of the trait loss's Hessian at points of base + s ``direction``, s in [0, reach].

    Each norm is the largest absolute Ritz value of ``num_steps`` steps of Lanczos from a fixed random start, so never
    above the norm there. It is an estimate of the beta of ``trait_loss_window``, which asks for an upper bound.

    Args:
        problem: in float64, with a trait loss.
        direction: such as the student's update.
        reach: >= 0, such as ``student_lr``.
        num_points: >= 1, equidistant, both ends among them.
        num_steps: products with H at each point.

    Raises:
        InputError: if the problem has no trait loss, or a number is out of its range.
    """
    if not reach >= 0 or num_points < 1 or num_steps < 1:
        raise InputError(
            f"reach, num_points, num_steps: expected >= 0, >= 1, >= 1, got {reach}, {num_points}, {num_steps}"
        )
    base = problem.base_params
    size = sum(value.numel() for value in base.values())
    start, found = torch.from_numpy(generator(0, "sampled_smoothness").standard_normal(size)), list[float]()
    for s in torch.linspace(0.0, reach, num_points, dtype=torch.float64).tolist():
        at = vectors.axpy(s, direction, base)

        def product(vector: Float[Tensor, " p"], at: Params = at) -> Float[Tensor, " p"]:
            return vectors.flatten(trait_hessian_product(problem, vectors.unflatten(vector, base), at=at))

        values = lanczos(product, start, num_steps).eigen()[0]
        found.append(float(abs(values).max()))
    if not all(map(math.isfinite, found)):
        raise InputError(f"trait_loss: expected finite second derivatives, got {found}")
    return Sampled(max(found), num_points)
