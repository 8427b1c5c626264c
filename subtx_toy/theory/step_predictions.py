"""What one student step does, to leading order in eps; also from another initialisation or on sampled labels."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr

from subtx_toy.errors import InputError
from subtx_toy.problem import params as vectors
from subtx_toy.problem.params import Params
from subtx_toy.problem.problem import Problem
from subtx_toy.theory import linearization
from subtx_toy.theory.cosine import lambda_max
from subtx_toy.theory.curvature import curvature, ggn_vector_product
from subtx_toy.tolerances import MIN_RUNGS, REMAINDER_FLOOR


def predicted_student_update(problem: Problem, eps: float | None = None) -> Params:
    """Predict the student's update: eps G dT, with a remainder of order eps^2 (claim C4)."""
    eps = problem.eps if eps is None else eps
    return {name: eps * value for name, value in ggn_vector_product(problem, problem.teacher_update).items()}


def predicted_alignment(problem: Problem, eps: float | None = None) -> float:
    """Predict student_update . teacher_update = eps V + O(eps^2), V >= 0, for any teacher update (claim C1).

    Reference: Cloud et al. 2025, arXiv:2507.14805, Lemma 1.
    """
    return (problem.eps if eps is None else eps) * float(curvature(problem))


def predicted_trait_loss_change(problem: Problem, eps: float | None = None) -> float:
    """Predict the change of the trait loss by the student's step: -eps student_lr V + O(eps^2) (claim C3).

    Raises:
        InputError: if the teacher's update is not minus the trait gradient: then the sign is not settled.

    Reference: Cloud et al. 2025, arXiv:2507.14805, Theorem 1.
    """
    if not problem.is_trait_step:
        raise InputError("teacher_update: expected minus the trait gradient for C3, got another update")
    return -problem.student_lr * predicted_alignment(problem, eps)


@dataclass(frozen=True)
class DistancePrediction:
    """Step sizes of the student that bring it closer to the teacher, to leading order in eps (claim C1b).

    Closer for student_lr below the ``window`` 2 V / ||G dT||^2, further beyond it; up to the ``sufficient`` one,
    2 / lambda_max, the distillation loss falls as well. ``best_student_lr`` is V / ||G dT||^2 and leaves
    ``remaining_fraction`` = 1 - cosine^2 of the squared distance.
    """

    window: float
    sufficient: float
    best_student_lr: float
    remaining_fraction: float


def predicted_distance(problem: Problem) -> DistancePrediction:
    """Predict which student steps move toward the teacher; all infinite and fraction 1 where G dT = 0.

    Raises:
        InputError: if the curvature is beyond the range of float64.
    """
    norm = vectors.scaled_norm(ggn_vector_product(problem, problem.teacher_update))
    V, top = float(curvature(problem)), lambda_max(problem)
    sufficient = 2 / (top.value + top.residual) if top.value > 0 else math.inf
    if norm == 0:
        return DistancePrediction(math.inf, sufficient, math.inf, 1.0)
    cosine = V / norm / vectors.scaled_norm(problem.teacher_update)
    return DistancePrediction(2 * (V / norm / norm), sufficient, V / norm / norm, 1 - cosine**2)


def exact_distance_window(alignment: float, student_update_norm: float, eps: float) -> float:
    """Return the student_lr below which the student ends closer: 2 eps alignment / ||dS||^2, exact (claim C1b)."""
    return 2 * eps * alignment / student_update_norm**2 if student_update_norm else math.inf


def trait_loss_window(alignment: float, student_update_norm: float, smoothness: float) -> float:
    """Return a student_lr below which the trait loss falls: 2 alignment / (smoothness ||dS||^2) (claim C8).

    For a teacher update that is minus the trait gradient; ``smoothness`` bounds the trait loss's Hessian on the
    segment of the student's step.
    """
    return 2 * alignment / (smoothness * student_update_norm**2) if student_update_norm else math.inf


EPS_LADDER = tuple(2.0**-power for power in range(3, 13))
"""Step sizes 2^-3 ... 2^-12, for updates of norm about 1."""


@dataclass(frozen=True)
class FittedOrder:
    """The least-squares slope of log(value) against log(eps); infinite if too few rungs are above the rounding."""

    slope: float
    num_rungs: int


