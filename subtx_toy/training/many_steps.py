"""Students of many steps on a ``Problem``, one for each teacher, and what becomes of them step by step."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from subtx_toy.errors import InputError
from subtx_toy.problem import params as vectors
from subtx_toy.problem.model import FastMLP
from subtx_toy.problem.params import Params
from subtx_toy.problem.problem import Problem
from subtx_toy.problem.stack import Array, cut, forward
from subtx_toy.problem.stack import perceptron as mlp_of
from subtx_toy.problem.viewpoint import on_inputs, seen_from
from subtx_toy.training import perceptron
from subtx_toy.training.gradient_step import step_toward, trait_values
from subtx_toy.training.update_rules import Descent, OptimizerState, stepped

Step = Callable[[Problem, float], Params]
"""One student step as the one-step claims take it: minus the gradient at the problem's base, for a teacher at eps."""


class Imitation:
    """The distillation loss between students and their teachers at ``teachers`` ``[s, p]``, by its gradient.

    ``step`` takes the place of this package's gradient, if it is given: it is asked from every student's own place.
    """

    def __init__(self, problem: Problem, teachers: Float[np.ndarray, "s p"], *, step: Step | None = None) -> None:
        self.problem, self.teachers, self._step = problem, teachers, step

    @cached_property
    def _targets(self) -> Array:
        model = mlp_of(self.problem)
        return forward(cut(model, self.teachers), self.problem.inputs.T.numpy(), model.activation).outputs

    @cached_property
    @torch.no_grad()
    def _distilled(self) -> list[Tensor]:
        # A module's teachers speak once, and not again at every step.
        told = (vectors.unflatten(torch.from_numpy(one), self.problem.base_params) for one in self.teachers)
        return [self.problem.distilled(teacher) for teacher in told]

    def gradient(self, students: Float[np.ndarray, "s p"]) -> Array:
        """Return the gradient of each student's loss at its own parameters."""
        problem = self.problem
        if isinstance(problem.model, FastMLP) and self._step is None:
            at = perceptron.Student.at(cut(problem.model, students), problem.inputs.T.numpy(), problem.model.activation)
            return -perceptron.toward(self._targets, at, problem)
        rows = []
        for number, (student, teacher) in enumerate(zip(students, self.teachers, strict=True)):
            here = vectors.unflatten(torch.from_numpy(student), problem.base_params)
            if self._step is None:
                step = step_toward(problem, here, self._distilled[number])
            else:
                there = vectors.unflatten(torch.from_numpy(teacher), problem.base_params)
                step = self._step(seen_from(problem, here, there), 1.0)
            rows.append(-vectors.flatten(step).detach().numpy())
        return np.array(rows)

    def on(self, rows: Sequence[int]) -> Imitation:
        """Return the loss on some of the inputs."""
        return Imitation(on_inputs(self.problem, list(rows)), self.teachers, step=self._step)


def teachers_at(problem: Problem, eps: Sequence[float]) -> Float[np.ndarray, "s p"]:
    """Return the parameters of the teachers at each eps."""
    base, dT = flat(problem)
    return np.asarray(base + np.array(eps)[:, None] * dT)


def flat(problem: Problem) -> tuple[Array, Array]:
    """Return the base and the teacher's update as vectors, in the order of the problem's parameters."""
    if isinstance(problem.model, FastMLP):
        base, dT = problem.flat.numpy()
        return base, dT
    return vectors.flatten(problem.base_params).numpy(), vectors.flatten(problem.teacher_update).numpy()


def states(
    losses: Imitation | Sequence[Imitation], descent: Descent, *, start: OptimizerState | None = None
) -> Iterator[OptimizerState]:
    """Yield the state of students before the first step, after it, and so on without end.

    Args:
        losses: one, or the mini-batches to go through in turn, over and over (see ``Imitation.on``).
        descent: the optimiser.
        start: where students and their moments begin; by default at the base, with a fresh optimiser.
    """
    many = [losses] if isinstance(losses, Imitation) else list(losses)
    base = flat(many[0].problem)[0]
    state = OptimizerState.at(np.zeros_like(many[0].teachers)) if start is None else start
    number = 0
    while True:
        yield state
        gradient = many[number % len(many)].gradient(base + state.moved)
        state, number = stepped(descent, state, gradient, base), number + 1


def moved(
    losses: Imitation | Sequence[Imitation],
    descent: Descent,
    every: Sequence[int],
    *,
    start: OptimizerState | None = None,
) -> dict[int, Array]:
    """Return the displacements ``[s, p]`` of the students after each of these numbers of steps."""
    wanted, found = set(every), {}
    for number, state in enumerate(states(losses, descent, start=start)):
        if number in wanted:
            found[number] = state.moved
        if len(found) == len(wanted):
            break
    return found


@dataclass(frozen=True, eq=False)
class Curves:
    """One student against the step, arrays of K + 1 numbers, the first before any step.

    Attributes:
        alignment: cosine of the student's displacement and the teacher's update; nan before the first step.
        restoring: cosine of minus the loss's gradient with what is left to the teacher; positive to leading order at
            every step (claim C28), whatever the optimiser.
        distance: to the teacher, over that of the base: 1 at first.
        trait_loss: of the student; nan where the problem has none.
        function_cosine: of the changes of the distilled outputs, the student's and the teacher's, on the inputs.
    """

    alignment: Array
    restoring: Array
    distance: Array
    trait_loss: Array
    function_cosine: Array


@torch.no_grad()
def curves(problem: Problem, descent: Descent, num_steps: int, *, eps: float | None = None) -> Curves:
    """Take ``num_steps`` steps with one student and measure before each and after the last.

    Raises:
        InputError: for fewer than one step.
    """
    if num_steps < 1:
        raise InputError(f"num_steps: expected an integer >= 1, got {num_steps!r}")
    base, dT = flat(problem)
    loss = Imitation(problem, teachers_at(problem, [problem.eps if eps is None else eps]))
    teacher, rows = loss.teachers[0], []
    there, here = (_distilled(problem, one) for one in (teacher, base))
    for number, state in enumerate(states(loss, descent)):
        move = state.moved[0]
        left = teacher - base - move
        slope = loss.gradient(base + state.moved)[0]
        trait = np.nan
        if problem.trait_loss is not None:
            trait = float(trait_values(problem, torch.from_numpy(base + state.moved)))
        told = _cosine(_distilled(problem, base + move) - here, there - here)
        distance = float(np.linalg.norm(left) / np.linalg.norm(teacher - base))
        rows.append((_cosine(move, dT), _cosine(-slope, left), distance, trait, told))
        if number == num_steps:
            break
    return Curves(*np.array(rows).T)


def _distilled(problem: Problem, at: Array) -> Array:
    outputs: Tensor = problem.distilled(vectors.unflatten(torch.from_numpy(at), problem.base_params))
    return outputs.detach().numpy().ravel()


def _cosine(a: Array, b: Array) -> float:
    size = float(np.linalg.norm(a) * np.linalg.norm(b))
    return float(a @ b) / size if size else float("nan")
