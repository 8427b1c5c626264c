"""How small eps has to be, in closed form: a range on which the alignment is positive (claim C8)."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from subtx_toy.problem.losses import Loss
from subtx_toy.problem.model import MLP
from subtx_toy.problem.problem import Problem
from subtx_toy.problem.sign_change import last_holding
from subtx_toy.theory.activations import no_bounds
from subtx_toy.theory.alignment import AlignmentRay
from subtx_toy.theory.ray_bounds import RayBounds, RayNorms


@dataclass(frozen=True)
class ClosedFormEps:
    """The alignment is positive for all eps in (0, ``eps``); None with the reason where no bound is known."""

    eps: float | None
    reason: str = ""


def closed_form_eps(problem: Problem) -> ClosedFormEps:
    """Return the largest E with E M(E) / 2 < V, where M bounds the second derivative of the alignment on [0, E].

    a(0) = 0 and a'(0) = V, so a(E) >= E V - E^2 M(E) / 2. For squared error M = mean_n ||v_n|| ||z_n''||; for kl
    with the oscillation osc = max - min, the covariance bound |Cov| <= osc osc / 4 and the same for the third
    cumulant, M = mean_n [osc(v) 2 ||z'||^2 / (4 tau^3) + osc(v) sqrt(2) ||z''|| / (4 tau^2)]. Infinite where the
    outputs are affine along the ray (claim C6). The bound holds in real arithmetic given v; the rounding of v and of
    V is a certificate's business.
    """
    reason = _obstacle(problem)
    if reason or not isinstance(problem.model, MLP):
        return ClosedFormEps(None, reason)
    model, ray = problem.model, AlignmentRay.of(problem)
    V = ray.curvature()
    if ray.floor(0.0) >= V:
        return ClosedFormEps(None, "the curvature V is zero to rounding: the alignment is not positive")

    norms = RayNorms.of(model, problem.base_params, problem.teacher_update, problem.inputs, columns=problem.columns)
    if not norms.bounds(1.0).second.any():
        return ClosedFormEps(math.inf)

    def holds(eps: float) -> bool:
        return eps * second_derivative_bound(problem.distillation_loss, ray.v, norms.bounds(eps)) / 2 < V

    return ClosedFormEps(last_holding(holds, halvings=40))  # E M(E) grows with E


def second_derivative_bound(loss: Loss, v: Float[Tensor, "n k"], ray: RayBounds) -> float:
    """Bound the second derivative of the alignment along the ray; ``squared_error`` and ``kl`` only."""
    if loss.name == "squared_error":
        return float((v.norm(dim=-1) * ray.second).mean())
    tau = loss.temperature
    osc = v.amax(-1) - v.amin(-1)
    cumulant = osc * 2 * ray.first**2 / (4 * tau**3)
    covariance = osc * math.sqrt(2) * ray.second / (4 * tau**2)
    return float(torch.mean(cumulant + covariance))


def _obstacle(problem: Problem) -> str:
    reason = no_bounds(problem)
    if reason:
        return reason
    if problem.distillation_loss.name not in ("squared_error", "kl"):
        return f"no bound is known for the distillation loss {problem.distillation_loss.name!r}"
    return ""
