"""Claims C13 and C14: students that do not start where the teacher did."""

from __future__ import annotations

import math

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from subtx_toy.claims.vocabulary.claim import Claim, Inequality, Outcome, order_checks, outcome
from subtx_toy.claims.vocabulary.evidence import Evidence, rungs
from subtx_toy.claims.vocabulary.hypotheses import CURVED, MOVING, ONE_STEP, PERCEPTRON, SEEN, SMOOTH
from subtx_toy.claims.vocabulary.observation import StudentSteps, norms
from subtx_toy.problem import params as vectors
from subtx_toy.problem.initialisations import initialise
from subtx_toy.problem.model import MLP
from subtx_toy.problem.params import Params
from subtx_toy.problem.problem import Problem
from subtx_toy.theory.step_predictions import probability_of_negative_alignment, unshared_update
from subtx_toy.tolerances import CONTROL_ORDER, Z_BOUND
from subtx_toy.training.gradient_step import student_updates

_NUM_DRAWS = 200
_MAX_PARAMETERS = 50_000  # of which so many students are drawn: 80 MB of them, and a minute for larger models
_SIGMAS = 1.0  # predicted mean alignment over its spread: P(negative) = .159, far from 0 and from 1/2
_LOW = 2.0**-12  # of the ladder's top: the sampling part speaks of leading order only


def from_init(student_init: Params) -> StudentSteps:
    """Return the student that starts from an initialisation of its own."""
    start = vectors.flatten(student_init)[None]
    return StudentSteps(lambda problem, eps: student_updates(problem, eps, starts=start))


def cross_init(problem: Problem, rng: np.random.Generator) -> Params:
    """Draw an initialisation that has nothing to do with the shared one; entries of the same size."""
    model, base = problem.model, problem.base_params
    if not isinstance(model, MLP):
        raise TypeError(f"model: expected an MLP, got {type(model).__name__}")
    drawn = initialise(model, rng, init="pytorch")
    return {name: value * _spread(base[name]) / max(_spread(value), 1e-300) for name, value in drawn.items()}


def unshared(evidence: Evidence) -> Outcome:
    """Check that the update of a cross-model student tends to one that holds neither eps nor dT."""
    start = cross_init(evidence.problem, evidence.stream("C13"))
    limit = vectors.flatten(unshared_update(evidence.problem, start))
    size = float(norms(limit.numpy()))
    ladder = rungs(evidence.ladder[0])
    observed = from_init(start).many(evidence.problem, ladder).numpy()
    rounding = [evidence.update_rounding + 1e-13 * size] * len(ladder)
    gaps = norms(observed - limit.numpy()).tolist()
    checks = order_checks(ladder, gaps, rounding, order=1, what="||dS - its limit without eps and dT||")
    *_, above, _, lowest = norms(observed).tolist()
    # The limit is not small: the lowest rungs show no slope.
    if gaps[-3] < CONTROL_ORDER / 10 * size:
        slope = abs(np.log(above / lowest) / np.log(ladder[-3] / ladder[-1]))
        checks.append(Inequality(float(slope), CONTROL_ORDER, what="fitted order of ||dS|| of a cross-model student"))
    return outcome(checks, predicted=size, observed=lowest)


def turned_round(evidence: Evidence) -> Outcome:
    """Check that a student perturbed by 2 eps dT has alignment -eps V + O(eps^2), and the odds under noise."""
    problem, ladder, V = evidence.problem, evidence.ladder, evidence.V
    starts = evidence.base + 2 * torch.tensor(ladder, dtype=torch.float64)[:, None] * evidence.dT
    alignments = (student_updates(problem, ladder, starts=starts) @ evidence.dT).tolist()
    remainders = [alignment + eps * V for alignment, eps in zip(alignments, ladder, strict=True)]
    rounding = [2 * evidence.alignment_rounding(eps) for eps in ladder]
    checks = order_checks(ladder, remainders, rounding, order=2, what="alignment + eps V of a student at 2 eps dT")
    observed = remainders[-1] - ladder[-1] * V
    decided = abs(observed) > 10 * rounding[-1]
    if evidence.thorough and evidence.V > 0 and len(evidence.base) <= _MAX_PARAMETERS:
        checks.append(_odds(evidence))
    return outcome(checks, predicted=-ladder[-1] * V, observed=observed if decided else float("nan"))


def _odds(evidence: Evidence) -> Inequality:
    problem, eps, rng = evidence.problem, evidence.ladder[0] * _LOW, evidence.stream("C14")
    spread = eps * evidence.V / evidence.G_dT_norm / _SIGMAS
    p = probability_of_negative_alignment(problem, spread=spread, eps=eps)
    noise = torch.from_numpy(rng.standard_normal((_NUM_DRAWS, len(evidence.base))))
    updates = student_updates(problem, [eps] * _NUM_DRAWS, starts=evidence.base + spread * noise)
    negative = int((updates @ evidence.dT < 0).sum())
    z = abs(negative / _NUM_DRAWS - p) / np.sqrt(p * (1 - p) / _NUM_DRAWS)
    return Inequality(float(z), Z_BOUND, what=f"standard errors of {negative} of {_NUM_DRAWS} negative against {p:.3f}")


def _spread(value: Float[Tensor, ...]) -> float:
    flat = value.numpy().ravel()
    return math.sqrt(flat @ flat / len(flat))


CLAIMS = (
    Claim(
        id="C13",
        statement="To leading order, the update of a student from an unrelated initialisation depends neither on eps "
        "nor on dT, so its alignment has slope 0 and no sign.",
        prediction="-mean_n J'^T dl/dz(f_init, f_base)",
        observation="dS of a cross-model student on a ladder of eps",
        source="Cloud et al. 2025, arXiv:2507.14805, remark on Theorem 1",
        tolerance="REMAINDER_GROWTH",
        evaluate=unshared,
        own_students=True,
        quick=False,
        hypotheses=(MOVING, SMOOTH, PERCEPTRON),
        every=4,
    ),
    Claim(
        id="C14",
        statement="A student perturbed by 2 eps dT has alignment -eps V + O(eps^2); one perturbed by N(0, s^2) has a "
        "negative one with probability Phi(-eps V / (s ||G dT||)).",
        prediction="-eps V, and Phi(-1) at a spread of eps V / ||G dT||",
        observation=f"dS . dT on a ladder; on one problem in 64, of {_NUM_DRAWS} perturbed students",
        source="this package",
        tolerance="Z_BOUND",
        evaluate=turned_round,
        own_students=True,
        hypotheses=(*ONE_STEP, SEEN, CURVED),
        every=4,
    ),
)
