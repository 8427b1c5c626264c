"""Numbers at the student's start that rank how much of a trait will be transferred, without training a student.

All are cosines with the teacher's displacement Delta = theta_T - theta_S, so they need a trained teacher: nothing here
can be had before the teacher is trained.
"""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor

from subtx_toy.problem import params as vectors
from subtx_toy.problem.params import Params
from subtx_toy.problem.problem import Problem
from subtx_toy.theory.curvature import ggn_vector_product
from subtx_toy.theory.linearization import base_outputs, teacher_outputs, transposed_jacobian_product


def first_update(problem: Problem) -> Params:
    """Return dS = -grad of the distillation loss at ``base_params``: mean over inputs, sum over outputs.

    The teacher stands at ``base_params + eps * teacher_update``; nothing is linearised.
    """
    z, y = base_outputs(problem), teacher_outputs(problem, [problem.eps])[0]
    r = problem.distillation_loss.output_gradient(z, y)
    return transposed_jacobian_product(problem, -r / len(z))


def one_point_predictors(problem: Problem) -> dict[str, float]:
    """Return the cosines of three first moves with ``teacher_update``, each in [-1, 1]; nan where a move is zero.

    ``coverage``: of dS (Madl 2026, arXiv:2606.22019). ``sign_coverage``: of the sign of dS, which is Adam's first step
    up to its eps. ``curvature_cosine``: of G dT, the limit of ``coverage`` as eps goes to 0 (claim C7).

    ``base_params`` is where the student starts. Cost: one forward-mode and two reverse-mode passes.
    """
    dT = vectors.flatten(problem.teacher_update)
    dS = vectors.flatten(first_update(problem))
    GdT = vectors.flatten(ggn_vector_product(problem, problem.teacher_update))
    return {
        "coverage": _cosine(dS, dT),
        "sign_coverage": _cosine(torch.sign(dS), dT),
        "curvature_cosine": _cosine(GdT, dT),
    }


def _cosine(a: Float[Tensor, " p"], b: Float[Tensor, " p"]) -> float:
    size = float(a.norm() * b.norm())
    return float(a @ b) / size if size else math.nan
