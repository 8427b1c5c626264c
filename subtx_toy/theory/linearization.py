"""The model's first-order expansion around its initialisation, and the products with its Jacobian."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from subtx_toy.problem import derivatives
from subtx_toy.problem import params as vectors
from subtx_toy.problem.functional import Apply
from subtx_toy.problem.model import FastMLP
from subtx_toy.problem.params import Params
from subtx_toy.problem.problem import Problem
from subtx_toy.theory import perceptron


def linearize(apply: Apply, base_params: Params) -> Apply:
    """Return f_lin with the signature of ``apply``, affine in the parameters.

    f_lin(params, inputs) = f(base, inputs) + J(inputs) (params - base)

    It can be differentiated again and stand in a ``Problem`` as its model.

    >>> from subtx_toy.problem.params import Params
    >>> square = linearize(lambda params, x: params["t"] ** 2 * x, {"t": torch.tensor(3.0)})
    >>> float(square({"t": torch.tensor(4.0)}, torch.ones(1, 1)))
    15.0
    """

    def apply_linearized(params: Params, inputs: Tensor) -> Tensor:
        move = vectors.difference(params, base_params)
        expansion: tuple[Tensor, Tensor] = torch.func.jvp(lambda at: apply(at, inputs), (base_params,), (move,))[:2]
        return expansion[0] + expansion[1]

    return apply_linearized


def base_outputs(problem: Problem) -> Float[Tensor, "n k"]:
    """Return the distilled outputs at ``base_params``, ``[n, k]``."""
    problem.require_float64()
    if isinstance(problem.model, FastMLP):
        return perceptron.base_outputs(problem)
    with torch.no_grad():
        return problem.distilled(problem.base_params)


def teacher_outputs(problem: Problem, eps: Sequence[float]) -> Float[Tensor, "s n k"]:
    """Return the teacher's distilled outputs at each eps."""
    if isinstance(problem.model, FastMLP):
        # Outputs first in memory: there torch's kernels work on many inputs at once.
        found = np.ascontiguousarray(perceptron.teacher_outputs(problem, eps).swapaxes(0, 1))
        return torch.from_numpy(found).permute(1, 2, 0)
    with torch.no_grad():
        return torch.stack([problem.distilled(problem.teacher_params(one)) for one in eps])


def jacobian_product(problem: Problem, update: Params) -> tuple[Float[Tensor, "n k"], Float[Tensor, "n k"]]:
    """Return the distilled outputs and J ``update``, both ``[n, k]``, at ``base_params``; one forward-mode pass."""
    problem.require_float64()
    if isinstance(problem.model, FastMLP):
        return perceptron.outputs_and_product(problem, update)
    outputs, Jv = derivatives.jacobian_product(problem.distilled, problem.base_params, update)
    return outputs, Jv


def transposed_jacobian_product(problem: Problem, weights: Float[Tensor, "n k"], *, at: Params | None = None) -> Params:
    """Return J^T ``weights``, SUMMED over inputs and outputs, at ``base_params`` or at other parameters."""
    problem.require_float64()
    if isinstance(problem.model, FastMLP):
        flat = torch.from_numpy(perceptron.pulled_back(problem, weights.T.numpy(), at))
        return vectors.unflatten(flat, problem.base_params)
    start = problem.base_params if at is None else at
    leaves = {name: value.detach().requires_grad_() for name, value in start.items()}
    with torch.enable_grad():
        outputs = problem.distilled(leaves)
        # The same gradient as with ``weights`` as an argument, for which torch first loads sympy.
        total = (outputs * weights).sum()
    Jtw = torch.autograd.grad(total, list(leaves.values()), allow_unused=True, materialize_grads=True)
    return dict(zip(leaves, Jtw, strict=True))


def pulled_back(problem: Problem, weights: Float[Tensor, "n k"]) -> Float[Tensor, " p"]:
    """Return J^T ``weights`` at ``base_params``, flat."""
    if isinstance(problem.model, FastMLP):
        return torch.from_numpy(perceptron.pulled_back(problem, weights.T.numpy()))
    return vectors.flatten(transposed_jacobian_product(problem, weights))


def dense_jacobian(problem: Problem) -> Float[Tensor, "n k p"]:
    """Return J ``[n, k, p]`` of the distilled outputs at ``base_params``, reverse mode row by row."""
    problem.require_float64()
    if isinstance(problem.model, FastMLP):
        return perceptron.dense_jacobian(problem)
    leaves = {name: value.detach().requires_grad_() for name, value in problem.base_params.items()}
    row = partial(torch.autograd.grad, retain_graph=True, allow_unused=True, materialize_grads=True)
    with torch.enable_grad():
        outputs = problem.distilled(leaves)
        # Not batched: no batching rule exists for recurrent layers.
        rows = [row(one, list(leaves.values())) for one in outputs.flatten()]
    blocks = [torch.stack(block).flatten(1) for block in zip(*rows, strict=True)]
    return torch.cat(blocks, dim=1).view(*outputs.shape, -1)
