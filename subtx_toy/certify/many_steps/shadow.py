"""A student of several plain steps, shadowed by a path of polynomials from which it is never further than proved.

With Phi(theta) = theta + student_lr dS(theta) and polynomials theta^_k(eps) the path misses d_k = ||Phi(theta^_k) -
theta^_(k+1)|| of a step, its defect. The real student is within r_k of theta^_k, where

    r_(k+1) = q_k r_k + d_k,        r_0 = 0,

and q_k bounds ||I - student_lr H|| over all the students within r_k of theta^_k. Any path will do, and the nearer it is
the smaller are the radii. Every box has a path of its own that begins where the student does, so that nothing is
carried from box to box.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from subtx_toy.certify.balls import Ball
from subtx_toy.certify.balls.ball import stack, zeros
from subtx_toy.certify.description import Description
from subtx_toy.certify.jets import Box, divided, quotient, taylor
from subtx_toy.certify.many_steps.expansion import Expansion, expansion
from subtx_toy.certify.many_steps.moving import MovingStudent, Parameters, polynomial
from subtx_toy.certify.many_steps.neighbourhood import SLACK, neighbourhood
from subtx_toy.certify.ray import OutputRay

Arrays = list[np.ndarray]
"""Weight ``[in, out]`` and bias of every layer in turn, of the last one the distilled outputs alone."""

Polynomials = list[Arrays]
"""By coefficient, of eps minus the centre of a box."""


@dataclass(frozen=True)
class Shadow:
    """What is known over one box: ``rate`` ``[K]`` of the alignment <theta_k - theta_0, dT> after 1 ... K steps.

    It is divided by eps where the student begins with the teacher. ``path`` holds the polynomials after the last step,
    ``radius`` is r_K; in a box at 0 it is over eps, as are the ``defects``. ``expansions`` belong to the second step
    and the later ones.
    """

    rate: Ball
    path: Polynomials
    radius: float
    defects: list[float]
    expansions: list[Expansion]


class ShadowedStudent:
    """Several steps of one description's student, which begins at ``start`` or else where the teacher does."""

    def __init__(self, described: Description, *, num_steps: int, start: dict[str, np.ndarray] | None = None) -> None:
        self.described, self.num_steps = described, num_steps
        self.student, self.ray = MovingStudent(described), OutputRay(described)
        self.shared = start is None
        self.start = self._of_layers("", described.arrays if start is None else start)
        high = self._of_layers("direction.", described.arrays)
        low = [np.zeros_like(one) for one in high]
        if "direction_low.layers.0.weight" in described.arrays:
            low = self._of_layers("direction_low.", described.arrays)
        self.direction = [Ball(one, np.abs(other)) for one, other in zip(high, low, strict=True)]
        self.direction_norm = norm(self.direction)

    def _of_layers(self, prefix: str, arrays: dict[str, np.ndarray]) -> Arrays:
        found = []
        for layer in range(self.described.num_layers):
            rows = self.described.columns if layer == self.described.num_layers - 1 else slice(None)
            weight, bias = (arrays[f"{prefix}layers.{layer}.{kind}"][rows] for kind in ("weight", "bias"))
            found += [np.ascontiguousarray(weight.T), np.ascontiguousarray(bias)]
        return found

    def over(self, box: Box, order: int) -> Shadow:
        """Enclose the student over a box by Taylor's theorem of the given order, one more than that of its path."""
        described, over_eps = self.described, self.shared and box.at_zero
        teacher = self.ray.outputs(box, order).map(self.student.answer, box)
        path: Polynomials = [self.start, *[[np.zeros_like(one) for one in self.start]] * (order - 1)]
        radius, rates, defects, expansions = 0.0, list[Ball](), list[float](), list[Expansion]()
        for step in range(self.num_steps):
            at = self._along(path, box)
            passes = self.student.passes(at, teacher, box, agree=over_eps)
            if step:
                near = neighbourhood(self.student, at, passes, radius * (box.hi if over_eps else 1.0) * SLACK)
                expansions.append(
                    expansion(
                        near, loss=described.loss, temperature=described.temperature, student_lr=described.student_lr
                    )
                )
                radius *= expansions[-1].factor * SLACK
            path, misses = self._stepped(path, passes.update, agree=over_eps)
            defects.append(defect(misses, box, over_eps=over_eps))
            radius = (radius + defects[-1]) * SLACK
            if not np.isfinite(radius):
                unknown = Ball(np.zeros(self.num_steps), np.full(self.num_steps, np.inf))
                return Shadow(unknown, path, np.inf, defects, expansions)
            rates.append(self._rate(path, radius, box))
        return Shadow(stack(rates), path, radius, defects, expansions)

    def _along(self, path: Polynomials, box: Box) -> Parameters:
        jets = [polynomial(list(coefficients), box) for coefficients in zip(*path, strict=True)]
        return list(zip(jets[::2], jets[1::2], strict=True))

    def _stepped(self, path: Polynomials, update: Parameters, *, agree: bool) -> tuple[Polynomials, list[list[Ball]]]:
        """Return the polynomials after one step and, by coefficient, what they miss; the last one over the box.

        Where student and teacher agree at the centre there is no update at all.
        """
        moves, lr = [jet for layer in update for jet in layer], self.described.student_lr
        after, misses = [], []
        for k, values in enumerate(path):
            if agree and k == 0:
                after.append(values)
                misses.append([zeros(one.shape) for one in values])
                continue
            targets = [Ball.exact(one) + move.centre[k].scaled(lr) for one, move in zip(values, moves, strict=True)]
            after.append([one.mid for one in targets])
            misses.append([Ball(np.zeros_like(one.mid), one.rad) for one in targets])
        return after, [*misses, [move.box[-1].scaled(lr) for move in moves]]

    def _rate(self, path: Polynomials, radius: float, box: Box) -> Ball:
        moved = [[Ball.exact(one) - Ball.exact(first) for one, first in zip(path[0], self.start, strict=True)]]
        moved += [[Ball.exact(one) for one in values] for values in path[1:]]
        terms = [self._aligned(one) for one in moved] + [zeros((1,))]
        spread = Ball(np.zeros(1), np.array([radius * self.direction_norm * SLACK]))
        if self.shared and box.at_zero:
            return divided(terms, box, 1) + spread
        value = taylor(terms, box, 0) + spread
        return quotient(value, box, 1) if self.shared else value

    def _aligned(self, moved: list[Ball]) -> Ball:
        total = zeros((1,))
        for one, rate in zip(moved, self.direction, strict=True):
            total = total + (one * rate).sum()
        return total


def defect(misses: list[list[Ball]], box: Box, *, over_eps: bool) -> float:
    """Bound the norm of sum_k misses_k (eps - centre)^k over a box, or that over eps where misses_0 is zero."""
    with np.errstate(all="ignore"):
        width = float(box.power(1).magnitude())
        sizes = [norm(one) for one in misses]
        if over_eps:
            sizes = sizes[1:]
        return float(sum(size * width**k for k, size in enumerate(sizes)) * SLACK)


def norm(balls: list[Ball]) -> float:
    """Bound the Euclidean norm of everything inside."""
    return float(np.sqrt(sum(float((one.magnitude() ** 2).sum()) for one in balls)) * SLACK)
