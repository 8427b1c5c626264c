"""From the distillation inputs to the distribution that they are drawn from, and to data with changed lines.

The inputs are independent draws of one distribution D, and neither the shared initialisation nor the teacher's update
depends on them. Then curvature and alignment of a student that sees all of D are means of what each input gives alone.
Positions of one input, as in a sequence, are averaged first: they are not independent.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from scipy import special
from torch import Tensor

from subtx_toy.errors import InputError
from subtx_toy.problem.problem import Problem
from subtx_toy.theory.alignment import AlignmentRay
from subtx_toy.theory.curvature import curvature_per_input
from subtx_toy.theory.taylor.ball import Ball
from subtx_toy.theory.taylor.enclosures import Enclosures
from subtx_toy.theory.taylor.operations import Unbounded

CONFIDENCE = 0.95
"""Of an interval, by default."""

_PARTS = tuple(2.0**-power for power in range(12))  # of the largest eps that is tried


@dataclass(frozen=True)
class Expectation:
    """A mean over the distribution with a two-sided interval.

    Attributes:
        mean: over the inputs.
        low, high: the interval's ends.
        confidence: of the interval.
        method: ``"empirical Bernstein"``, which holds for every distribution within the stated range, or ``"t"``, which
            is exact for normal values and approximate otherwise.
        num_inputs: independent inputs, n.
    """

    mean: float
    low: float
    high: float
    confidence: float
    method: str
    num_inputs: int


def expectation(
    values: Sequence[float] | Float[np.ndarray, " n"],
    *,
    confidence: float = CONFIDENCE,
    value_range: tuple[float, float] | None = None,
) -> Expectation:
    """Return the interval of a mean from independent values.

    With all values in ``value_range`` of width w, s^2 their variance (over n - 1) and d = 1 - confidence, the mean lies
    within sqrt(2 s^2 ln(4/d) / n) + 7 w ln(4/d) / (3 (n - 1)) of that of the values, but with probability d. Without
    a range Student's t.

    Args:
        values: at least two.
        confidence: in (0, 1).
        value_range: what no value of the distribution leaves, known before the values are seen.

    Raises:
        InputError: if there are fewer than two values, or one leaves the range, or the confidence is none.

    Reference: Maurer & Pontil 2009, COLT, arXiv:0907.3740, Theorem 4, for both sides.

    >>> found = expectation([0.0, 1.0] * 500, value_range=(0.0, 1.0))
    >>> found.method, round(found.low, 2), round(found.high, 2)
    ('empirical Bernstein', 0.44, 0.56)
    """
    sample = np.asarray(values, dtype=float)
    n = len(sample)
    faults = [f"values: expected at least two independent inputs, got {n}"] if n < 2 else []
    if not 0 < confidence < 1:
        faults.append(f"confidence: expected a number in (0, 1), got {confidence}")
    if value_range is not None and n:
        low, high = value_range
        if not low <= float(sample.min()) <= float(sample.max()) <= high:
            got = f"{sample.min():.6g} to {sample.max():.6g}"
            faults.append(f"value_range: expected one that holds every value, got {low:g} to {high:g} for {got}")
    InputError.gather(faults)
    mean, variance = float(sample.mean()), float(sample.var(ddof=1))
    if value_range is None:
        half = float(special.stdtrit(n - 1, (1 + confidence) / 2)) * math.sqrt(variance / n)
        return Expectation(mean, mean - half, mean + half, confidence, "t", n)
    log = math.log(4 / (1 - confidence))
    half = math.sqrt(2 * variance * log / n) + 7 * (value_range[1] - value_range[0]) * log / (3 * (n - 1))
    low, high = max(value_range[0], mean - half), min(value_range[1], mean + half)
    return Expectation(mean, low, high, confidence, "empirical Bernstein", n)


def expected_curvature(
    problem: Problem, *, confidence: float = CONFIDENCE, value_range: tuple[float, float] | None = None
) -> Expectation:
    """Return E v^T M v over the distribution, the V of a student that sees all of it.

    Args:
        problem: in float64, with two inputs or more.
        confidence: in (0, 1).
        value_range: of v^T M v over the distribution; by default Student's t.

    Raises:
        InputError: see ``expectation``.

    Reference: claim C1; Maurer & Pontil 2009, arXiv:0907.3740.
    """
    ray = AlignmentRay.of(problem)
    each = curvature_per_input(problem.distillation_loss, ray.outputs, ray.v)
    return expectation(_by_input(problem, each), confidence=confidence, value_range=value_range)


def expected_alignment(
    problem: Problem,
    eps: float | None = None,
    *,
    confidence: float = CONFIDENCE,
    value_range: tuple[float, float] | None = None,
) -> Expectation:
    """Return E a_x(eps) over the distribution, the alignment of a student that sees all of it (claims C5 and C7b).

    Args:
        problem: in float64, with two inputs or more.
        eps: the problem's own by default.
        confidence: in (0, 1).
        value_range: of a_x(eps) over the distribution; by default Student's t.

    Raises:
        InputError: see ``expectation``.

    Reference: claim C5; Maurer & Pontil 2009, arXiv:0907.3740.
    """
    each = AlignmentRay.of(problem).per_input(problem.eps if eps is None else eps)
    return expectation(_by_input(problem, each), confidence=confidence, value_range=value_range)


@dataclass(frozen=True)
class ExpectedRange:
    """The alignment over the distribution is positive for every eps in (0, ``eps``], at this confidence.

    None with the reason where nothing could be shown; ``method`` as for an ``Expectation``.
    """

    eps: float | None
    confidence: float
    method: str = ""
    reason: str = ""


def expected_eps(
    problem: Problem, *, largest: float, confidence: float = CONFIDENCE, value_range: tuple[float, float] | None = None
) -> ExpectedRange:
    """Return an E up to which the alignment over the distribution is positive, with the bound C8 for each input.

    a_x(e) >= e W_x(E) for e <= E, W_x(E) = v^T M v + E min(0, inf a_x'') / 2, the second derivative enclosed on [0, E].
    E is the largest of 12 at which the interval of E W_x is positive; all of them are decided before the data are seen
    and share the error, 1 - confidence, equally.

    Args:
        problem: in float64, with two inputs or more; squared error or kl.
        largest: the largest E tried, > 0; the others are halves of it.
        confidence: in (0, 1), for all of them together.
        value_range: of W_x over the distribution, at every E tried; by default Student's t.

    Raises:
        InputError: if ``largest`` is not positive; see ``expectation``.

    Reference: Bonferroni's inequality; Maurer & Pontil 2009, arXiv:0907.3740.
    """
    if not largest > 0:
        raise InputError(f"largest: expected a number > 0, got {largest}")
    ray = AlignmentRay.of(problem)
    V = curvature_per_input(problem.distillation_loss, ray.outputs, ray.v)
    each = 1 - (1 - confidence) / len(_PARTS)
    reason = "the interval of the mean reaches 0 at every eps tried"
    try:
        enclosures = Enclosures(problem, ray.v)
    except Unbounded as error:
        return ExpectedRange(None, confidence, reason=f"no bound is known for {error}")
    for part in _PARTS:
        eps = part * largest
        try:
            bend = enclosures.slopes(eps).second
        except Unbounded as error:
            reason = f"no bound is known for {error}"
            continue
        rows = Ball.exact(-ray.v) * bend
        lowest = (rows.low.sum(-1) - 1e-12 * rows.size.sum(-1)).clamp_max(0.0)
        W = _by_input(problem, V + eps * lowest / 2)
        if np.isfinite(W).all():
            found = expectation(W, confidence=each, value_range=value_range)
            if found.low > 0:
                return ExpectedRange(eps, confidence, found.method)
    return ExpectedRange(None, confidence, reason=reason)


@dataclass(frozen=True)
class LineTolerance:
    """How many lines of the data may go or change, whichever they are, with the alignment still positive.

    Attributes:
        removed: any so many lines may be left out.
        relabelled: of any so many lines the targets may be replaced by any others; None where no bound on one target's
            alignment is known (other losses than kl).
        num_lines: inputs, n.
        all_positive: whether each line alone is aligned: then every batch and every re-weighting is too (claim C7b).
    """

    removed: int
    relabelled: int | None
    num_lines: int
    all_positive: bool


def line_tolerance(problem: Problem, eps: float | None = None) -> LineTolerance:
    """Return how many changed or removed lines the alignment survives at ``eps``, a corollary of claim C7b.

    The alignment is the mean of a_i over lines. Leaving out the k lines of the largest a_i is the worst choice of k, so
    k lines may go as long as the n - k smallest a_i have a positive sum. For kl a line's target is a distribution q,
    a_i = v_i . (q - p_i) / temperature, which is at least (min_j v_ij - p_i . v_i) / temperature: k targets may be
    replaced as long as the sum stays positive when the k lines that can lose most do. Sums count as positive beyond
    the rounding of ``AlignmentRay.floor``, which is measured and not proved.

    Args:
        problem: in float64.
        eps: the problem's own by default.

    Raises:
        InputError: if the problem is not in float64.

    Reference: claims C5 and C7b; an exchange argument.
    """
    eps = problem.eps if eps is None else eps
    ray, loss = AlignmentRay.of(problem), problem.distillation_loss
    each = _by_input(problem, ray.per_input(eps))
    n, floor = len(each), ray.floor(eps) * len(each)
    relabelled = None
    if loss.formula == "kl":
        p = torch.softmax(ray.outputs / loss.temperature, dim=-1)
        least = (ray.v.amin(-1) - (p * ray.v).sum(-1)) / loss.temperature
        losses = each - _by_input(problem, least)
        relabelled = _survived(float(each.sum()), losses, floor)
    removed = min(_survived(float(each.sum()), each, floor), max(n - 1, 0))
    return LineTolerance(removed, relabelled, n, bool((each > floor).all()))


def _survived(total: float, losses: Float[np.ndarray, " n"], floor: float) -> int:
    """Return the largest k with total minus the k largest losses above the floor; 0 if not even the total is."""
    left = total - np.concatenate([[0.0], np.cumsum(np.sort(losses)[::-1])])
    failed = np.flatnonzero(~(left > floor))
    return len(losses) if not len(failed) else max(int(failed[0]) - 1, 0)


def _by_input(problem: Problem, values: Float[Tensor, " rows"]) -> Float[np.ndarray, " n"]:
    # Further axes of the outputs are flattened behind that of the inputs.
    n = len(problem.inputs)
    rows = values.detach().numpy()
    return rows.reshape(n, -1).mean(1) if len(rows) % n == 0 else rows
