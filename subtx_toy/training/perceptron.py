"""Gradient steps of perceptrons by passes written out by hand: one at many eps, or thousands of one shape at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from subtx_toy.problem.activations import Activation
from subtx_toy.problem.losses import Loss
from subtx_toy.problem.problem import Problem
from subtx_toy.problem.stack import Array, Layers, cut, forward, kept, perceptron, require_one_shape, stacked


class Student:
    """A student where it starts: its outputs, and the way back from them."""

    def __init__(self, layers: Layers, x: Array, activation: Activation) -> None:
        self._pass = forward(layers, x, activation)
        self._slopes = self._pass.slopes(activation)
        self.outputs = self._pass.outputs

    def update(self, r: Array) -> Array:
        """Return the update ``[..., p]`` of a loss whose slope in the outputs is minus ``r``."""
        pieces: list[Array] = []
        layers = list(zip(self._pass.layers, self._pass.inputs, [None, *self._slopes], strict=True))
        for (W, _), a, slope in reversed(layers):
            pieces[:0] = [np.matmul(r, a.swapaxes(-1, -2)).reshape(*r.shape[:-2], -1), r.sum(axis=-1)]
            if slope is not None:
                r = np.matmul(W.swapaxes(-1, -2), r)
                r *= slope
        return np.concatenate(pieces, axis=-1)


def student_updates(
    problem: Problem, eps: Sequence[float], starts: Float[Tensor, "s p"] | None
) -> Float[Tensor, "s p"]:
    """Return minus the gradient of the student's mean loss at each eps, flat, where it starts."""
    model, x, (base, dT) = perceptron(problem), problem.inputs.T.numpy(), problem.flat.numpy()
    targets = forward(cut(model, base + np.array(eps)[:, None] * dT), x, model.activation).outputs
    student = _at_base(problem) if starts is None else Student(cut(model, starts.numpy()), x, model.activation)
    return torch.from_numpy(toward(targets, student, problem))


def toward(targets: Array, student: Student, problem: Problem) -> Array:
    """Return the update of a student toward outputs ``[s, k, n]``; ``problem`` says by which loss, and on which."""
    r, columns = np.zeros(targets.shape), problem.columns
    r[:, columns] = slope(problem.distillation_loss, student.outputs[..., columns, :], targets[:, columns])
    r /= -targets.shape[-1]
    return student.update(r)


def _at_base(problem: Problem) -> Student:
    model, x = perceptron(problem), problem.inputs.T.numpy()
    return kept(problem, "student", lambda: Student(cut(model, problem.flat[0].numpy()), x, model.activation))


def slope(loss: Loss, z: Array, y: Array) -> Array:
    """Return dl/dz at ``y`` ``[s, k, n]``: written out for squared error and kl, else the derivative of the value."""
    if loss.name == "squared_error":
        return z - y
    if loss.name == "kl":
        return (_softmax(z / loss.temperature) - _softmax(y / loss.temperature)) / loss.temperature
    if loss.by_row:
        rows = (values.swapaxes(0, 1).reshape(y.shape[1], -1) for values in (np.broadcast_to(z, y.shape), y))
        return _differentiated(loss, *rows).reshape(y.shape[1], len(y), -1).swapaxes(0, 1)
    return np.stack([_differentiated(loss, *pair) for pair in zip(np.broadcast_to(z, y.shape), y, strict=True)])


def _softmax(z: Array) -> Array:
    powers: Array = np.exp(z - z.max(axis=-2, keepdims=True))
    powers /= powers.sum(axis=-2, keepdims=True)
    return powers


@torch.enable_grad()
def _differentiated(loss: Loss, z: Array, y: Array) -> Array:
    leaf, targets = (torch.from_numpy(np.array(values)).T for values in (z, y))
    leaf.requires_grad_()
    total = loss.values(leaf, targets).sum()
    (found,) = torch.autograd.grad(total, leaf, allow_unused=True, materialize_grads=True)
    slopes: Array = found.T.numpy()
    return slopes


CHUNK = 128
"""Problems stacked at once: fastest of 16 to 256 at width 16."""


@dataclass(frozen=True, eq=False)
class BatchedObservation:
    """What one student step did in each of s problems; updates are flat, without student_lr and eps."""

    alignment: Float[Tensor, " s"]
    student_update_norm: Float[Tensor, " s"]
    student_update: Float[Tensor, "s p"]


@torch.no_grad()
def observe(problems: Sequence[Problem], eps: float | None = None) -> BatchedObservation:
    """Take the step of teacher and student in every problem; ``eps`` is each problem's own by default."""
    require_one_shape(problems)
    found = [_observe(problems[at : at + CHUNK], eps) for at in range(0, len(problems), CHUNK)]
    return BatchedObservation(*(torch.from_numpy(np.concatenate(pieces)) for pieces in zip(*found, strict=True)))


def _observe(problems: Sequence[Problem], eps: float | None) -> tuple[Array, Array, Array]:
    first, (x, base, dT, steps) = problems[0], stacked(problems, eps)
    model = perceptron(first)
    targets = forward(cut(model, base + steps * dT), x, model.activation).outputs
    dS = toward(targets, Student(cut(model, base), x, model.activation), first)
    return np.vecdot(dS, dT), np.sqrt(np.vecdot(dS, dS)), dS
