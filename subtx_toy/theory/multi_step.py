"""Where a student stands after many steps, to leading order in eps: functions of G applied to the teacher's update.

Plain gradient descent of K steps of size student_lr, on the same inputs throughout:

    Delta_S(K) = eps h_K(G) dT + O(eps^2),   h_K(lambda) = 1 - (1 - student_lr lambda)^K

by induction over K: theta -> theta - student_lr grad L_S(theta; eps) is C^1 in (theta, eps), has the fixed point
(base, 0) and there the derivatives I - student_lr G and student_lr G dT. In the linearised model it is exact.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float
from scipy.linalg import eigh_tridiagonal
from torch import Tensor

from subtx_toy.errors import InputError
from subtx_toy.problem import derivatives
from subtx_toy.problem import params as vectors
from subtx_toy.problem.model import FastMLP
from subtx_toy.problem.problem import Problem
from subtx_toy.theory import linearization, perceptron
from subtx_toy.theory.curvature import ggn_operator
from subtx_toy.theory.error_polynomials import fraction
from subtx_toy.theory.lanczos import Tridiagonal, lanczos
from subtx_toy.theory.output_kernel import OutputKernel

Vector = Float[Tensor, " p"]
Function = Callable[[Float[np.ndarray, " q"]], Float[np.ndarray, " q"]]
Method = Literal["lanczos", "kernel", "steps"]

_FIRST, _LAST, _MOST = 16, 3, 512  # products with G: at first, those whose effect is the error, and the most
_AGREE = 1e-11  # relative: such an error ends the search


@dataclass(frozen=True, eq=False)
class Displacement:
    """A student's displacement ``[p]`` per unit eps, the error of the method in norm, and products with G it took."""

    value: Vector
    error: float
    num_products: int


def transferred_fractions(eigenvalues: Float[Tensor, " m"], num_steps: int, student_lr: float) -> Float[Tensor, " m"]:
    """Return h_K(lambda) = 1 - (1 - student_lr lambda)^K, what K steps transfer of each mode of G."""
    return torch.from_numpy(fraction(student_lr * eigenvalues.numpy(), num_steps))


def flow_fractions(eigenvalues: Float[Tensor, " m"], time: float) -> Float[Tensor, " m"]:
    """Return 1 - exp(-time lambda), what gradient flow transfers of each mode of G."""
    return -torch.expm1(-time * eigenvalues)


def predicted_displacement(
    problem: Problem, num_steps: int, *, student_lr: float | None = None, method: Method = "lanczos"
) -> Displacement:
    """Predict the displacement per unit eps after K steps of gradient descent, h_K(G) dT (claim C23).

    ``"lanczos"`` takes about 16 + 1.2 sqrt(K) products with G for student_lr lambda_max <= 1; ``"kernel"`` takes the
    eigenvectors of A A^T (see ``OutputKernel``); ``"steps"`` takes the K steps in the linearised model. The error of
    the last two is their rounding, given as 0.

    Raises:
        InputError: for no step, or a kernel that is too large.
    """
    if num_steps < 1:
        raise InputError(f"num_steps: expected an integer >= 1, got {num_steps!r}")
    rate = problem.student_lr if student_lr is None else student_lr
    dT, function = vectors.flatten(problem.teacher_update), _descended(rate, num_steps)
    if method == "kernel":
        kernel = OutputKernel(problem)
        return Displacement(kernel.applied(function, kernel.seen(dT)), 0.0, 0)
    product = ggn_operator(problem)
    if method == "steps":
        missing = dT
        for _ in range(num_steps):
            missing = missing - rate * product(missing)
        return Displacement(dT - missing, 0.0, num_steps)
    # A polynomial of degree sqrt(K) is near one of degree K.
    return by_lanczos(product, dT, function, num_products=_FIRST + int(1.2 * num_steps**0.5))


def _descended(rate: float, num_steps: int) -> Function:
    return lambda values: fraction(rate * values, num_steps)


