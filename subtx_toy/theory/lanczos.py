"""Lanczos's iteration with G: its largest eigenvalues with their errors, and the measure that dT has on its spectrum.

Nothing of size [p, p] is built. One step costs one product with G, and memory for one vector ``[p]``.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from subtx_toy.errors import InputError
from subtx_toy.problem import params as vectors
from subtx_toy.problem.problem import Problem
from subtx_toy.seeding import generator
from subtx_toy.theory.curvature import ggn_operator

MAX_KEPT = 2**26
"""Numbers of a Krylov basis, 512 MiB in float64: with a million parameters 67 steps."""

_INVARIANT = 1e-13  # of the largest eigenvalue: what is left of a vector then is rounding, and the space is complete
_FAILURE = 1e-6

Product = Callable[[Float[Tensor, " p"]], Float[Tensor, " p"]]


@dataclass(frozen=True, eq=False)
class Tridiagonal:
    """A symmetric matrix on the Krylov space of a vector: T = Q^T A Q.

    Attributes:
        diagonal: of T, ``[m]``.
        off_diagonal: of T, ``[m - 1]``.
        leak: ``||(A Q - Q T) e_m||``; 0 where the space is invariant.
        basis: Q^T, orthonormal rows, ``[m, p]``.
    """

    diagonal: Float[np.ndarray, " m"]
    off_diagonal: Float[np.ndarray, " m_1"]
    leak: float
    basis: Float[Tensor, "m p"]

    def eigen(self) -> tuple[Float[np.ndarray, " m"], Float[np.ndarray, "m m"]]:
        """Return the eigenvalues of T, ascending, and its eigenvectors as columns."""
        from scipy.linalg import eigh_tridiagonal  # slow to load

        values, columns = eigh_tridiagonal(self.diagonal, self.off_diagonal)
        return values, columns


def lanczos(product: Product, start: Float[Tensor, " p"], num_steps: int, *, accuracy: float = 0.0) -> Tridiagonal:
    """Run Lanczos's iteration from ``start``, each vector orthogonalised twice against all before.

    It ends early where the Krylov space is invariant, at MAX_KEPT numbers of the basis, or where the residual of the
    largest eigenvalue is at most ``accuracy`` times it.

    Raises:
        InputError: if ``start`` is zero.

    Reference: Lanczos 1950, J. Res. NBS 45, 255-282; reorthogonalised as in Parlett 1998, section 13.8.
    """
    size = float(start.norm())
    if not size > 0:
        raise InputError("start: expected a vector that is not zero, got zero")
    num_steps = min(num_steps, len(start), max(2, MAX_KEPT // len(start)))
    basis = torch.zeros(num_steps, len(start), dtype=start.dtype)
    basis[0] = start / size
    diagonal: list[float] = []
    off_diagonal: list[float] = []
    for step in range(num_steps):
        image = product(basis[step])
        diagonal.append(float(image @ basis[step]))
        known = basis[: step + 1]
        for _ in range(2):
            image = image - known.T @ (known @ image)
        leak = float(image.norm())
        done = leak <= _INVARIANT * max(abs(max(diagonal)), *off_diagonal, 0.0)
        found = Tridiagonal(np.array(diagonal), np.array(off_diagonal), 0.0 if done else leak, known)
        if done or step + 1 == num_steps:
            break
        if accuracy and step % 4 == 3:
            values, columns = found.eigen()
            if leak * abs(columns[-1, -1]) <= accuracy * values[-1]:
                break
        off_diagonal.append(leak)
        basis[step + 1] = image / leak
    return found


@dataclass(frozen=True)
class LeadingEigenvalues:
    """The largest eigenvalues of a positive semi-definite matrix by Lanczos's iteration, with their errors.

    Attributes:
        values: descending, in the units of the matrix; the i-th is never above the i-th eigenvalue, but for rounding.
        residuals: ``||A x - value x||`` of unit vectors x, computed from products with A; an eigenvalue of A lies
            within each of its value.
        upper: no eigenvalue exceeds it, but with probability ``failure`` over the random start.
        failure: that probability.
        num_products: products with A that were needed.
    """

    values: tuple[float, ...]
    residuals: tuple[float, ...]
    upper: float
    failure: float
    num_products: int


def relative_gap(size: int, num_steps: int, failure: float = _FAILURE) -> float:
    """Return the r with lambda_max <= value / (1 - r) but with probability ``failure``; 1 if that says nothing.

    For a positive semi-definite matrix of ``size`` rows and ``num_steps`` steps of Lanczos from a direction that is
    uniform on the sphere, P(lambda_max - value > r lambda_max) <= 1.648 sqrt(size) exp(-sqrt(r) (2 num_steps - 1)).
    It says nothing of the spectrum; the residual is usually far smaller.

    Reference: Kuczynski & Wozniakowski 1992, SIAM J. Matrix Anal. Appl. 13, 1094-1122, Theorem 4.2.

    >>> relative_gap(10**6, 50) < 0.05
    True
    """
    return min(1.0, (math.log(1.648 * math.sqrt(size) / failure) / (2 * num_steps - 1)) ** 2)


def leading_eigenvalues(
    problem: Problem, num: int = 1, *, num_steps: int = 60, accuracy: float = 0.0, seed: int = 0
) -> LeadingEigenvalues:
    """Return the ``num`` largest eigenvalues of G with their errors, from products with G alone.

    It stops before ``num_steps`` once the first eigenvalue's residual is at most ``accuracy`` times it, if ``num`` is
    1; that is quicker, and leaves ``upper`` larger. A million parameters take the memory of MAX_KEPT.

    Raises:
        InputError: if the problem is not in float64.

    Reference: Paige 1972, J. Inst. Maths Applics 10, 373-381; the bound ``upper``: see ``relative_gap``.
    """
    size = sum(value.numel() for value in problem.base_params.values())
    product = ggn_operator(problem)
    start = torch.from_numpy(generator(seed, "leading_eigenvalues").standard_normal(size))
    found = lanczos(product, start, num_steps, accuracy=accuracy if num == 1 else 0.0)
    values, columns = found.eigen()
    kept = range(len(values) - 1, max(-1, len(values) - 1 - num), -1)
    residuals = []
    for at in kept:
        x = torch.from_numpy(np.ascontiguousarray(columns[:, at])) @ found.basis
        residuals.append(float((product(x) - values[at] * x).norm()))
    gap = relative_gap(size, len(values)) if found.leak else 0.0
    top = max(float(values[-1]), 0.0)
    return LeadingEigenvalues(
        tuple(max(float(values[at]), 0.0) for at in kept),
        tuple(residuals),
        top / (1 - gap) if gap < 1 else math.inf,
        _FAILURE if found.leak else 0.0,
        len(values) + len(residuals),
    )


def teacher_measure(problem: Problem, *, num_steps: int = 12) -> tuple[Float[Tensor, " m"], Float[Tensor, " m"]]:
    """Return points, ascending, and components of a measure that stands for that of dT on the spectrum of G.

    It is the Gauss quadrature of ``num_steps`` steps of Lanczos from dT: ``sum points^i components^2`` is
    ``dT^T G^i dT`` for every i < 2 m. So ||dT||^2, V and ||G dT||^2 are exact from m = 2 on, and an inequality between
    those of any measure, such as Rayleigh's or Kantorovich's, holds with these points in place of the eigenvalues,
    converged or not. The largest point is never above the largest eigenvalue.

    Raises:
        InputError: if the teacher's update is zero, or the problem not in float64.

    Reference: Golub & Meurant 1994, Matrices, moments and quadrature.
    """
    dT = vectors.flatten(problem.teacher_update)
    values, columns = lanczos(ggn_operator(problem), dT, num_steps).eigen()
    order = np.argsort(values)
    # The measure lives on [0, inf): a point below is rounding.
    points = torch.from_numpy(np.clip(values[order], 0.0, None))
    return points, torch.from_numpy(np.abs(columns[0, order])) * dT.norm()
