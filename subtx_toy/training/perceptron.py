"""Gradient steps of perceptrons by passes written out by hand: one at many eps, or thousands of one shape at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from subtx_toy.problem.activations import Activation
from subtx_toy.problem.losses import Loss, Multiple, OnTargets, soft_values
from subtx_toy.problem.problem import Problem
from subtx_toy.problem.stack import (
    Array,
    Layers,
    Pass,
    Slope,
    cut,
    forward,
    kept,
    perceptron,
    remembered,
    require_one_shape,
    stacked,
)
from subtx_toy.problem.trait_loss import LabelledCrossEntropy, TargetedSquaredError


class Student:
    """A student where it starts: its outputs, and the way back from them."""

    def __init__(self, forwards: Pass, slopes: Sequence[Slope]) -> None:
        self._pass, self._slopes, self.outputs = forwards, slopes, forwards.outputs

    @classmethod
    def at(cls, layers: Layers, x: Array, activation: Activation) -> Student:
        """Put the student at these parameters."""
        forwards = forward(layers, x, activation)
        return cls(forwards, forwards.slopes(activation))

    def update(self, r: Array) -> Array:
        """Return the update ``[..., p]`` of a loss whose slope in the outputs is minus ``r``."""
        return self._pass.gradient(r, self._slopes)


def student_updates(
    problem: Problem, eps: Sequence[float], starts: Float[Tensor, "starts p"] | None
) -> Float[Tensor, "s p"]:
    """Return minus the gradient of the student's mean loss at each eps, flat, where it starts."""
    model, x = perceptron(problem), problem.inputs.T.numpy()
    student = _at_base(problem) if starts is None else Student.at(cut(model, starts.numpy()), x, model.activation)
    return torch.from_numpy(toward(teacher_outputs(problem, eps), student, problem))


def teacher_outputs(problem: Problem, eps: Sequence[float]) -> Array:
    """Return all outputs ``[s, k, n]`` of the teacher at each eps, on the inputs of the distillation."""
    model, (base, dT) = perceptron(problem), problem.flat.numpy()

    def outputs(missing: list[float]) -> Array:
        teachers = cut(model, base + np.array(missing)[:, None] * dT)
        return forward(teachers, problem.inputs.T.numpy(), model.activation).outputs

    return remembered(kept(problem, "targets", dict[float, Array]), eps, outputs)


def toward(targets: Array, student: Student, problem: Problem) -> Array:
    """Return the update of a student toward outputs ``[s, k, n]``; ``problem`` says by which loss, and on which."""
    r, columns = np.zeros(targets.shape), problem.columns
    r[:, columns] = slope(problem.distillation_loss, student.outputs[..., columns, :], targets[:, columns])
    r /= -targets.shape[-1]
    return student.update(r)


def _at_base(problem: Problem) -> Student:
    model, x = perceptron(problem), problem.inputs.T.numpy()
    return kept(problem, "student", lambda: Student.at(cut(model, problem.flat[0].numpy()), x, model.activation))


def slope(loss: Loss, z: Array, y: Array) -> Array:
    """Return dl/dz at ``y`` ``[s, k, n]``: by hand for the losses below, else by autograd."""
    if loss.formula == "squared_error":
        return z - y
    if loss.formula == "kl":
        return (_softmax(z / loss.temperature) - _softmax(y / loss.temperature)) / loss.temperature
    made = loss.value_and_gradient
    if isinstance(made, partial) and made.func is soft_values:
        return (_softmax(z / loss.temperature) - y) / loss.temperature
    if isinstance(made, Multiple):
        return np.asarray(slope(made.loss, z, y) * np.asarray(made.factor))
    if isinstance(made, OnTargets):
        return slope(made.loss, z, made.change(torch.from_numpy(y).mT).mT.numpy())
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


def trait_values(problem: Problem, params: Float[Tensor, "s p"]) -> Float[Tensor, " s"]:
    """Return the trait loss at several parameters: written out for those of drawn problems."""
    model, trait = perceptron(problem), problem.trait_loss
    assert trait is not None
    z = forward(cut(model, params.numpy()), trait.inputs.T.numpy(), model.activation).outputs
    value = trait.value
    if isinstance(value, TargetedSquaredError):
        gaps = z[:, value.columns] - value.targets.T.numpy()
        return torch.from_numpy((gaps * gaps).sum(1).mean(-1) / 2)
    if isinstance(value, LabelledCrossEntropy):
        z = z[:, value.columns] - z[:, value.columns].max(1, keepdims=True)
        right = z[:, value.labels.numpy(), np.arange(z.shape[-1])]
        return torch.from_numpy((np.log(np.exp(z).sum(1)) - right).mean(-1))
    return torch.stack([value(torch.from_numpy(one).T) for one in z])


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
    dS = toward(targets, Student.at(cut(model, base), x, model.activation), first)
    return np.vecdot(dS, dT), np.sqrt(np.vecdot(dS, dS)), dS
