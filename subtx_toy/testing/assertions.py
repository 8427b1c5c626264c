"""The claims as assertions, on any ``Problem`` and for any student.

``assert_claim`` judges a claim exactly as ``subtx-toy verify`` does; the other assertions are claims under a name of
their own. Each takes ``student``, which computes the student's update dS of a problem at an eps: plain gradient descent
of this package by default, or the step of your own training code. It returns minus the gradient of the loss at
``problem.base_params``, by the names of the parameters, with the teacher at ``problem.teacher_params(eps)``.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable

import torch

from subtx_toy.claims.registry import CLAIMS, find_claim
from subtx_toy.claims.vocabulary.claim import Claim, Judgement
from subtx_toy.claims.vocabulary.evidence import UNIT_ROUNDOFF, Evidence
from subtx_toy.claims.vocabulary.observation import StudentStep
from subtx_toy.errors import InputError
from subtx_toy.problem import params as vectors
from subtx_toy.problem.params import Params
from subtx_toy.problem.problem import Problem
from subtx_toy.seeding import generator
from subtx_toy.theory.curvature import dense_ggn, ggn_vector_product
from subtx_toy.theory.linearization import dense_jacobian
from subtx_toy.tolerances import FP64_FORMULA, HESSIAN_TERMS_UNITS
from subtx_toy.training.gradient_step import student_step


class HypothesisWarning(UserWarning):
    """A problem is outside a claim's hypotheses, so the assertion has checked nothing."""


def assert_claim(claim: str | Claim, problem: Problem, *, student: StudentStep = student_step) -> None:
    """Assert that ``claim``, an id such as ``"C1"`` or one of your own, is not violated on ``problem``.

    A problem that does not meet the claim's hypotheses, such as a ReLU net in C4, gives a ``HypothesisWarning``. An
    outcome that rounding decides passes.

    Raises:
        AssertionError: with the violated check, the problem, and predicted, observed and observed / predicted.
        InputError: if no claim has that id, the problem is not in float64, or a ``student`` is given to a claim that
            does not look at it: C10, C13, C14, C33, or one of your own that holds without a call of it.
    """
    claim = find_claim(claim)
    if student is student_step:
        _assert(claim, Evidence(problem))
        return
    if claim.own_students:
        raise InputError(_unseen(claim))
    noted = _Noted(student)
    judgement = _assert(claim, Evidence(problem, student_step=noted))
    if judgement.verdict.startswith("holds") and not noted.is_called:
        raise InputError(_unseen(claim))


class _Noted:
    """A student that knows whether it was called."""

    def __init__(self, step: StudentStep) -> None:
        self.step, self.is_called = step, False

    def __call__(self, problem: Problem, eps: float) -> Params:
        self.is_called = True
        return self.step(problem, eps)


def _unseen(claim: Claim) -> str:
    seeing = ", ".join(one.id for one in CLAIMS.values() if not one.own_students)
    return f"student: {claim.id} does not look at the step that is given; these do: {seeing}"


def assert_aligned_to_first_order(problem: Problem, *, student: StudentStep = student_step) -> None:
    """Claim C1: dS . dT = eps V + O(eps^2) with V = dT^T G dT, so (dS . dT) / eps -> V as eps -> 0."""
    _assert("C1", Evidence(problem, student_step=student))


def assert_alignment_is_exact(problem: Problem, *, student: StudentStep = student_step) -> None:
    """Claim C5: at every eps, dS . dT = -mean_n <J_n dT, dl/dz(f_base(x_n), f_teacher(x_n))>, up to rounding.

    Rounding without a bound fails: nothing could be asserted then. What measured rounding explains passes.
    """
    judgement = _assert("C5", Evidence(problem, student_step=student))
    unbounded = judgement.outcome is None or math.isinf(judgement.outcome.worst.floor)
    if judgement.verdict == "undecided" and unbounded:
        raise AssertionError(f"C5 is undecided: {judgement.reason}")


def assert_dichotomy(problem: Problem, *, degenerate: bool = False, student: StudentStep = student_step) -> None:
    """Claim C2: the alignment is zero at EVERY eps, or positive at all small ones.

    With ``degenerate`` the first half is asserted; otherwise the half is the one that the problem is built for. An
    alignment within rounding of zero is undecided and passes.
    """
    evidence = Evidence(problem, student_step=student)
    evidence.degenerate = degenerate or evidence.degenerate
    _assert("C2", evidence)


