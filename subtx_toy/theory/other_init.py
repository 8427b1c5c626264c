"""Students that do not start where the teacher did: perturbed and unrelated initialisations."""

from __future__ import annotations

import math

from scipy.special import ndtr

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
    return ggn_vector_product(problem, vectors.axpy(-1.0, perturbation, _scaled(problem.teacher_update, eps)))


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


def _scaled(update: Params, scale: float) -> Params:
    return {name: scale * value for name, value in update.items()}
