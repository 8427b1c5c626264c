"""What the claims on many steps ask about one problem: functions of G by theory, and students that take the steps."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import torch

from subtx_toy.claims.vocabulary.claim import Inequality
from subtx_toy.claims.vocabulary.observation import StudentStep, flat_update, norms
from subtx_toy.claims.vocabulary.orders import second_order_check
from subtx_toy.problem import params as vectors
from subtx_toy.problem.params import Params
from subtx_toy.problem.problem import Problem
from subtx_toy.problem.stack import Array
from subtx_toy.theory import linearization
from subtx_toy.theory.output_kernel import OutputKernel
from subtx_toy.tolerances import PREDICTED_ROUNDING
from subtx_toy.training.gradient_step import student_step
from subtx_toy.training.many_steps import Imitation, moved
from subtx_toy.training.update_rules import Descent, OptimizerState

if TYPE_CHECKING:
    from subtx_toy.claims.vocabulary.evidence import Evidence

Function = Callable[[Array], Array]

UNIT_ROUNDOFF = torch.finfo(torch.float64).eps / 2

MAX_ROWS = 1024
"""Inputs times distilled outputs: the eigenvectors of the kernel are taken, at the cost of their number cubed."""


@dataclass(frozen=True, eq=False)
class ManySteps:
    """Both routes for students of many steps on the problem of ``evidence``.

    The theory route is ``kernel`` and ``predicted``; the training route is ``losses`` and ``observed``. What controls
    break is said by keywords.

    Attributes:
        evidence: of the problem.
        reach: student_lr in units of what a claim allows, 1 for the claims themselves.
        factor: on every prediction, for planted errors.
        start: where students start instead of at the base, ``[p]``.
        imitated: the problem whose distillation loss students descend, instead of the evidence's.
        decay_towards: where decaying students are pulled to.
        lr_follows_eps: whether Adam's step size is proportional to eps.
        lr_over_scale: whether the step size of scaled students is divided by their scale twice, and not once.
        same_inputs: whether every generation of a chain learns on all inputs, and not on every other one in turn.
    """

    evidence: Evidence
    reach: float = 1.0
    factor: float = 1.0
    start: Array | None = None
    imitated: Problem | None = None
    decay_towards: str = "init"
    lr_follows_eps: bool = True
    lr_over_scale: bool = True
    same_inputs: bool = True

    @cached_property
    def kernel(self) -> OutputKernel:
        """G by way of the outputs."""
        return OutputKernel(self.evidence.problem, num_rows=MAX_ROWS)

    @property
    def largest(self) -> float:
        """lambda_max of G."""
        return self.kernel.largest

    @cached_property
    def seen(self) -> torch.Tensor:
        """What the outputs see of the teacher's update."""
        return self.kernel.seen(self.evidence.dT)

    def predicted(self, function: Function) -> Array:
        """Return f(G) dT, for a function with f(0) = 0."""
        return self.factor * self.kernel.applied(function, self.seen).numpy()

    @cached_property
    def weights(self) -> tuple[Array, Array]:
        """The positive eigenvalues of G and (u_j . dT)^2: dT . f(G) dT is a sum over them, for f(0) = 0."""
        values = self.kernel.modes[0].numpy()
        kept = values > len(values) * UNIT_ROUNDOFF * self.largest
        return values[kept], self.kernel.components(self.seen).numpy()[kept] ** 2 / values[kept]

    def teachers(self, every: Sequence[float]) -> Array:
        """Return the parameters of the teachers at each eps."""
        return np.asarray(self.evidence.base.numpy() + np.array(every)[:, None] * self.evidence.dT.numpy())

    def losses(self, teachers: Array) -> Imitation:
        """Return the distillation loss toward ``teachers``, of the student that the evidence observes."""
        step = self.evidence.step
        problem = self.evidence.problem if self.imitated is None else self.imitated
        return Imitation(problem, teachers, step=None if step is student_step else _in_order(step))

    def begun(self, num: int) -> OptimizerState:
        """Return ``num`` students before their first step."""
        base = self.evidence.base.numpy()
        start = base if self.start is None else self.start
        return OptimizerState.at(np.repeat((start - base)[None], num, axis=0))

    def observed(
        self,
        descent: Descent,
        every: Iterable[int],
        *,
        ladder: Sequence[float] | None = None,
        rows: Sequence[Sequence[int]] | None = None,
    ) -> dict[int, Array]:
        """Return the displacements ``[s, p]`` on the ladder after each number of steps, on batches if ``rows``."""
        ladder = self.evidence.ladder if ladder is None else ladder
        losses = self.losses(self.teachers(ladder))
        batches = losses if rows is None else [losses.on(one) for one in rows]
        return moved(batches, descent, list(every), start=self.begun(len(ladder)))

    @property
    def rate(self) -> float:
        """The step size of plain gradient descent: 1 / lambda_max, times the reach."""
        return self.reach / self.largest

    def descended(self, every: Iterable[int]) -> dict[int, Array]:
        """Return what ``observed`` does for plain gradient descent at ``rate``; several claims ask for it."""
        wanted = list(every)
        missing = [num_steps for num_steps in wanted if num_steps not in self._descended]
        if missing:
            self._descended.update(self.observed(Descent("gd", lr=self.rate), missing))
        return {num_steps: self._descended[num_steps] for num_steps in wanted}

    @cached_property
    def _descended(self) -> dict[int, Array]:
        return {}

    def rounding(self, num_steps: int, student_lr: float) -> float:
        """Return how far rounding moves a displacement, in norm: steps are no longer than their gradients' errors."""
        return 2 * num_steps * student_lr * self.evidence.update_rounding

    def order_check(self, predicted: Array, observed: Array, rounding: float, what: str) -> Inequality:
        """Check that displacements on the ladder are eps ``predicted`` up to second order."""
        ladder = np.array(self.evidence.ladder)
        gaps = norms(observed - ladder[:, None] * predicted).tolist()
        size = float(norms(predicted))
        floor = rounding + PREDICTED_ROUNDING * self.evidence.ladder[0] * size
        known = 0.0 if self.evidence.degenerate else size
        return second_order_check(self.evidence.ladder, gaps, floor, what=what, predicted=known)

    def linear_outputs(self, displacement: torch.Tensor) -> Array:
        """Return J ``displacement`` on the distilled outputs, as one vector."""
        problem = self.evidence.problem
        move = vectors.unflatten(displacement, problem.base_params)
        return linearization.jacobian_product(problem, move)[1].numpy().ravel()

    def as_vectors(self, displacements: Array) -> torch.Tensor:
        """Return displacements as a tensor."""
        return torch.from_numpy(displacements)

    def along(self, displacement: Array) -> float:
        """Return the alignment of a displacement with the teacher's update."""
        return float(displacement @ self.evidence.dT.numpy())


def _in_order(step: StudentStep) -> Callable[[Problem, float], Params]:
    def ordered(problem: Problem, eps: float) -> Params:
        return vectors.unflatten(flat_update(problem, step(problem, eps)), problem.base_params)

    return ordered
