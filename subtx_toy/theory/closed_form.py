"""Ranges in closed form: of eps with a positive alignment, of student_lr with a falling trait loss.

Both stand on bounds on the first two derivatives of a perceptron's outputs along a ray of parameters.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from subtx_toy.problem.activation_bounds import ActivationBounds, LayerNorms, path_bounds
from subtx_toy.problem.losses import Loss
from subtx_toy.problem.model import MLP
from subtx_toy.problem.params import Params
from subtx_toy.problem.problem import Problem
from subtx_toy.problem.sign_change import last_holding
from subtx_toy.problem.stack import Array
from subtx_toy.problem.trait_loss import LabelledCrossEntropy, TargetedSquaredError
from subtx_toy.theory.activations import ACTIVATIONS, no_bounds
from subtx_toy.theory.alignment import AlignmentRay
from subtx_toy.theory.linearization import transposed_jacobian_product
from subtx_toy.theory.taylor.ranges import aligned_eps, falling_step

_SLACK = 1 + 1e-10  # covers the rounding of a layer's sums of positive terms: under 1e5 operations of 1.1e-16 each
_HALVINGS = 12  # the end of a range of student_lr is 1 - 2^-12 of the crossing or more


class RayBounds(NamedTuple):
    """Bounds over s in [0, eps] on ||z'(s)|| and ||z''(s)|| of the distilled outputs, per input."""

    first: Float[np.ndarray, "*s n"]
    second: Float[np.ndarray, "*s n"]


@dataclass(frozen=True)
class RayNorms:
    """What the bounds need of a model, its ray base + s direction and its inputs, at every eps.

    ``limits`` are those of the activation, and of no account for a net without hidden layers.
    """

    layers: list[LayerNorms]
    limits: ActivationBounds
    input_norms: Float[np.ndarray, " n"]

    @classmethod
    def of(
        cls, model: MLP, base: Params, direction: Params, inputs: Float[Tensor, "n d"], *, columns: slice | list[int]
    ) -> RayNorms:
        """Take the norms; of the last layer the rows of ``columns`` count."""
        known = ACTIVATIONS.get(model.activation.name)
        if known is None and model.num_layers > 1:
            raise ValueError(f"activation: expected one of {sorted(ACTIVATIONS)}, got {model.activation.name!r}")
        layers = []
        for layer in range(model.num_layers):
            rows = columns if layer == model.num_layers - 1 else slice(None)
            (W, b), (G, c) = (
                (params[f"layers.{layer}.weight"].numpy()[rows], params[f"layers.{layer}.bias"].numpy()[rows])
                for params in (base, direction)
            )
            layers.append(LayerNorms(_operator_norm(W), math.sqrt(b @ b), _operator_norm(G), math.sqrt(c @ c), len(W)))
        return cls(
            layers, known.bounds if known else ActivationBounds(1.0, 0.0), np.linalg.norm(inputs.numpy(), axis=-1)
        )

    def bounds(self, eps: float | Float[np.ndarray, "s 1"]) -> RayBounds:
        """Bound the outputs' derivatives for s in [0, eps], layer by layer; see ``path_bounds``."""
        return RayBounds(*path_bounds(self.layers, self.limits, self.input_norms, eps, slack=_SLACK))


def _operator_norm(matrix: Float[np.ndarray, "o i"]) -> float:
    # min(Frobenius, sqrt(1-norm inf-norm)): an upper bound without an eigenvalue computation.
    sizes = np.abs(matrix)
    return math.sqrt(min(np.vdot(matrix, matrix), sizes.sum(0).max() * sizes.sum(1).max()))


@dataclass(frozen=True)
class ClosedFormEps:
    """The alignment is positive for all eps in (0, ``eps``); None with the reason where no bound is known."""

    eps: float | None
    reason: str = ""


def closed_form_eps(problem: Problem, ray: AlignmentRay | None = None) -> ClosedFormEps:
    """Return the largest E with E M(E) / 2 < V, where M bounds the second derivative of the alignment on [0, E].

    a(0) = 0 and a'(0) = V, so a(E) >= E V - E^2 M(E) / 2. For squared error M = mean_n ||v_n|| ||z_n''||; for kl
    with the oscillation osc = max - min, the covariance bound |Cov| <= osc osc / 4 and the same for the third
    cumulant, M = mean_n [osc(v) 2 ||z'||^2 / (4 tau^3) + osc(v) sqrt(2) ||z''|| / (4 tau^2)]. Infinite where the
    outputs are affine along the ray (claim C6). The bound holds in real arithmetic given v; the rounding of v and of
    V is a certificate's business.

    Of any other model the second derivative is enclosed over [0, E] through the operations that it runs, see
    ``taylor.ranges.aligned_eps``; of a module with ReLU, LeakyReLU or abs up to its first kink. A perceptron of the
    package with a kink has no bound here.
    """
    loss = problem.distillation_loss
    unknown = "" if loss.formula else f"no bound is known for the distillation loss {loss.name!r}"
    kinked = isinstance(problem.model, MLP) and not problem.model.activation.smooth and no_bounds(problem)
    if unknown or kinked:
        return ClosedFormEps(None, unknown or str(kinked))
    model, ray = problem.model, ray or AlignmentRay.of(problem)
    V, v = ray.curvature(), ray.v.numpy()
    if not ray.floor(0.0) < V:
        return ClosedFormEps(None, "the curvature V is zero to rounding: the alignment is not positive")
    if no_bounds(problem) or not isinstance(model, MLP):
        proved = aligned_eps(problem, ray.v, V)
        return ClosedFormEps(proved.end, proved.reason)

    norms = RayNorms.of(model, problem.base_params, problem.teacher_update, problem.inputs, columns=problem.columns)
    if not norms.bounds(1.0).second.any():
        return ClosedFormEps(math.inf)

    def holds(eps: Array) -> np.ndarray:
        bound = second_derivative_bound(problem.distillation_loss, v, norms.bounds(eps[:, None]))
        return np.asarray(eps * bound / 2 < V)

    return ClosedFormEps(last_holding(holds, halvings=40))  # E M(E) grows with E


