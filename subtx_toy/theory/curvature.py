"""G = mean_n J_n^T M_n J_n, the generalised Gauss-Newton matrix of the distillation loss at the shared init.

Normalisation, everywhere: SUM over the distilled outputs, MEAN over the n inputs. ``M_n`` is the Hessian of the
distillation loss in the outputs, where student and teacher agree: z = y = f_base(x_n).
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor

from subtx_toy.errors import InputError
from subtx_toy.problem import derivatives
from subtx_toy.problem import params as vectors
from subtx_toy.problem.losses import Loss
from subtx_toy.problem.model import FastMLP
from subtx_toy.problem.params import Params
from subtx_toy.problem.problem import Problem
from subtx_toy.theory import linearization

DENSE_LIMIT = 4096
"""Rows of the largest dense matrix built, 128 MiB in float64."""


def ggn_vector_product(problem: Problem, update: Params) -> Params:
    """Return G ``update``: one forward-mode and one reverse-mode pass.

    Reference: Schraudolph 2002, Neural Computation 14, 1723-1738.
    """
    outputs, Jv = linearization.jacobian_product(problem, update)  # v   -> J v          [n, k]
    MJv = problem.distillation_loss.hessian_product(outputs, outputs, Jv)  # J v -> M J v   [n, k]
    return linearization.transposed_jacobian_product(problem, MJv / len(outputs))  # -> mean J^T M J v


def ggn_operator(problem: Problem) -> Callable[[Float[Tensor, " p"]], Float[Tensor, " p"]]:
    """Return the product with G on flat vectors ``[p]``; the reverse pass is traced once, for repeated use."""
    problem.require_float64()
    base = problem.base_params
    if isinstance(problem.model, FastMLP):
        return lambda vector: vectors.flatten(ggn_vector_product(problem, vectors.unflatten(vector, base)))
    outputs, pull_back = derivatives.pull_back(problem.distilled, base)

    def product(vector: Float[Tensor, " p"]) -> Float[Tensor, " p"]:
        Jv = derivatives.jacobian_product(problem.distilled, base, vectors.unflatten(vector, base))[1]
        MJv = problem.distillation_loss.hessian_product(outputs, outputs, Jv)
        JtMJv = pull_back(MJv / len(outputs))
        return vectors.flatten({name: JtMJv[name].detach() for name in base})

    return product


def curvature(problem: Problem, update: Params | None = None) -> Float[Tensor, ""]:
    """Return V = v^T G v = mean_n (J_n v)^T M_n (J_n v) along ``update``, by default the teacher's update.

    One forward-mode pass; never negative for squared error and kl, by construction (claim C1: alignment = eps V to
    leading order).
    """
    outputs, Jv = linearization.jacobian_product(problem, problem.teacher_update if update is None else update)
    return curvature_per_input(problem.distillation_loss, outputs, Jv).mean()


def curvature_per_input(loss: Loss, outputs: Float[Tensor, "n k"], v: Float[Tensor, "n k"]) -> Float[Tensor, " n"]:
    """Return v_n^T M_n v_n per input, summed over outputs."""
    if loss.formula == "kl":
        # The variance of v under the softmax, not E v^2 - (E v)^2, whose rounding can be negative.
        p = torch.softmax(outputs / loss.temperature, dim=-1)
        centred = v - (p * v).sum(-1, keepdim=True)
        return (p * centred**2).sum(-1) / loss.temperature**2
    return (v * loss.hessian_product(outputs, outputs, v)).sum(-1)


def dense_ggn(problem: Problem) -> Float[Tensor, "p p"]:
    """Return G as a matrix ``[p, p]``, of at most DENSE_LIMIT parameters."""
    size = sum(value.numel() for value in problem.base_params.values())
    _require_small("base_params", "parameters", size)
    J, M = linearization.dense_jacobian(problem), output_hessians(problem)
    G = (J.flatten(0, 1).T @ (M @ J).flatten(0, 1)) / len(J)
    return (G + G.T) / 2


def ggn_spectrum(problem: Problem) -> tuple[Float[Tensor, " m"], Float[Tensor, " m"]]:
    """Return eigenvalues of G, ascending, and the components of dT along their eigenvectors.

    Where M_n >= 0 is known and outputs of all inputs are fewer than parameters, G = A^T A has the eigenvalues of A A^T,
    and one zero stands for the rest: its component is the length of what dT has there.
    """
    dT, outputs = vectors.flatten(problem.teacher_update), linearization.base_outputs(problem)
    if len(dT) <= outputs.numel() or not problem.distillation_loss.formula:
        values, columns = torch.linalg.eigh(dense_ggn(problem))
        return values, columns.T @ dT
    _require_small("base_params", "parameters", len(dT))
    J, (sizes, axes) = linearization.dense_jacobian(problem), torch.linalg.eigh(output_hessians(problem))
    A = ((axes * sizes.clamp_min(0).sqrt()[:, None]).mT @ J).flatten(0, 1) / len(J) ** 0.5
    values, columns = torch.linalg.eigh(A @ A.T)
    seen = values > len(dT) * torch.finfo(values.dtype).eps * values[-1]
    components = (columns[:, seen].T @ (A @ dT)) / values[seen].sqrt()
    rest = (dT @ dT - components @ components).clamp_min(0).sqrt()
    return torch.cat([values.new_zeros(1), values[seen]]), torch.cat([rest[None], components])


def output_hessians(problem: Problem) -> Float[Tensor, "n k k"]:
    """Return M_n of every input, where student and teacher agree."""
    outputs, product = linearization.base_outputs(problem), problem.distillation_loss.hessian_product
    # Column j of M_n is M_n e_j.
    basis = torch.eye(outputs.shape[-1], dtype=outputs.dtype)
    return torch.stack([product(outputs, outputs, e.expand_as(outputs)) for e in basis], dim=-1)


def empirical_ntk(problem: Problem) -> Float[Tensor, "nk nk"]:
    """Return Theta = J J^T over all distilled outputs of all inputs, row ``input * k + output``; no division by n.

    With squared error its non-zero eigenvalues are n times those of G. At most DENSE_LIMIT rows.

    Reference: Jacot et al. 2018, arXiv:1806.07572.
    """
    _require_small("inputs", "inputs times outputs", linearization.base_outputs(problem).numel())
    J = linearization.dense_jacobian(problem).flatten(0, 1)
    return J @ J.T


def _require_small(field: str, what: str, size: int) -> None:
    if size > DENSE_LIMIT:
        raise InputError(f"{field}: expected at most {DENSE_LIMIT} {what} for a dense matrix, got {size}")
