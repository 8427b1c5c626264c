"""The training route of the evidence: what a student does on one problem, each update computed once."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from subtx_toy.errors import InputError
from subtx_toy.problem import checks
from subtx_toy.problem import params as vectors
from subtx_toy.problem.model import FastMLP
from subtx_toy.problem.params import Params
from subtx_toy.problem.problem import Problem
from subtx_toy.problem.stack import Array
from subtx_toy.training.gradient_step import student_step as _student_step
from subtx_toy.training.gradient_step import student_updates, trait_values

StudentStep = Callable[[Problem, float], Params]


@dataclass(frozen=True)
class StudentSteps:
    """A student by its updates at several eps, flat; it stands wherever a ``StudentStep`` does."""

    many: Callable[[Problem, Sequence[float]], Float[Tensor, "s p"]]

    def __call__(self, problem: Problem, eps: float) -> Params:
        """Return the update at one eps."""
        return vectors.unflatten(self.many(problem, [eps])[0], problem.base_params)


def flat_update(problem: Problem, update: object) -> Float[Tensor, " p"]:
    """Return a student's update as a vector, its parameters in the problem's order.

    Raises:
        InputError: naming every parameter that is missing, unknown, or of another shape or dtype.
    """
    base = problem.base_params
    if not isinstance(update, Mapping):
        raise InputError(f"student: expected a dict of tensors by parameter, got {type(update).__name__}")
    odd = [name for name, value in update.items() if not isinstance(value, Tensor)]
    InputError.gather(f"student[{name!r}]: expected a tensor, got {type(update[name]).__name__}" for name in odd)
    InputError.gather(checks.same_shapes("student", dict(update), base))
    return vectors.flatten({name: update[name].detach() for name in base})


class Observation:
    """The updates of a student on a problem in float64 at several eps, and what follows from them."""

    def __init__(self, problem: Problem, step: StudentStep = _student_step) -> None:
        self.problem, self.step = problem, step
        own = student_updates if step is _student_step else None
        self._many = step.many if isinstance(step, StudentSteps) else own
        self._updates: dict[float, Array] = {}
        self._numbers: dict[float, tuple[float, float]] = {}

    @cached_property
    def dT(self) -> Float[Tensor, " p"]:  # noqa: N802
        """The teacher's update, flat."""
        problem = self.problem
        return problem.flat[1] if isinstance(problem.model, FastMLP) else vectors.flatten(problem.teacher_update)

    @cached_property
    def dT_norm(self) -> float:  # noqa: N802
        """Its norm."""
        return float(norms(self.dT.numpy()))

    @cached_property
    def base(self) -> Float[Tensor, " p"]:
        """The shared initialisation, flat."""
        problem = self.problem
        return problem.flat[0] if isinstance(problem.model, FastMLP) else vectors.flatten(problem.base_params)

    @cached_property
    def base_norm(self) -> float:
        """Its norm."""
        return float(norms(self.base.numpy()))

    @cached_property
    def unit(self) -> float:
        """The eps at which the teacher has moved by 1; infinite for a teacher that does not move."""
        return 1 / self.dT_norm if self.dT_norm else math.inf

    def prepare(self, every: Sequence[float]) -> None:
        """Announce that these eps will be asked for: some students take all of them in one pass."""
        missing = [eps for eps in every if eps not in self._updates]
        if missing and self._many is not None:
            updates = self._many(self.problem, missing).numpy()
            self._updates.update(zip(missing, updates, strict=True))
            numbers = zip((updates @ self.dT.numpy()).tolist(), norms(updates).tolist(), strict=True)
            self._numbers.update(zip(missing, numbers, strict=True))

    def update(self, eps: float) -> Float[Tensor, " p"]:
        """Return the student's observed update dS at ``eps``, flat."""
        return torch.from_numpy(self._update(eps))

    def updates(self, every: Sequence[float]) -> Float[np.ndarray, "s p"]:
        """Return the updates at several eps."""
        self.prepare(every)
        return np.array([self._update(eps) for eps in every])

    def _update(self, eps: float) -> Array:
        if eps not in self._updates:
            if self._many is None:
                self._updates[eps] = flat_update(self.problem, self.step(self.problem, eps)).numpy()
            else:
                self._updates[eps] = self._many(self.problem, [eps])[0].numpy()
        return self._updates[eps]

    def alignment(self, eps: float) -> float:
        """Return the observed alignment dS . dT."""
        return self._alignment_and_norm(eps)[0]

    def update_norm(self, eps: float) -> float:
        """Return ||dS||."""
        return self._alignment_and_norm(eps)[1]

    def _alignment_and_norm(self, eps: float) -> tuple[float, float]:
        if eps not in self._numbers:
            update = self._update(eps)
            self._numbers[eps] = float(update @ self.dT.numpy()), float(norms(update))
        return self._numbers[eps]

    @cached_property
    def trait_before(self) -> float:
        """The trait loss at the shared initialisation."""
        return float(trait_values(self.problem, self.base[None]))

    def trait_change(self, eps: float, student_lr: float | None = None) -> float:
        """Return the change of the trait loss by the student's step, of the problem's own size by default."""
        return self.trait_changes([eps], self.problem.student_lr if student_lr is None else student_lr)[0]

    def trait_changes(self, every: Sequence[float], student_lr: float | Float[np.ndarray, " s"]) -> list[float]:
        """Return the changes of the trait loss by steps at these eps, of one size or one size for each."""
        steps = np.reshape(student_lr, (-1, 1)) * self.updates(every)
        values: list[float] = trait_values(self.problem, self.base + torch.from_numpy(steps)).tolist()
        return [value - self.trait_before for value in values]


def norms(vectors: Float[np.ndarray, "*s p"]) -> Float[np.ndarray, "*s"]:
    """Return the Euclidean norms of vectors."""
    return np.asarray(np.sqrt(np.vecdot(vectors, vectors)))