def remainder(problem: Problem, observed: Params, eps: float) -> tuple[float, float]:
    """Return ``||dS - eps G dT||`` and ``||dS||`` for an observed student update dS at ``eps``."""
    gap = vectors.difference(observed, predicted_student_update(problem, eps))
    return float(vectors.norm(gap)), float(vectors.norm(observed))


def fitted_order(
    eps: Sequence[float], values: Sequence[float], *, scales: Sequence[float] | None = None
) -> FittedOrder:
    """Fit the order of ``values`` in ``eps`` over the rungs above the rounding floor.

    The floor is REMAINDER_FLOOR times the largest of ``scales`` (by default of the values).

    >>> fitted_order([0.5, 0.25, 0.125, 0.0625], [0.25, 0.0625, 0.015625, 0.00390625]).slope.__round__(6)
    2.0
    """
    sizes = np.asarray(values, dtype=float)
    floor = REMAINDER_FLOOR * float(np.max(np.asarray(scales if scales is not None else sizes)))
    above = sizes > floor
    if above.sum() < MIN_RUNGS:
        return FittedOrder(float("inf"), int(above.sum()))
    slope = np.polyfit(np.log(np.asarray(eps)[above]), np.log(sizes[above]), 1)[0]
    return FittedOrder(float(slope), int(above.sum()))


def predicted_perturbed_update(problem: Problem, perturbation: Params, eps: float | None = None) -> Params:
    """Predict the update of a student at base + perturbation: G (eps dT - perturbation), second order left out.

    The perturbation has to be of order eps: 2 eps dT turns the alignment to -eps V (claim C14).
    """
    eps = problem.eps if eps is None else eps
    opposite = {name: -value for name, value in perturbation.items()}
    return ggn_vector_product(problem, vectors.axpy(eps, problem.teacher_update, opposite))


def probability_of_negative_alignment(problem: Problem, *, spread: float, eps: float | None = None) -> float:
    """Predict P(alignment < 0) = Phi(-eps V / (spread ||G dT||)) under a perturbation N(0, spread^2) per parameter.

    It tends to 1/2 where the perturbation is large against eps; nan where G dT = 0 (claim C14).
    """
    eps = problem.eps if eps is None else eps
    noise = spread * float(vectors.norm(ggn_vector_product(problem, problem.teacher_update)))
    return float(ndtr(-eps * float(curvature(problem)) / noise)) if noise else math.nan


def unshared_update(problem: Problem, student_init: Params) -> Params:
    """Predict the update of a student at an unrelated init as eps -> 0: -mean_n J'^T dl/dz(f_init, f_base).

    It holds neither eps nor dT, so its alignment has slope 0 in eps and no guaranteed sign (claim C13).

    Reference: Cloud et al. 2025, arXiv:2507.14805, remark on Theorem 1.
    """
    targets = linearization.base_outputs(problem)
    outputs = problem.distilled(student_init).detach()
    r = problem.distillation_loss.output_gradient(outputs, targets)
    return linearization.transposed_jacobian_product(problem, -r / len(r), at=student_init)


def probability_of_right_sign(problem: Problem, *, num_labels: int, eps: float | None = None) -> float:
    """Predict P(alignment > 0) = Phi(eps sqrt(num_labels V)) of one step on that many sampled labels."""
    step = problem.eps if eps is None else eps
    return float(ndtr(step * math.sqrt(num_labels * _softmax_curvature(problem))))


def labels_needed(problem: Problem, *, num_sigma: float, eps: float | None = None) -> float:
    """Predict the labels that put the mean alignment ``num_sigma`` standard deviations above 0: k^2 / (eps^2 V).

    It is k^2 / (2 KL) with KL the mean divergence of teacher and base on the inputs; infinite where V = 0.
    """
    step = problem.eps if eps is None else eps
    information = step**2 * _softmax_curvature(problem)
    return num_sigma**2 / information if information > 0 else math.inf


def _softmax_curvature(problem: Problem) -> float:
    loss = problem.distillation_loss
    if loss.formula != "kl":
        raise InputError(f"distillation_loss: expected kl, whose softmax the labels are drawn from, got {loss.name!r}")
    return float(curvature(problem))
