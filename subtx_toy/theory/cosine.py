"""The cosine of student and teacher updates as eps -> 0, and lower bounds on it (claim C7)."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from subtx_toy.problem import params as vectors
from subtx_toy.problem.problem import Problem
from subtx_toy.theory.curvature import curvature, dense_ggn, ggn_vector_product
from subtx_toy.theory.spectrum import Eigenvalue, lambda_max


def predicted_cosine(problem: Problem) -> float:
    """Predict cos(dS, dT) -> V / (||G dT|| ||dT||) as eps -> 0; nan where G dT = 0."""
    dT = problem.teacher_update
    scale = vectors.norm(ggn_vector_product(problem, dT)) * vectors.norm(dT)
    return float(curvature(problem) / scale) if scale > 0 else math.nan


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
