"""One label an input, sampled from the teacher: how many it takes until the step's sign is right (claim C16).

The expected update is that of ``kl``; the noise of one label has variance V_n = v_n^T M_n v_n along dT, the very
number that makes the signal eps V. One step only: nothing here speaks of trained students.
"""

from __future__ import annotations

import math

from scipy.special import ndtr

from subtx_toy.errors import InputError
from subtx_toy.problem.problem import Problem
from subtx_toy.theory.curvature import curvature


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
    if problem.distillation_loss.name != "kl":
        name = problem.distillation_loss.name
        raise InputError(f"distillation_loss: expected kl, whose softmax the labels are drawn from, got {name!r}")
    return float(curvature(problem))
