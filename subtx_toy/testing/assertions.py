"""The one-step claims as assertions with a name, on any ``Problem`` and for any student.

Each takes ``student``, what computes the student's update dS at an eps: plain gradient descent of this package by
default, or the step of your own training code. Models have to be smooth: the claims are silent on kinks. A message
gives what was predicted, what was observed, and observed / predicted.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch

from subtx_toy.claims.vocabulary.evidence import UNIT_ROUNDOFF
from subtx_toy.errors import InputError
from subtx_toy.problem import params as vectors
from subtx_toy.problem.params import Params
from subtx_toy.problem.problem import Problem
from subtx_toy.seeding import generator
from subtx_toy.testing.limits import limit_at_zero
from subtx_toy.testing.observed import Observed, StudentStep
from subtx_toy.theory.curvature import dense_ggn, ggn_vector_product
from subtx_toy.theory.linearization import dense_jacobian
from subtx_toy.theory.remainder import fitted_order
from subtx_toy.tolerances import FP64_FORMULA, HESSIAN_TERMS_UNITS, MIN_RUNGS, REMAINDER_ORDER
from subtx_toy.training.gradient_step import student_step

_LADDER = tuple(2.0**-power for power in range(3, 17))  # of 1 / ||dT||
_NUM_ASYMPTOTIC = 6


def assert_aligned_to_first_order(problem: Problem, *, student: StudentStep = student_step) -> None:
    """Claim C1: dS . dT = eps V + O(eps^2) with V = dT^T G dT, so (dS . dT) / eps -> V as eps -> 0."""
    seen = Observed(problem, student)
    V = seen.ray.curvature()
    _assert_limit(seen, "alignment / eps", lambda eps: seen.alignment(eps) / eps, predicted=V,
                  noise=lambda eps: seen.alignment_rounding(eps) / eps)  # fmt: skip


def assert_alignment_is_exact(problem: Problem, *, student: StudentStep = student_step) -> None:
    """Claim C5: at every eps, dS . dT = -mean_n <J_n dT, dl/dz(f_base(x_n), f_teacher(x_n))>, up to rounding."""
    seen = Observed(problem, student)
    for eps in (seen.scale / 4**rung for rung in range(6)):
        predicted, observed = seen.ray.alignment(eps), seen.alignment(eps)
        if not math.isfinite(seen.alignment_rounding(eps)):
            raise AssertionError(f"alignment at eps = {eps:.3g}: rounding has no bound, so nothing can be asserted")
        if not abs(observed - predicted) <= seen.alignment_rounding(eps):
            raise AssertionError(_message(f"alignment at eps = {eps:.3g}", predicted, observed))


def assert_dichotomy(problem: Problem, *, degenerate: bool = False, student: StudentStep = student_step) -> None:
    """Claim C2: the alignment is zero at EVERY eps, or positive at all small ones.

    A degenerate problem, V = 0, is built and not detected, so you say which half to assert. Without ``degenerate``,
    an alignment within rounding of zero at every eps is undecided and passes.
    """
    seen = Observed(problem, student)
    ladder = [seen.scale * rung for rung in (1.0, *_LADDER)]
    if degenerate:
        for eps in ladder:
            if not abs(seen.alignment(eps)) <= seen.alignment_rounding(eps):
                raise AssertionError(_message(f"alignment at eps = {eps:.3g}", 0.0, seen.alignment(eps)))
        return
    decided = [eps for eps in ladder if not abs(seen.alignment(eps)) <= seen.alignment_rounding(eps)]
    for eps in decided[-MIN_RUNGS:]:
        if not seen.alignment(eps) > 0:
            expected = seen.ray.alignment(eps)
            raise AssertionError(_message(f"alignment at eps = {eps:.3g}, expected > 0", expected, seen.alignment(eps)))


def assert_remainder_is_second_order(problem: Problem, *, student: StudentStep = student_step) -> None:
    """Claim C4: ||dS - eps G dT|| = O(eps^2); its log-log slope over the smallest rungs is at least REMAINDER_ORDER."""
    seen = Observed(problem, student)
    G_dT = ggn_vector_product(problem, problem.teacher_update)
    ladder = [seen.scale * rung for rung in _LADDER]
    gaps = [float((seen.update(eps) - eps * vectors.flatten(G_dT)).norm()) for eps in ladder]
    clear = [at for at, eps in enumerate(ladder) if gaps[at] > 10 * seen.rounding_of_update(eps)][-_NUM_ASYMPTOTIC:]
    if len(clear) < MIN_RUNGS:
        return  # the remainder is zero to rounding
    order = fitted_order([ladder[at] for at in clear], [gaps[at] for at in clear]).slope
    if not order >= REMAINDER_ORDER:
        raise AssertionError(_message("order of ||dS - eps G dT|| in eps", 2.0, order))


def assert_moves_toward_teacher(problem: Problem, *, student: StudentStep = student_step) -> None:
    """Claim C1b: at the problem's student_lr the student's step ends closer to the teacher, for all small eps.

    The squared distance changes by eps^2 (student_lr^2 ||G dT||^2 - 2 student_lr V) + O(eps^3), which is negative for
    student_lr < 2 V / ||G dT||^2: a larger one fails here, and so does a degenerate problem.
    """
    seen, rate = Observed(problem, student), problem.student_lr
    V, G_dT = seen.ray.curvature(), ggn_vector_product(problem, problem.teacher_update)
    square = float(vectors.inner(G_dT, G_dT))
    if not rate * square < 2 * V:
        window = 2 * V / square if square else 0.0
        raise AssertionError(f"student_lr: expected below {window:.6g} to move toward the teacher, got {rate:.6g}")

    def change(eps: float) -> float:
        update = seen.update(eps)
        return (rate**2 * float(update @ update) - 2 * eps * rate * seen.alignment(eps)) / eps**2

    def noise(eps: float) -> float:
        size = float(seen.update(eps).norm())
        return 2 * rate * (rate * size * seen.rounding_of_update(eps) / eps + seen.alignment_rounding(eps)) / eps

    predicted = rate**2 * square - 2 * rate * V
    _assert_limit(seen, "change of the squared distance / eps^2", change, predicted=predicted, noise=noise)


def assert_trait_loss_falls(problem: Problem, *, student: StudentStep = student_step) -> None:
    """Claim C3: a teacher one trait step away makes the student's trait loss fall, or V = 0.

    L_T(student) - L_T(base) = -eps student_lr V + O(eps^2), so the change / (eps student_lr) -> -V.

    Raises:
        InputError: if the teacher's update is not minus the trait gradient.
    """
    if not problem.is_trait_step:
        raise InputError("teacher_update: expected minus the trait gradient for C3, got another update")
    seen, rate = Observed(problem, student), problem.student_lr
    _assert_limit(seen, "change of the trait loss / (eps student_lr)",
                  lambda eps: seen.trait_change(eps) / (eps * rate), predicted=-seen.ray.curvature(),
                  noise=lambda eps: seen.trait_rounding(eps) / (eps * rate))  # fmt: skip


def assert_ggn_matches_dense(
    problem: Problem, *, product: Callable[[Problem, Params], Params] = ggn_vector_product
) -> None:
    """``product(problem, v)`` is G v, with G = mean_n J_n^T M_n J_n dense: SUM over outputs, MEAN over inputs.

    The Hessian of a softmax is a difference of products of probabilities, so where they are near 0 or 1 its rounding
    is that of numbers of size 1: HESSIAN_TERMS_UNITS of roundoff are allowed for it, over temperature^2.
    """
    G, terms = dense_ggn(problem), 0.0
    if problem.distillation_loss.name == "kl":
        square = float((dense_jacobian(problem) ** 2).sum((1, 2)).mean())
        terms = HESSIAN_TERMS_UNITS * UNIT_ROUNDOFF * square / problem.distillation_loss.temperature**2
    for draw in range(3):
        rng = generator(draw, "testing", "update")
        v = {k: torch.from_numpy(rng.standard_normal(tuple(x.shape))) for k, x in problem.base_params.items()}
        want, got = G @ vectors.flatten(v), vectors.flatten(product(problem, v))
        allowed = (FP64_FORMULA * float(G.norm()) + terms) * float(vectors.norm(v))
        if not float((got - want).norm()) <= allowed:
            raise AssertionError(_message("size of G v, equal direction", float(want.norm()), float(got.norm())))


def _assert_limit(
    seen: Observed,
    what: str,
    function: Callable[[float], float],
    *,
    predicted: float,
    noise: Callable[[float], float],
) -> None:
    if seen.scale == 0:
        return  # a teacher that stands still
    found = limit_at_zero(function, unit=seen.unit_of_limits, noise=noise, predicted=predicted)
    if not found.is_close_to(predicted):
        spread = found.error + found.noise
        raise AssertionError(_message(f"{what} as eps -> 0 (+- {spread:.2g})", predicted, found.value))


def _message(what: str, predicted: float, observed: float) -> str:
    ratio = f"{observed / predicted:.6g}" if predicted else "none"
    return f"{what}: predicted {predicted:.6g}, observed {observed:.6g}, ratio {ratio}"
