"""Proved ranges of step sizes for any traced model: of eps with a positive alignment, of student_lr, of the remainder.

Second derivatives are enclosed over a whole range at once, entry by entry, with every rounding inside. They hold for
the operations that the model ran at the shared initialisation, with the derivative v that autograd gives there.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor

from subtx_toy.errors import InputError
from subtx_toy.problem import params as vectors
from subtx_toy.problem.params import Params
from subtx_toy.problem.problem import Problem
from subtx_toy.theory import linearization
from subtx_toy.theory.taylor.enclosures import DERIVATIVE_AGREES, ROUNDED, Enclosures, require_same
from subtx_toy.theory.taylor.operations import Unbounded
from subtx_toy.theory.taylor.tape import Tape

_UP, _DOWN, _REFINED = 8, 16, 4  # factors of 4 above the start, of 16 below it, and halvings in between
_START = 0.25  # of the distance that the teacher or the student moves


@dataclass(frozen=True)
class ProvedRange:
    """A claim holds for every step size in (0, ``end``]; None with the reason where no bound is known."""

    end: float | None
    reason: str = ""


def aligned_eps(problem: Problem, v: Float[Tensor, "n k"], curvature: float) -> ProvedRange:
    """Return an E with V + E min(0, inf a'') / 2 > 0, a'' enclosed on [0, E]: the alignment is positive up to it.

    a(e) >= e V + e^2 inf a'' / 2 by Taylor's theorem. Infinite where the outputs are affine on the ray (claim C6).

    Reference: Moore 1966, Interval Analysis; Taylor's theorem.
    """
    unit = 1 / float(vectors.norm(problem.teacher_update))
    if not curvature > 0:
        return ProvedRange(None, f"no range is known for V = {curvature:.3g}")
    try:
        enclosures = Enclosures(problem, v)
        if _is_affine(enclosures, unit):
            return ProvedRange(math.inf)

        def holds(eps: float) -> bool:
            low = float(enclosures.alignment_bend(eps).low.clamp_max(0.0))  # of torch, which keeps a nan
            return curvature + eps * low / 2 > 0

        return _largest(holds, _START * unit)
    except Unbounded as error:
        return ProvedRange(None, f"no bound is known for {error}")


def _is_affine(enclosures: Enclosures, unit: float) -> bool:
    # Zero bit for bit on a range: no operation bends, and without kinks none does beyond it.
    try:
        return enclosures.outputs(unit).second.is_zero() and not enclosures.kinked
    except Unbounded:
        return False


def falling_step(problem: Problem, student_update: Params, alignment: float) -> ProvedRange:
    """Return an E with E sup L'' < 2 a, L'' enclosed on [0, E]: the trait loss L falls by every step up to it.

    L(s) <= L(0) - s a + s^2 sup L'' / 2 along base + s dS, for the ``student_update`` dS and its ``alignment`` a.

    Reference: Taylor's theorem; Nesterov 2004, Introductory Lectures on Convex Optimization, lemma 1.2.3.
    """
    if not alignment > 0:
        return ProvedRange(None, f"no range is known for an alignment of {alignment:.3g}")
    unit = 1 / float(vectors.norm(student_update))
    tape = Tape.of(problem.trait_value, problem.base_params)
    try:
        slope = tape.along(problem.base_params, student_update, 0.0).first
        gap, rounding = abs(float(slope.mid) + alignment), float(slope.rad)
        if not rounding <= ROUNDED * alignment:
            raise Unbounded(f"so deep a model: its rounding alone is enclosed by {rounding / alignment:.2g} of g . dS")
        if not gap <= DERIVATIVE_AGREES * alignment + rounding:
            raise Unbounded("what autograd differentiates otherwise than the trait loss changes")
        require_same(tape, problem.trait_value, problem.base_params, student_update)

        def holds(step: float) -> bool:
            high = float(tape.along(problem.base_params, student_update, step).second.high.clamp_min(0.0))
            return step * high < 2 * alignment

        return _largest(holds, _START * unit)
    except Unbounded as error:
        return ProvedRange(None, f"no bound is known for {error}")


def _largest(holds: Callable[[float], bool], start: float) -> ProvedRange:
    """Find a step at which ``holds``, near the largest; it is called at each and need not be monotone."""

    def settled(step: float) -> bool:
        try:
            return holds(step)
        except Unbounded:  # a range so wide that a kink or the end of a domain is in it
            return False

    high, low = start, start
    if settled(start):
        for _ in range(_UP):
            high = 4 * low
            if not settled(high):
                break
            low = high
        else:
            return ProvedRange(low)
    else:
        for _ in range(_DOWN):
            high, low = low, low / 16
            if settled(low):
                break
        else:
            holds(low)  # says why, if an operation does
            return ProvedRange(None, f"no range of steps is found: the enclosures are too wide down to {low:.2g}")
    for _ in range(_REFINED):
        middle = math.sqrt(low * high)
        low, high = (middle, high) if settled(middle) else (low, middle)
    return ProvedRange(low)


@dataclass(frozen=True)
class RemainderBound:
    """``||dS - e G dT|| <= constant e^2 / 2`` for every e in [0, ``eps``], the remainder of claim C4, proved."""

    eps: float
    constant: float


def remainder_bounds(
    problem: Problem, every: Sequence[float], *, v: Float[Tensor, "n k"] | None = None
) -> list[RemainderBound]:
    """Bound the remainder of the student's update by the slopes' second derivative R, enclosed on [0, eps].

    dS - e G dT = -e^2 / 2 mean_n J_n^T R_n for some R in the enclosure, entry by entry, so its norm is at most
    e^2 / 2 (||J^T mid R|| + ||J||_F ||rad R||) / n. The products with J are autograd's; their rounding, and that of
    dS itself, is not in it. It costs a backward pass for each output of each input.

    Args:
        problem: in float64; squared error or kl.
        every: the eps, each > 0; what has no enclosure is left out.
        v: J dT, ``[n, k]``, if it is known already.

    Raises:
        InputError: if an eps is not positive, or where no bound is known at any, with the operation that has none.
    """
    if not all(eps > 0 for eps in every):
        raise InputError(f"every: expected numbers > 0, got {list(every)}")
    v = linearization.jacobian_product(problem, problem.teacher_update)[1] if v is None else v
    found, reason = [], "no eps"
    try:
        enclosures = Enclosures(problem, v)
    except Unbounded as error:
        raise InputError(f"model: expected operations with known bounds, got {error}") from None
    for eps in every:
        try:
            bend = enclosures.slopes(eps).second
        except Unbounded as error:
            reason = str(error)
            continue
        middle = float(vectors.norm(linearization.transposed_jacobian_product(problem, bend.mid)))
        size = enclosures.jacobian_norm if bool(bend.rad.any()) else 0.0
        constant = (middle + size * float(bend.rad.norm())) / len(v)
        if math.isfinite(constant):
            found.append(RemainderBound(eps, constant))
    if not found:
        raise InputError(f"model: expected operations with known bounds, got {reason}")
    return found
