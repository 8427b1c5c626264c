"""Students outside the claims: another initialisation, and sampled labels."""

from __future__ import annotations

import math

from scipy.special import ndtr

from subtx_toy.errors import InputError
from subtx_toy.problem import params as vectors
from subtx_toy.problem.params import Params
from subtx_toy.problem.problem import Problem
from subtx_toy.theory import linearization
from subtx_toy.theory.curvature import curvature, ggn_vector_product


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
    name = problem.distillation_loss.name
    if name != "kl":
        raise InputError(f"distillation_loss: expected kl, whose softmax the labels are drawn from, got {name!r}")
    return float(curvature(problem))
