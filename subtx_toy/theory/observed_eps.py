"""The first eps along the teacher's ray at which the alignment changes sign, as far as a scan sees (claim C10)."""

from __future__ import annotations

import math
from dataclasses import dataclass

from subtx_toy.problem import params as vectors
from subtx_toy.problem.problem import Problem
from subtx_toy.problem.sign_change import confirmed_gap, scan_points, sign_changes
from subtx_toy.theory.alignment import AlignmentRay
from subtx_toy.theory.high_precision import alignment_sign

_CAP = 1000.0  # in units of 1 / ||dT||: a teacher that far has left any regime the theory speaks of
_GAPS = tuple(10.0**power for power in range(-9, -1))  # relative, at which the two sides of a change are confirmed


@dataclass(frozen=True)
class ObservedEps:
    """Where a scan up to ``cap`` = 1000 / ||dT|| first saw a negative alignment.

    ``eps`` is the sign change before it, 0 if it was negative from the first point on; None with the reason if none was
    found. Points below the rounding floor are undecided and count for neither sign. It is ``confirmed`` if 160 bits
    show the same: a positive alignment before ``eps`` and a negative one behind it, at most a hundredth away, or behind
    it alone if ``eps`` is 0; otherwise ``unconfirmed`` says why not.
    """

    eps: float | None
    cap: float
    num_undecided: int
    reason: str
    confirmed: bool = False
    unconfirmed: str = ""


def observed_eps(problem: Problem, ray: AlignmentRay | None = None) -> ObservedEps:
    """Scan 60 logarithmic and 400 linear points up to the cap, then close in on the first change by bisection.

    A scan can step over a pair of zeros: the answer is an upper estimate of what a certificate can prove. A change is
    looked at again at 160 bits, for models and losses of this package.
    """
    size = float(vectors.norm(problem.teacher_update))
    if size == 0:
        return ObservedEps(None, math.inf, 0, "the teacher's update is zero")
    cap, undecided = _CAP / size, 0
    ray, points = ray or AlignmentRay.of(problem), scan_points(cap)

    def decided(eps: float) -> float:
        alignment = ray.alignment(eps)
        return 0.0 if math.isfinite(alignment) and abs(alignment) <= ray.floor(eps) else alignment

    ray.prepare(points.tolist())
    for below, eps, alignment in sign_changes(decided, points):
        # A model that overflows far out says nothing there, nor beyond.
        if not math.isfinite(alignment):
            return ObservedEps(None, eps, undecided, f"the outputs are not finite from eps = {eps:.3g} on")
        if alignment == 0:
            undecided += 1
            continue
        from scipy.optimize import brentq  # loaded where a change was found: most scans find none

        root = float(brentq(ray.alignment, below, eps, rtol=1e-12)) if below else 0.0
        unconfirmed = _unconfirmed(problem, root, eps)
        return ObservedEps(root, cap, undecided, "", not unconfirmed, unconfirmed)
    none = "every alignment is below the rounding floor" if undecided == len(points) else "no sign change up to the cap"
    return ObservedEps(None, cap, undecided, none)


def _unconfirmed(problem: Problem, root: float, negative: float) -> str:
    """Say why 160 bits do not show the sign change at ``root``, or nothing; ``negative`` is an eps beyond it."""
    behind = alignment_sign(problem, negative)
    if root == 0 or not behind.value:
        return "" if behind.value < 0 else behind.reason or "160 bits give the other sign"
    # float64 finds the root up to its own rounding, so the two sides are looked for farther and farther away.
    gap = confirmed_gap(lambda eps: alignment_sign(problem, eps).value, root, _GAPS)
    return "" if gap else f"160 bits show no change within {_GAPS[-1]:.0%} of it"
