"""What a student's steps show at several eps, each taken once, with the rounding of each number."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property

import torch

from subtx_toy import params as vectors
from subtx_toy.params import Params
from subtx_toy.problem import Problem
from subtx_toy.theory.alignment import AlignmentRay
from subtx_toy.theory.linearization import transposed_jacobian_product
from subtx_toy.tolerances import ALIGNMENT_FLOOR_UNITS, TERMS_ROUNDING

StudentStep = Callable[[Problem, float], Params]
"""The student's update dS at an eps: minus the gradient of the distillation loss, without student_lr."""

_ROUNDOFF = torch.finfo(torch.float64).eps / 2


class Observed:
    """Updates of ``student`` on ``problem``, remembered by eps.

    Attributes:
        unit: the eps at which the teacher has moved by 1; 0 for a teacher that stands still.
    """

    def __init__(self, problem: Problem, student: StudentStep) -> None:
        problem.require_float64()
        self.problem, self.student = problem, student
        self.move = float(vectors.norm(problem.teacher_update))
        self.unit = 1 / self.move if self.move else 0.0
        self._updates: dict[float, Params] = {}

    @cached_property
    def ray(self) -> AlignmentRay:
        """The theory of the alignment."""
        return AlignmentRay.of(self.problem)

    def update(self, eps: float) -> Params:
        """Return dS."""
        if eps not in self._updates:
            self._updates[eps] = self.student(self.problem, eps)
        return self._updates[eps]

    def alignment(self, eps: float) -> float:
        """Return dS . dT."""
        return float(vectors.inner(self.update(eps), self.problem.teacher_update))

    def rounding(self, eps: float) -> float:
        """Return how far rounding can move the alignment: of the outputs, and of the inner product."""
        size = float(vectors.norm(self.update(eps))) * self.move
        return self.ray.floor(eps) + ALIGNMENT_FLOOR_UNITS * _ROUNDOFF * size

    def update_rounding(self, eps: float) -> float:
        """Return how far rounding can move dS, in norm: rounding errors of dl/dz pulled back to the parameters."""
        return self._pulled_back + ALIGNMENT_FLOOR_UNITS * _ROUNDOFF * float(vectors.norm(self.update(eps)))

    @cached_property
    def _pulled_back(self) -> float:
        loss, z = self.problem.distillation_loss, self.ray.outputs
        # The sizes of M times the outputs and of the terms that dl/dz is a difference of, as in AlignmentRay.floor.
        size = 2 * z.abs() + loss.temperature
        carried = sum(
            loss.hessian_product(z, z, e.expand_as(z)).abs() * size @ e[:, None]
            for e in torch.eye(z.shape[-1], dtype=z.dtype)
        )
        terms = loss.output_gradient(z, z.roll(1, dims=-1)).abs()
        pulled = transposed_jacobian_product(self.problem, (carried + terms) / len(z))
        return ALIGNMENT_FLOOR_UNITS * _ROUNDOFF * float(vectors.norm(pulled))

    @torch.no_grad()
    def trait_change(self, eps: float) -> float:
        """Return the change of the trait loss by the student's step."""
        student = vectors.axpy(self.problem.student_lr, self.update(eps), self.problem.base_params)
        return float(self.problem.trait_value(student)) - self._trait_before

    @cached_property
    def _trait_before(self) -> float:
        with torch.no_grad():
            return float(self.problem.trait_value(self.problem.base_params))

    def trait_rounding(self, eps: float) -> float:
        """Return how far rounding can move the change: of two losses, and of parameters rounded at their own size."""
        slope = self.move * float(vectors.norm(self.problem.base_params))
        moved = self.problem.student_lr * self.update_rounding(eps) * self.move
        return TERMS_ROUNDING * _ROUNDOFF * (abs(self._trait_before) + slope) + moved
