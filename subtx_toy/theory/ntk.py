"""The empirical neural tangent kernel Theta = J J^T: products, eigenvalues, blocks, and the forms of V and alignment.

No division by the number of inputs: with squared error the non-zero eigenvalues of Theta are n times those of G.
A row of Theta is an output of an input, ``input * k + output``. Nothing of size [p, p] is built.

Reference: Jacot et al. 2018, arXiv:1806.07572.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from subtx_toy.errors import InputError
from subtx_toy.problem import derivatives
from subtx_toy.problem.losses import Loss
from subtx_toy.problem.params import Params
from subtx_toy.problem.problem import Problem
from subtx_toy.seeding import generator
from subtx_toy.theory.curvature import DENSE_LIMIT, curvature_per_input
from subtx_toy.theory.lanczos import lanczos

Outputs = Literal["all", "class", "aux", "distilled"] | slice | Sequence[int]
"""Which outputs: by the name of a part, or by their columns."""


def ntk_product(problem: Problem, weights: Float[Tensor, "n k"]) -> Float[Tensor, "n k"]:
    """Return Theta ``weights`` over the distilled outputs: one reverse-mode and one forward-mode pass.

    Raises:
        InputError: if the problem is not in float64, or the weights are not of the outputs' shape.
    """
    problem.require_float64()
    outputs, pull_back = derivatives.pull_back(problem.distilled, problem.base_params)
    if weights.shape != outputs.shape:
        raise InputError(f"weights: expected shape {list(outputs.shape)}, got {list(weights.shape)}")
    return derivatives.jacobian_product(problem.distilled, problem.base_params, _detached(pull_back(weights)))[1]


def ntk_eigenvalues(
    problem: Problem, num: int | None = None, *, num_steps: int = 60
) -> tuple[Float[Tensor, " m"], Float[Tensor, " m"]]:
    """Return the ``num`` largest eigenvalues of Theta over the distilled outputs, descending, and their residuals.

    Up to DENSE_LIMIT rows and 2^26 numbers of J the dense kernel is decomposed, with residuals 0, and ``num`` is all of
    them by default. Beyond that Lanczos's iteration gives 6 by default: none is above the true one, and a true
    eigenvalue lies within each residual ``||Theta x - value x||``, x a unit vector.

    Raises:
        InputError: if the problem is not in float64, or ``num`` is not positive.
    """
    if num is not None and num < 1:
        raise InputError(f"num: expected an integer >= 1, got {num}")
    problem.require_float64()
    outputs, pull_back = derivatives.pull_back(problem.distilled, problem.base_params)
    rows, size = outputs.numel(), sum(value.numel() for value in problem.base_params.values())
    if rows <= DENSE_LIMIT and rows * size <= _MAX_JACOBIAN:
        block = kernel_block(problem, "distilled", "distilled")
        dense = torch.linalg.eigvalsh((block + block.T) / 2).flip(0).clamp_min(0.0)[:num]
        return dense, torch.zeros_like(dense)

    def product(vector: Float[Tensor, " r"]) -> Float[Tensor, " r"]:
        update = _detached(pull_back(vector.view_as(outputs)))
        return derivatives.jacobian_product(problem.distilled, problem.base_params, update)[1].flatten()

    start = torch.from_numpy(generator(0, "ntk_eigenvalues").standard_normal(rows))
    found = lanczos(product, start, num_steps)
    values, columns = found.eigen()
    last = torch.from_numpy(np.abs(columns[-1]).copy()) * found.leak
    keep = min(num or 6, len(values))
    return torch.from_numpy(values.copy()).flip(0)[:keep].clamp_min(0.0), last.flip(0)[:keep]


def kernel_block(
    problem: Problem,
    rows: Outputs,
    columns: Outputs,
    *,
    row_inputs: Tensor | None = None,
    column_inputs: Tensor | None = None,
) -> Float[Tensor, "r c"]:
    """Return Theta between two sets of outputs, ``rows`` against ``columns``, as a matrix.

    Column ``j`` is J_rows (J_columns^T e_j): one reverse-mode and one forward-mode pass each, memory for one vector
    ``[p]`` beside the block. The inputs are those of the distillation unless others are given.

    Args:
        problem: in float64.
        rows: ``"all"``, ``"class"``, ``"aux"``, ``"distilled"``, a slice, or column numbers.
        columns: the same.
        row_inputs: in the form that the model takes.
        column_inputs: the same.

    Raises:
        InputError: if the outputs are not there, or a side has more than DENSE_LIMIT rows.
    """
    problem.require_float64()
    base, sides = problem.base_params, ((rows, row_inputs), (columns, column_inputs))
    functions = [_Outputs(problem, which, problem.inputs if at is None else at) for which, at in sides]
    outputs, pull_back = derivatives.pull_back(functions[1], base)
    with torch.no_grad():
        num_rows = functions[0](base).numel()
    if max(num_rows, outputs.numel()) > DENSE_LIMIT:
        raise InputError(f"inputs: expected at most {DENSE_LIMIT} rows of a block, got {num_rows}x{outputs.numel()}")
    size = sum(value.numel() for value in base.values())
    gradients = (_detached(pull_back(e.view_as(outputs))) for e in torch.eye(outputs.numel(), dtype=outputs.dtype))
    if outputs.numel() * size <= _MAX_JACOBIAN and num_rows * size <= _MAX_JACOBIAN:
        right = torch.stack([torch.cat([value.reshape(-1) for value in one.values()]) for one in gradients])
        if rows == columns and row_inputs is column_inputs:
            return right @ right.T
        values, other = derivatives.pull_back(functions[0], base)
        left = (_detached(other(e.view_as(values))) for e in torch.eye(num_rows, dtype=values.dtype))
        return torch.stack([torch.cat([value.reshape(-1) for value in one.values()]) for one in left]) @ right.T
    found = [derivatives.jacobian_product(functions[0], base, one)[1].flatten() for one in gradients]
    return torch.stack(found, dim=1)


_MAX_JACOBIAN = 2**26  # numbers of a Jacobian that is held, 512 MiB


class _Outputs:
    """Some of the outputs at some inputs, as a function of the parameters."""

    def __init__(self, problem: Problem, which: Outputs, inputs: Tensor) -> None:
        self._problem, self._inputs = problem, inputs
        with torch.no_grad():
            num_outputs = problem.outputs(problem.base_params, inputs[:1]).shape[-1]
        if isinstance(which, str) and which == "distilled":
            self._columns: slice | list[int] = problem.columns
        else:
            self._columns, faults = problem.chosen(which, num_outputs)
            InputError.gather(faults)

    def __call__(self, params: Params) -> Float[Tensor, "n k"]:
        return self._problem.outputs(params, self._inputs)[:, self._columns]


@dataclass(frozen=True)
class CrossCoupling:
    """How strongly class and auxiliary logits share parameters, on the distillation inputs.

    Attributes:
        class_class, aux_aux, class_aux: Frobenius norms of the blocks of Theta.
        coupling: ``class_aux / sqrt(class_class aux_aux)`` in [0, 1]; 0: what an auxiliary logit teaches does not reach
            the class logits at first order.
    """

    class_class: float
    aux_aux: float
    class_aux: float
    coupling: float


def cross_coupling(problem: Problem) -> CrossCoupling:
    """Return the class-auxiliary block of Theta against the two diagonal ones.

    The coupling is at most 1: for a positive semi-definite matrix of blocks A, B, C, ||B||_F^2 <= ||A||_F ||C||_F,
    since B = A^1/2 K C^1/2 with ||K|| <= 1.

    Raises:
        InputError: if ``num_classes`` is not known, or there are no auxiliary logits.
    """
    parts: tuple[tuple[Outputs, Outputs], ...] = (("class", "class"), ("aux", "aux"), ("class", "aux"))
    sizes = [float(kernel_block(problem, *pair).norm()) for pair in parts]
    scale = (sizes[0] * sizes[1]) ** 0.5
    return CrossCoupling(sizes[0], sizes[1], sizes[2], sizes[2] / scale if scale else 0.0)


@dataclass(frozen=True, eq=False)
class TransferKernel:
    """Theta between the distilled outputs and those that the trait loss reads: where a trait step becomes transfer.

    With dT = -J_T^T r, r = dL_T/df on the trait inputs, everything of one student step is in this block:

        v = J dT = -Theta_OT r,   V = mean_n v_n^T M_n v_n,   a(eps) = -mean_n <v_n, dl/dz(f_base, f_teacher(eps))>

    Attributes:
        block: Theta_OT ``[n k, t c]``.
        slopes: r ``[t, c]``.
        outputs: the distilled outputs at the shared initialisation, ``[n, k]``.
        problem: whose.
    """

    problem: Problem
    block: Float[Tensor, "nk tc"]
    slopes: Float[Tensor, "t c"]
    outputs: Float[Tensor, "n k"]

    @property
    def v(self) -> Float[Tensor, "n k"]:
        """The change of the distilled outputs per eps, ``[n, k]``."""
        return -(self.block @ self.slopes.flatten()).view_as(self.outputs)

    @property
    def curvature(self) -> float:
        """V, in the NTK form."""
        return float(curvature_per_input(self._loss, self.outputs, self.v).mean())

    def alignment(self, eps: float) -> float:
        """Return the alignment at ``eps``, exact, in the NTK form."""
        with torch.no_grad():
            targets = self.problem.distilled(self.problem.teacher_params(eps))
        return -float((self.v * self._loss.output_gradient(self.outputs, targets)).sum(-1).mean())

    @property
    def _loss(self) -> Loss:
        return self.problem.distillation_loss


def transfer_kernel(problem: Problem) -> TransferKernel:
    """Return the block of Theta that turns the trait's slopes into the teacher's change of the distilled outputs.

    Raises:
        InputError: if the teacher's update is not minus the trait gradient, or the block has more than DENSE_LIMIT rows
            or columns.
    """
    trait = problem.trait_loss
    if trait is None or not problem.is_trait_step:
        raise InputError("teacher_update: expected minus the trait gradient for the kernel's form, got another update")
    base, inputs = problem.base_params, trait.inputs
    with torch.enable_grad():
        leaf = problem.outputs(base, inputs).detach().requires_grad_()
        (slopes,) = torch.autograd.grad(trait.value(leaf), leaf)
    # Only the columns that the trait loss reads matter.
    read = [at for at in range(slopes.shape[-1]) if bool(slopes[:, at].any())] or [0]
    block = kernel_block(problem, "distilled", read, column_inputs=inputs)
    with torch.no_grad():
        outputs = problem.distilled(base)
    return TransferKernel(problem, block, slopes[:, read].detach(), outputs)


def _detached(params: Params) -> Params:
    return {name: value.detach() for name, value in params.items()}
