"""The outputs of a problem on the teacher's ray, and the slopes of its loss, enclosed over a range of step sizes."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cached_property

import torch
from jaxtyping import Float
from torch import Tensor

from subtx_toy.problem import derivatives
from subtx_toy.problem import params as vectors
from subtx_toy.problem.params import Params
from subtx_toy.problem.problem import Problem
from subtx_toy.theory.taylor.ball import Ball, bilinear
from subtx_toy.theory.taylor.functions import softmax
from subtx_toy.theory.taylor.jet import Jet
from subtx_toy.theory.taylor.operations import Unbounded
from subtx_toy.theory.taylor.tape import Tape

DERIVATIVE_AGREES = 1e-6
"""Relative, of v by autograd against the recorded operations: a detached branch is off by all of its part."""

ROUNDED = 0.01
"""Of v, that its enclosure without any range may be wide: beyond, nothing is left of a range."""

_FAR = 0.25  # of the distance 1, where function and operations are compared


class Enclosures:
    """Enclosures of a problem's outputs on the teacher's ray, from one tape.

    Args:
        problem: in float64.
        v: J dT, ``[n, k]``.

    Raises:
        Unbounded: naming what has no enclosure.
    """

    def __init__(self, problem: Problem, v: Float[Tensor, "n k"]) -> None:
        problem.require_float64()
        self._problem, self._v = problem, v
        self._tape = Tape.of(problem.distilled, problem.base_params)
        slope, size = self.outputs(0.0).first, float(v.norm())
        rounding = float(slope.rad.norm())
        if not size:
            raise Unbounded("a teacher's update that the distilled outputs do not see")
        if not rounding <= ROUNDED * size:
            raise Unbounded(f"so deep a model: its rounding alone is enclosed by {rounding / size:.2g} of J dT")
        if not float((slope.mid - v).norm()) <= DERIVATIVE_AGREES * size + rounding:
            raise Unbounded("what autograd differentiates otherwise than the outputs change")
        require_same(self._tape, problem.distilled, problem.base_params, problem.teacher_update)

    @cached_property
    def jacobian_norm(self) -> float:
        """The Frobenius norm of J over all distilled outputs of all inputs, one backward pass each; no 1/n."""
        outputs, pull_back = derivatives.pull_back(self._problem.distilled, self._problem.base_params)
        basis = torch.eye(outputs.numel(), dtype=outputs.dtype).view(-1, *outputs.shape)
        return math.sqrt(sum(float(vectors.inner(row, row)) for row in map(pull_back, basis)))

    @property
    def kinked(self) -> bool:
        """Whether the model has kinks: an enclosure then ends at the first one on the ray."""
        return self._tape.kinked

    def outputs(self, eps: float) -> Jet:
        """Enclose the distilled outputs at base + s dT and their derivatives in s, for all s in [0, eps]."""
        return self._tape.along(self._problem.base_params, self._problem.teacher_update, eps)

    def slopes(self, eps: float) -> Jet:
        """Enclose dl/dz(f_base, f(base + s dT)), a function of the target alone, without its value at s = 0.

        Raises:
            Unbounded: if the loss is neither squared error nor kl.
        """
        loss, z = self._problem.distillation_loss, self.outputs(eps)
        if loss.formula == "squared_error":
            return -z
        if loss.formula != "kl":
            raise Unbounded(f"the distillation loss {loss.name!r}")
        return -softmax(z.scaled(1 / loss.temperature), -1).scaled(1 / loss.temperature)

    def alignment_bend(self, eps: float) -> Ball:
        """Enclose the second derivative of the alignment, a''(s) = -mean_n v_n . (dl/dz)''(s), for s in [0, eps]."""
        bend = self.slopes(eps).second
        total = bilinear(lambda a, b: (a * b).sum(), Ball.exact(-self._v), bend, terms=bend.mid.numel())
        return total.scaled(1 / len(self._v))


def require_same(tape: Tape, function: Callable[[Params], Tensor], base: Params, direction: Params) -> None:
    """Compare the operations with the function itself elsewhere on the ray.

    Raises:
        Unbounded: if the function computes something else than its operations do.
    """
    unit = 1 / float(vectors.norm(direction))
    for part in (_FAR, _FAR / 64, _FAR / 4096):
        try:
            differs = tape.differs(function, vectors.axpy(part * unit, direction, base))
        except Unbounded:
            continue
        if differs:
            raise Unbounded("what the model computes outside of the operations that were recorded")
        return