def by_lanczos(
    product: Callable[[Vector], Vector], start: Vector, function: Function, *, num_products: int = _FIRST
) -> Displacement:
    """Return f(G) v by Lanczos, with more products until the last few change the answer by less than 1e-11 of ||v||.

    The error is that change. A polynomial of a degree below the number of products is exact; a function that grows, as
    (1 - x)^K does beyond x = 2, is approximated as badly as its values are large.
    """
    norm = float(start.norm())
    if not norm:
        return Displacement(torch.zeros_like(start), 0.0, 0)
    spent = 0
    while True:
        found = lanczos(product, start, num_products)
        size = len(found.diagonal)
        spent += size
        value = norm * _on_basis(found, function, size)
        gap = float((value - norm * _on_basis(found, function, max(size - _LAST, 1))).norm())
        if found.leak == 0 or size < num_products or gap <= _AGREE * norm or num_products >= _MOST:
            return Displacement(value, 0.0 if found.leak == 0 else gap, spent)
        num_products *= 2


def _on_basis(found: Tridiagonal, function: Function, size: int) -> Vector:
    # Q f(T) e_1 of the first vectors.
    values, columns = eigh_tridiagonal(found.diagonal[:size], found.off_diagonal[: size - 1])
    return found.basis[:size].T @ torch.from_numpy(columns @ (function(values) * columns[0]))


def displacement_toward(
    problem: Problem, changes: Float[Tensor, "n k"], num_steps: int, *, student_lr: float | None = None
) -> Vector:
    """Predict the displacement, with its eps, toward ANY change of the outputs, such as f_teacher - f_base.

    Delta_S = J^T w, w = Theta^-1 (I - (I - student_lr Theta / n)^K) changes for squared error: one eigenvalue problem
    of the kernel and one reverse pass. For changes J dT it is ``predicted_displacement``; for the true ones the
    linearised student learns what the real teacher does, and the sign of its alignment has no guarantee beyond O(eps).
    """
    kernel = OutputKernel(problem)
    rate = problem.student_lr if student_lr is None else student_lr
    return kernel.applied(_descended(rate, num_steps), kernel.seen_outputs(changes))


def change_of_outputs(problem: Problem, displacement: Vector, inputs: Tensor) -> Float[Tensor, "n k"]:
    """Return J(x') displacement for ANY inputs x', all outputs: what the linearised student says there."""
    move = vectors.unflatten(displacement, problem.base_params)
    if isinstance(problem.model, FastMLP):
        return perceptron.change_of_outputs(problem, move, inputs)
    found = derivatives.jacobian_product(partial(_outputs, problem, inputs), problem.base_params, move)
    return found[1]


def _outputs(problem: Problem, inputs: Tensor, params: vectors.Params) -> Tensor:
    return problem.outputs(params, inputs)


def batched_displacement(batches: Sequence[Problem], student_lrs: Sequence[float]) -> Vector:
    """Predict the displacement per unit eps of one step on each of these problems: (I - prod_k (I - lr_k G_k)) dT.

    Later factors stand on the left. The problems differ in their inputs. If every lr_k lambda_max(G_k) <= 2 no factor
    is longer than 1, so the alignment is >= 0 and the distance to the teacher never grows, in whatever order (claim
    C24).
    """
    dT = vectors.flatten(batches[0].teacher_update)
    missing = dT
    for problem, rate in zip(batches, student_lrs, strict=True):
        outputs, Jv = linearization.jacobian_product(problem, vectors.unflatten(missing, problem.base_params))
        MJv = problem.distillation_loss.hessian_product(outputs, outputs, Jv)
        missing = missing - rate * linearization.pulled_back(problem, MJv / len(MJv))
    return dT - missing


def decayed_fraction(values: Float[np.ndarray, " m"], num_steps: int, student_lr: float, decay: float) -> np.ndarray:
    """Return (1 - (1 - student_lr (lambda + decay))^K) lambda / (lambda + decay), for decay towards the shared init.

    It is >= 0 for student_lr (lambda + decay) <= 2 (claim C27).
    """
    return np.asarray(fraction(student_lr * (values + decay), num_steps) * values / (values + decay))
