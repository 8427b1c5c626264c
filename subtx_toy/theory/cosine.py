"""Spectrum of G without building it, and the cosine of the updates as eps -> 0 with its lower bounds (claim C7)."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from subtx_toy.errors import InputError
from subtx_toy.problem import params as vectors
from subtx_toy.problem.problem import Problem
from subtx_toy.seeding import generator
from subtx_toy.stats import Estimate, estimate
from subtx_toy.theory.curvature import curvature, dense_ggn, ggn_operator, ggn_vector_product

_OVERFLOWS = "problem: expected a curvature that float64 can hold, got one that overflows; rescale the problem"
_SMALLEST_FOR_LANCZOS = 16  # below, scipy's eigsh has no room for its 20 Krylov vectors; the dense matrix is exact


@dataclass(frozen=True)
class Eigenvalue:
    """The Rayleigh quotient of a unit vector x, so never above the largest eigenvalue of a symmetric matrix.

    ``residual`` is ``||G x - value x||``; some eigenvalue lies within it of ``value``.
    """

    value: float
    residual: float


def lambda_max(problem: Problem) -> Eigenvalue:
    """Return the largest eigenvalue of G: Lanczos from a fixed random start, to rounding.

    Raises:
        InputError: if G has entries that float64 cannot hold.

    Reference: Lehoucq et al. 1998, ARPACK Users' Guide.
    """
    size = sum(value.numel() for value in problem.base_params.values())
    if size < _SMALLEST_FOR_LANCZOS:
        G = dense_ggn(problem)
        if not bool(torch.isfinite(G).all()):
            raise InputError(_OVERFLOWS)
        return Eigenvalue(max(0.0, float(torch.linalg.eigvalsh(G)[-1])), 0.0)
    product = ggn_operator(problem)

    def matvec(vector: np.ndarray) -> np.ndarray:
        return product(torch.from_numpy(np.ascontiguousarray(vector.reshape(-1)))).numpy()

    start = generator(0, "lambda_max").standard_normal(size)
    first = matvec(start)
    if not np.isfinite(first).all():
        raise InputError(_OVERFLOWS)
    if not first.any():
        return Eigenvalue(0.0, 0.0)  # a random vector is in the null space of the zero matrix only
    from scipy.sparse.linalg import LinearOperator, eigsh  # slow to load

    operator = LinearOperator((size, size), matvec=matvec, dtype=np.float64)
    values, columns = eigsh(operator, k=1, which="LA", v0=start)
    top = columns[:, 0]
    return Eigenvalue(float(values[0]), float(np.linalg.norm(matvec(top) - values[0] * top)))


@dataclass(frozen=True)
class Traces:
    """Traces of G and of G^2, and the effective rank (tr G)^2 / tr G^2; a standard error is 0 where a value is exact.

    The estimated effective rank is a ratio of means: its error is by the delta method, its bias of order 1/num_samples.
    """

    trace: Estimate
    trace_of_square: Estimate
    effective_rank: Estimate


def exact_traces(problem: Problem) -> Traces:
    """Return the traces from the dense matrix (see ``dense_ggn``)."""
    G = dense_ggn(problem)
    trace, square = float(G.trace()), float((G * G).sum())
    return Traces(*(Estimate(value, 0.0, 1) for value in (trace, square, trace**2 / square if square else 0.0)))


def estimated_traces(problem: Problem, *, num_samples: int = 64, seed: int = 0) -> Traces:
    """Estimate the traces from ``num_samples`` products with random signs z: E z^T G z and E ||G z||^2.

    The sample size is fixed beforehand; nothing is drawn until it agrees.

    Reference: Hutchinson 1989, Commun. Stat. Simul. Comput. 18, 1059-1076.
    """
    size = sum(value.numel() for value in problem.base_params.values())
    rng, product = generator(seed, "traces"), ggn_operator(problem)
    first, second = [], []
    for _ in range(num_samples):
        z = torch.from_numpy(rng.choice([-1.0, 1.0], size))
        Gz = product(z)
        first.append(float(z @ Gz))
        second.append(float(Gz @ Gz))
    trace, square = estimate(first), estimate(second)
    if square.mean == 0:
        return Traces(trace, square, Estimate(0.0, 0.0, num_samples))
    rank = trace.mean**2 / square.mean
    # d rank = rank (2 dT / T - dS / S), and the samples of T and S are paired.
    influence = 2 * np.asarray(first) / trace.mean - np.asarray(second) / square.mean
    spread = float(np.std(influence, ddof=1)) / num_samples**0.5
    return Traces(trace, square, Estimate(rank, rank * spread, num_samples))


def expected_random_cosine(traces: Traces, num_params: int) -> float:
    """Return sqrt(r_eff / p), the cosine of G u and u that a random direction u is expected to have (claim C7)."""
    return math.sqrt(traces.effective_rank.mean / num_params)


def predicted_cosine(problem: Problem) -> float:
    """Predict cos(dS, dT) -> V / (||G dT|| ||dT||) as eps -> 0; nan where G dT = 0 or overflows."""
    dT = problem.teacher_update
    G_dT, length = vectors.scaled_norm(ggn_vector_product(problem, dT)), vectors.scaled_norm(dT)
    return float(curvature(problem)) / G_dT / length if G_dT > 0 and length > 0 else math.nan


def rayleigh_bound(problem: Problem, top: Eigenvalue | None = None) -> float:
    """Bound the cosine from below by sqrt(R / lambda_max), R = V / ||dT||^2: from ||G dT||^2 <= lambda_max V."""
    top = lambda_max(problem) if top is None else top
    R = float(curvature(problem) / vectors.inner(problem.teacher_update, problem.teacher_update))
    ceiling = top.value + top.residual
    return math.sqrt(R / ceiling) if ceiling > 0 else 0.0


@dataclass(frozen=True)
class KantorovichBound:
    """cos >= ``value`` = mass * 2 sqrt(condition) / (1 + condition) on the ``num_modes`` leading modes of G.

    ``mass`` is the norm of the teacher's update within those modes, over its whole norm; ``condition`` the largest over
    the smallest eigenvalue of the modes.
    """

    value: float
    mass: float
    condition: float
    num_modes: int


def kantorovich_bound(problem: Problem) -> KantorovichBound:
    """Bound the cosine from below by Kantorovich's inequality on the modes that dT excites.

    The inequality holds on every set {lambda >= t}: dropping the modes below t only lowers V / ||G dT||, since there
    (G dT)^2 <= t V and on the modes kept (G dT)^2 >= t V. So the largest over all t is returned, and where the null
    space begins needs no tolerance. For models with a dense G (see ``dense_ggn``).

    Reference: Kantorovich 1948, Uspekhi Mat. Nauk 3(6), 89-185.
    """
    values, vectors_ = torch.linalg.eigh(dense_ggn(problem))
    components = vectors_.T @ vectors.flatten(problem.teacher_update)
    return largest_kantorovich(values, components)


def largest_kantorovich(eigenvalues: Float[Tensor, " p"], components: Float[Tensor, " p"]) -> KantorovichBound:
    """Return the best bound for a vector of these ``components`` along modes of these ``eigenvalues``."""
    order = torch.argsort(eigenvalues, descending=True)
    values, energy = eigenvalues[order], components[order] ** 2
    # Modes above all that the vector excites do not count; a component at rounding level is none.
    # An eigenvalue at rounding level is left out with the modes below it, which only lowers the bound.
    finfo_eps = torch.finfo(energy.dtype).eps
    excited = (energy > finfo_eps**2 * energy.sum()) & (values > finfo_eps * values[0]) & (values > 0)
    if not excited.any():
        return KantorovichBound(0.0, 0.0, math.inf, 0)
    condition = values[excited][0] / values[excited]
    mass = (energy[excited].cumsum(0) / energy.sum()).sqrt()
    bounds = mass * 2 * condition.sqrt() / (1 + condition)
    best = int(bounds.argmax())
    return KantorovichBound(float(bounds[best]), float(mass[best]), float(condition[best]), best + 1)