def assert_remainder_is_second_order(problem: Problem, *, student: StudentStep = student_step) -> None:
    """Claim C4: ||dS - eps G dT|| = O(eps^2); its log-log slope over the smallest rungs is at least REMAINDER_ORDER."""
    _assert("C4", Evidence(problem, student_step=student))


def assert_moves_toward_teacher(problem: Problem, *, student: StudentStep = student_step) -> None:
    """Claim C1b, and that the problem's student_lr is below 2 V / ||G dT||^2.

    Then the student's step ends closer to the teacher for all small eps. A larger student_lr fails here, and so does a
    degenerate problem.
    """
    evidence, rate = Evidence(problem, student_step=student), problem.student_lr
    square = float(evidence.G_dT @ evidence.G_dT)
    if not rate * square < 2 * evidence.V:
        window = 2 * evidence.V / square if square else 0.0
        raise AssertionError(f"student_lr: expected below {window:.6g} to move toward the teacher, got {rate:.6g}")
    _assert("C1b", evidence)


def assert_trait_loss_falls(problem: Problem, *, student: StudentStep = student_step) -> None:
    """Claim C3: a teacher one trait step away makes the student's trait loss fall, or V = 0.

    L_T(student) - L_T(base) = -eps student_lr V + O(eps^2), so the change / (eps student_lr) -> -V.

    Raises:
        InputError: if the teacher's update is not minus the trait gradient.
    """
    if not problem.is_trait_step:
        raise InputError("teacher_update: expected minus the trait gradient for C3, got another update")
    _assert("C3", Evidence(problem, student_step=student))


def assert_ggn_matches_dense(
    problem: Problem, *, product: Callable[[Problem, Params], Params] = ggn_vector_product
) -> None:
    """``product(problem, v)`` is G v, with G = mean_n J_n^T M_n J_n dense: SUM over outputs, MEAN over inputs.

    The Hessian of a softmax is a difference of products of probabilities, so where they are near 0 or 1 its rounding
    is that of numbers of size 1: HESSIAN_TERMS_UNITS of roundoff are allowed for it, over temperature^2.
    """
    G, terms = dense_ggn(problem), 0.0
    if problem.distillation_loss.formula == "kl":
        square = float((dense_jacobian(problem) ** 2).sum((1, 2)).mean())
        terms = HESSIAN_TERMS_UNITS * UNIT_ROUNDOFF * square / problem.distillation_loss.temperature**2
    for draw in range(3):
        rng = generator(draw, "testing", "update")
        v = {k: torch.from_numpy(rng.standard_normal(tuple(x.shape))) for k, x in problem.base_params.items()}
        want, got = G @ vectors.flatten(v), vectors.flatten(product(problem, v))
        allowed = (FP64_FORMULA * float(G.norm()) + terms) * float(vectors.norm(v))
        if not float((got - want).norm()) <= allowed:
            sizes = _compared(float(want.norm()), float(got.norm()))
            raise AssertionError(f"size of G v, equal direction: {sizes}")


def _assert(claim: str | Claim, evidence: Evidence) -> Judgement:
    # Called by the public assertions themselves, so that a warning points to the line that calls them.
    claim = find_claim(claim)
    judgement = claim.judge(evidence)
    if judgement.verdict == "not applicable":
        warnings.warn(f"{claim.id} was not checked. Unmet: {judgement.reason}", HypothesisWarning, stacklevel=3)
    if judgement.verdict == "violated" and (outcome := judgement.outcome):
        lines = [f"{claim.id} is violated: {judgement.reason}", evidence.snippet or repr(evidence.problem)]
        if not math.isnan(outcome.predicted + outcome.observed):
            lines.append(_compared(outcome.predicted, outcome.observed))
        raise AssertionError("\n".join(lines))
    return judgement


def _compared(predicted: float, observed: float) -> str:
    ratio = f"{observed / predicted:.6g}" if predicted else "none"
    return f"predicted {predicted:.6g}, observed {observed:.6g}, ratio {ratio}"
