"""The first eps along the teacher's ray at which the alignment changes sign, as far as a scan sees (claim C10)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import brentq

from subtx_toy.problem import params as vectors
from subtx_toy.problem.problem import Problem
from subtx_toy.theory.alignment import AlignmentRay
from subtx_toy.theory.high_precision import alignment_sign

_NUM_LOG, _NUM_LINEAR = 60, 400
_CAP = 1000.0  # in units of 1 / ||dT||: a teacher that far has left any regime the theory speaks of
_NEAREST, _FARTHEST = 1e-9, 1e-2  # relative distances from a sign change at which its two sides are confirmed
_LOWEST = 1e-6  # of the cap, where the logarithmic points begin; alignments there are still above rounding


@dataclass(frozen=True)
class ObservedEps:
    """Where the alignment was first seen to be negative.

    Attributes:
        eps: the sign change before it, 0 if it was negative from the first point on; None if none was found.
        cap: how far the scan went, 1000 / ||dT||.
        num_undecided: points whose alignment lay below the rounding floor; they count for neither sign.
        reason: why ``eps`` is None, else empty.
        confirmed: whether 160 bits show the same: a positive alignment before ``eps`` and a negative one behind it,
            at most a hundredth away; behind it alone if ``eps`` is 0. False where nothing was found.
        unconfirmed: why not, else empty.
    """

    eps: float | None
    cap: float
    num_undecided: int
    reason: str
    confirmed: bool = False
    unconfirmed: str = ""


def observed_eps(problem: Problem) -> ObservedEps:
    """Scan 60 logarithmic and 400 linear points up to the cap, then close in on the first change by bisection.

    A scan can step over a pair of zeros: the answer is an upper estimate of what a certificate can prove. A change is
    looked at again at 160 bits, for models and losses of this package.
    """
    size = float(vectors.norm(problem.teacher_update))
    if size == 0:
        return ObservedEps(None, np.inf, 0, "the teacher's update is zero")
    cap = _CAP / size
    ray = AlignmentRay.of(problem)
    grid = np.geomspace(_LOWEST * cap, cap, _NUM_LOG), np.linspace(cap / _NUM_LINEAR, cap, _NUM_LINEAR)
    last_positive, undecided = 0.0, 0
    for eps in np.unique(np.concatenate(grid)):
        alignment = ray.alignment(float(eps))
        # A model that overflows far out says nothing there, nor beyond.
        if not np.isfinite(alignment):
            reason = f"the outputs are not finite from eps = {eps:.3g} on"
            return ObservedEps(None, float(eps), undecided, reason)
        if abs(alignment) <= ray.floor(float(eps)):
            undecided += 1
        elif alignment > 0:
            last_positive = float(eps)
        elif last_positive == 0:
            return ObservedEps(0.0, cap, undecided, "", *_confirmed(problem, 0.0, float(eps)))
        else:
            root = float(brentq(ray.alignment, last_positive, float(eps), rtol=1e-12))
            return ObservedEps(root, cap, undecided, "", *_confirmed(problem, root, float(eps)))
    reason = "no sign change up to the cap" if last_positive else "every alignment is below the rounding floor"
    return ObservedEps(None, cap, undecided, reason)


def _confirmed(problem: Problem, root: float, negative: float) -> tuple[bool, str]:
    """Say whether 160 bits show the sign change at ``root``, and why not; ``negative`` is an eps beyond it."""
    if root == 0:
        behind = alignment_sign(problem, negative)
        return behind.value < 0, "" if behind.value < 0 else behind.reason or "160 bits give the other sign"
    # float64 finds the root up to its own rounding, so the two sides are looked for farther and farther away.
    apart = _NEAREST
    while True:
        before, behind = (alignment_sign(problem, at) for at in (root * (1 - apart), root * (1 + apart)))
        if before.value > 0 > behind.value:
            return True, ""
        apart *= 10
        if apart > _FARTHEST or not before.value or not behind.value:
            return False, before.reason or behind.reason or f"160 bits show no change within {_FARTHEST:.0%} of it"
