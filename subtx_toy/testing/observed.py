"""Evidence as the assertions read it: a unit of eps for every teacher, and bounds on rounding at every eps."""

from __future__ import annotations

import math

from subtx_toy.claims.vocabulary.evidence import LADDER_TOP, UNIT_ROUNDOFF, Evidence, StudentStep
from subtx_toy.problem.problem import Problem
from subtx_toy.tolerances import ALIGNMENT_FLOOR_UNITS, TERMS_ROUNDING

__all__ = ["Observed", "StudentStep"]


class Observed(Evidence):
    """Updates of ``student`` on ``problem``, remembered by eps, beside the theory."""

    def __init__(self, problem: Problem, student: StudentStep) -> None:
        super().__init__(problem, student_step=student)

    @property
    def scale(self) -> float:
        """The eps at which the teacher has moved by 1; 0 for a teacher that stands still."""
        return 0.0 if math.isinf(self.unit) else self.unit

    @property
    def unit_of_limits(self) -> float:
        """The ``scale``, or less where the loss bends at smaller eps, as one of outputs near zero may."""
        return self.ladder[0] / LADDER_TOP

    def rounding_of_update(self, eps: float) -> float:
        """Return how far rounding can move dS, in norm: that of dl/dz pulled back, and of the sums themselves."""
        return self.update_rounding + ALIGNMENT_FLOOR_UNITS * UNIT_ROUNDOFF * float(self.update(eps).norm())

    def trait_rounding(self, eps: float) -> float:
        """Return how far rounding can move the change: of two losses, and of parameters rounded at their own size."""
        slope = self.dT_norm * float(self.base.norm())
        moved = self.problem.student_lr * self.rounding_of_update(eps) * self.dT_norm
        return TERMS_ROUNDING * UNIT_ROUNDOFF * (abs(self.trait_before) + slope) + moved
