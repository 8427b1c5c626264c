"""Students and teachers whose outputs are scaled about the base: f_base + scale (f - f_base)."""

from __future__ import annotations

import copy
from functools import cached_property

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from subtx_toy.problem import params as vectors
from subtx_toy.problem.functional import Apply
from subtx_toy.problem.model import MLP, FastMLP
from subtx_toy.problem.params import Params
from subtx_toy.problem.problem import Problem
from subtx_toy.problem.stack import Array, cut, forward
from subtx_toy.problem.stack import perceptron as mlp_of
from subtx_toy.training import perceptron
from subtx_toy.training.gradient_step import step_toward
from subtx_toy.training.many_steps import Imitation, flat


class ScaledImitation(Imitation):
    """As ``Imitation``, of models with the outputs f_base + scale (f - f_base), one scale for each student.

    The gradient is that of the loss in these outputs divided by scale: times J, and not times scale J. With a step size
    of lr / scale, which is lr / scale^2 along the loss's own gradient, a student moves by 1 / scale as far, and its
    outputs as far as before. A large scale is the linearised model.

    Reference: Chizat et al. 2019, arXiv:1812.07956.
    """

    def __init__(self, problem: Problem, teachers: Float[np.ndarray, "s p"], scales: Float[np.ndarray, " s"]) -> None:
        super().__init__(problem, teachers)
        self.scales = scales

    def gradient(self, students: Float[np.ndarray, "s p"]) -> Array:
        """Return (1 / scale) of the gradient of each student's loss."""
        problem = self.problem
        if isinstance(problem.model, FastMLP):
            layers, x, model = cut(problem.model, students), problem.inputs.T.numpy(), problem.model
            at, base = perceptron.Student.at(layers, x, model.activation), self._base_outputs()
            at.outputs = base + self.scales[:, None, None] * (at.outputs - base)
            return -perceptron.toward(base + self.scales[:, None, None] * (self._targets - base), at, problem)
        rows = []
        for student, (seen, targets), scale in zip(students, self._seen, self.scales.tolist(), strict=True):
            here = vectors.unflatten(torch.from_numpy(student), problem.base_params)
            rows.append(-vectors.flatten(step_toward(seen, here, targets)).numpy() / scale)
        return np.array(rows)

    @cached_property
    @torch.no_grad()
    def _seen(self) -> list[tuple[Problem, Tensor]]:
        # For each student the problem whose outputs are scaled, and what its teacher says there.
        problem, found = self.problem, []
        apply: Apply = problem.model.apply if isinstance(problem.model, MLP) else problem.model
        start = apply(problem.base_params, problem.inputs)
        for teacher, scale in zip(self.teachers, self.scales.tolist(), strict=True):
            seen = copy.copy(problem)
            seen.__dict__.pop("_kept", None)
            seen.__dict__.update(model=_scaled(apply, start, scale))
            there = vectors.unflatten(torch.from_numpy(teacher), problem.base_params)
            found.append((seen, seen.distilled(there)))
        return found

    def changes(self, students: Float[np.ndarray, "s p"]) -> Array:
        """Return how far the distilled outputs of each have moved from the base, scaled, ``[s, n k]``."""
        problem, base = self.problem, flat(self.problem)[0]
        found = []
        for student, scale in zip((base, *students), (1.0, *self.scales.tolist()), strict=True):
            with torch.no_grad():
                outputs = problem.distilled(vectors.unflatten(torch.from_numpy(student), problem.base_params))
            found.append(scale * outputs.numpy().ravel())
        moved: Array = np.array(found[1:]) - self.scales[:, None] * found[0]
        return moved

    def _base_outputs(self) -> Array:
        model, x = mlp_of(self.problem), self.problem.inputs.T.numpy()
        return forward(cut(model, flat(self.problem)[0]), x, model.activation).outputs


def _scaled(apply: Apply, start: Tensor, scale: float) -> Apply:
    def outputs(params: Params, inputs: Tensor) -> Tensor:
        return start + scale * (apply(params, inputs) - start)

    return outputs