def second_derivative_bound(loss: Loss, v: Float[np.ndarray, "n k"], ray: RayBounds) -> Float[np.ndarray, "*s"]:
    """Bound the second derivative of the alignment along the ray; ``squared_error`` and ``kl`` only."""
    if loss.formula == "squared_error":
        return np.asarray((np.sqrt(np.vecdot(v, v)) * ray.second).mean(-1))
    tau = loss.temperature
    osc = v.max(-1) - v.min(-1)
    cumulant = osc * 2 * ray.first**2 / (4 * tau**3)
    covariance = osc * math.sqrt(2) * ray.second / (4 * tau**2)
    return np.asarray((cumulant + covariance).mean(-1))


@dataclass(frozen=True)
class TraitRange:
    """The trait loss falls for all student_lr in (0, ``student_lr``]; None with the reason where no bound is known."""

    student_lr: float | None
    reason: str = ""


def falling_student_lr(problem: Problem, eps: float | None = None, ray: AlignmentRay | None = None) -> TraitRange:
    """Return the largest E with E beta(E) ||dS||^2 < 2 a(eps), at ``eps``, by default the problem's own.

    With dT = -g the slope of the trait loss L along dS is g . dS = -a(eps), and beta(E) bounds its second derivative
    on the segment from the init to init + E dS, over ||dS||^2, so

        L(init + s dS) <= L(init) - s a + s^2 beta(E) ||dS||^2 / 2      for s in [0, E]

    that is, it falls whenever student_lr eps < 2 (a / eps) / (beta ||dS / eps||^2). As eps -> 0 the right-hand side
    tends to 2 V / (beta ||G dT||^2), which is 2 / (beta lambda_max(G)) or more. The bound is on the line of dS alone,
    which is less than beta-smoothness in every direction and suffices; ``TraitBend`` gives it, and of other models or
    trait losses ``taylor.ranges.falling_step``. It holds in real arithmetic given dS and a.
    """
    eps = problem.eps if eps is None else eps
    if problem.trait_loss is None:
        return TraitRange(None, "the problem has no trait loss")
    ray = ray or AlignmentRay.of(problem)
    alignment = ray.alignment(eps)
    if not alignment > ray.floor(eps):
        return TraitRange(None, f"the alignment {alignment:.3g} at eps = {eps:.3g} is not positive beyond rounding")
    slopes = problem.distillation_loss.output_gradient(ray.outputs, ray.targets(eps))
    dS = transposed_jacobian_product(problem, -slopes / len(slopes))
    if _trait_obstacle(problem):
        proved = falling_step(problem, dS, alignment)
        return TraitRange(proved.end, proved.reason)
    bend = TraitBend.of(problem, dS)

    def holds(student_lr: Array) -> np.ndarray:
        return np.asarray(student_lr * bend.bound(student_lr[:, None]) < 2 * alignment)

    return TraitRange(last_holding(holds, halvings=_HALVINGS))  # the left-hand side grows with student_lr


@dataclass(frozen=True, eq=False)
class TraitBend:
    """Bounds the second derivative of the trait loss on the ray base + s direction, from norms of the columns it reads.

    ``gap`` is ||z - y|| at the base, per trait input, for squared error on targets; None for cross-entropy on labels.
    """

    norms: RayNorms
    gap: Float[np.ndarray, " n"] | None

    @classmethod
    def of(cls, problem: Problem, direction: Params) -> TraitBend:
        """Take the norms of the ray along ``direction``."""
        reason, trait = _trait_obstacle(problem), problem.trait_loss
        if reason or trait is None or not isinstance(problem.model, MLP):
            raise ValueError(f"problem: expected one whose trait loss has a known bound, but {reason}")
        loss = trait.value
        assert isinstance(loss, LabelledCrossEntropy | TargetedSquaredError)
        norms = RayNorms.of(problem.model, problem.base_params, direction, trait.inputs, columns=loss.columns)
        if isinstance(loss, LabelledCrossEntropy):
            return cls(norms, None)
        with torch.no_grad():
            z = problem.outputs(problem.base_params, trait.inputs)[:, loss.columns]
        return cls(norms, (z - loss.targets).norm(dim=-1).numpy())

    def bound(self, reach: float | Float[np.ndarray, "s 1"]) -> Float[np.ndarray, "*s"]:
        """Bound the second derivative for s in [0, ``reach``].

        With bounds on ||z'|| and ||z''|| of the columns that the trait loss reads, per input, and their mean,

            squared error   ||z'||^2 + (||z - y|| + reach ||z'||) ||z''||      z at the base
            cross-entropy   ||z'||^2 / 2 + sqrt(2) ||z''||

        since diag(p) - p p^T <= 1/2 and ||p - onehot|| <= sqrt(2).
        """
        ray = self.norms.bounds(reach)
        if self.gap is None:
            return np.asarray((ray.first**2 / 2 + math.sqrt(2) * ray.second).mean(-1))
        return np.asarray((ray.first**2 + (self.gap + reach * ray.first) * ray.second).mean(-1))


def _trait_obstacle(problem: Problem) -> str:
    value = problem.trait_loss and problem.trait_loss.value
    known = isinstance(value, LabelledCrossEntropy | TargetedSquaredError)
    unknown = "no bound is known for this trait loss, only for cross-entropy on labels and squared error on targets"
    return no_bounds(problem) or ("" if known else unknown)
