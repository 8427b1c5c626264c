"""Constants that claims take from the theory route, chosen so that what they bound can be seen."""

from __future__ import annotations

from collections.abc import Sequence

from jaxtyping import Float
from torch import Tensor

from subtx_toy.errors import InputError
from subtx_toy.problem.problem import Problem
from subtx_toy.theory.lanczos import leading_eigenvalues
from subtx_toy.theory.taylor.ranges import RemainderBound, remainder_bounds

_STEPS, _ACCURACY = 40, 1e-6  # of Lanczos's iteration


def top_by_lanczos(problem: Problem, points: Float[Tensor, " m"]) -> float:
    """Return the largest eigenvalue of G with its residual added, and no less than the points of dT's measure."""
    found = leading_eigenvalues(problem, num_steps=_STEPS, accuracy=_ACCURACY)
    # Of what dT excites there is a point below the largest eigenvalue already.
    return max(found.values[0] + found.residuals[0], float(points[-1]))


def proved_remainder(problem: Problem, ladder: Sequence[float], v: Float[Tensor, "n k"]) -> RemainderBound | str:
    """Return the widest range on the ladder whose constant is within twice the least, or why none is known."""
    try:
        found = remainder_bounds(problem, ladder[:-1:2], v=v)
    except InputError as error:
        return error.problems[0]
    least = min(one.constant for one in found)
    return next(one for one in found if one.constant <= 2 * least)
