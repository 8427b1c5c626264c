"""Perceptrons by passes written out by hand: one at many eps, or thousands of one shape at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from subtx_toy.problem.activations import Activation
from subtx_toy.problem.losses import Loss, tempered
from subtx_toy.problem.params import Params
from subtx_toy.problem.problem import Problem
from subtx_toy.problem.stack import (
    Array,
    Layers,
    cut,
    forward,
    kept,
    layers_of,
    perceptron,
    remembered,
    require_one_shape,
    stacked,
)


class Expansion:
    """A forward pass and the derivatives at its parameters."""

    def __init__(self, layers: Layers, x: Array, activation: Activation) -> None:
        self._pass = forward(layers, x, activation)
        self._slopes = self._pass.slopes(activation)
        self.outputs = self._pass.outputs

    def along(self, update: Layers) -> Array:
        """Return J ``update``, of the shape of the outputs: v = dW a + db + W a', a' = s'(z) v."""
        (dW, db), *rest = update
        v = dW @ self._pass.inputs[0] + db
        for number, (dW, db) in enumerate(rest, start=1):
            W, _ = self._pass.layers[number]
            v = dW @ self._pass.inputs[number] + db + W @ (self._slopes[number - 1] * v)
        return v

    def pulled_back(self, r: Array) -> Array:
        """Return J^T ``r`` as vectors ``[..., p]``, summed over inputs and outputs."""
        found: list[Array] = []
        for number in range(len(self._slopes), -1, -1):
            dW = r @ self._pass.inputs[number].swapaxes(-1, -2)
            found += r.sum(-1), dW.reshape(*dW.shape[:-2], -1)
            if number:
                r = self._pass.layers[number][0].swapaxes(-1, -2) @ r * self._slopes[number - 1]
        return np.concatenate(found[::-1], axis=-1)

    def gram(self, columns: slice | list[int]) -> Array:
        """Return J J^T of the outputs ``columns``: a layer's part is (d . d') (a . a' + 1), d what is pulled back."""
        num_outputs, num_inputs = self.outputs.shape
        r = np.repeat(np.eye(num_outputs)[columns][:, :, None], num_inputs, axis=-1)  # [k, o, n]
        size = num_inputs * len(r)
        found = np.zeros((size, size))
        for number in range(len(self._slopes), -1, -1):
            a, d = self._pass.inputs[number], r.transpose(2, 0, 1).reshape(size, -1)
            found += (d @ d.T) * np.repeat(np.repeat(a.T @ a + 1, len(r), axis=0), len(r), axis=1)
            if number:
                r = self._pass.layers[number][0].T @ r * self._slopes[number - 1]
        return found

    def jacobian(self, columns: slice | list[int]) -> Array:
        """Return J ``[n, k, p]`` of the outputs ``columns``; no leading axis."""
        num_outputs, num_inputs = self.outputs.shape
        r = np.repeat(np.eye(num_outputs)[columns].T[..., None], num_inputs, axis=-1)  # [o, k, n]
        found: list[Array] = []
        for number in range(len(self._slopes), -1, -1):
            dW = np.einsum("okn,in->nkoi", r, self._pass.inputs[number])
            found += r.transpose(2, 1, 0), dW.reshape(*dW.shape[:2], -1)
            if number:
                r = np.tensordot(self._pass.layers[number][0].T, r, 1) * self._slopes[number - 1][:, None]
        return np.concatenate(found[::-1], axis=-1)


def change_of_outputs(problem: Problem, update: Params, inputs: Float[Tensor, "n d"]) -> Float[Tensor, "n k"]:
    """Return J ``update`` on other inputs, all outputs, at the base."""
    model, layers = perceptron(problem), cut(perceptron(problem), problem.flat[0].numpy())
    return torch.from_numpy(Expansion(layers, inputs.T.numpy(), model.activation).along(layers_of(update))).T


def gram(problem: Problem) -> Array:
    """Return J J^T ``[nk, nk]`` of the distilled outputs at the base, row input * k + output, layer by layer."""
    return _at_base(problem).gram(problem.columns)


def dense_jacobian(problem: Problem) -> Float[Tensor, "n k p"]:
    """Return J of the distilled outputs at the base."""
    return torch.from_numpy(_at_base(problem).jacobian(problem.columns))


def outputs_and_product(problem: Problem, update: Params) -> tuple[Float[Tensor, "n k"], Float[Tensor, "n k"]]:
    """Return the distilled outputs at the base and J ``update``."""
    base = _at_base(problem)
    v = _along_teacher(problem) if update is problem.teacher_update else base.along(layers_of(update))
    return base_outputs(problem), torch.from_numpy(v[problem.columns]).T


def pulled_back(problem: Problem, weights: Array, at: Params | None = None) -> Array:
    """Return J^T ``weights`` ``[k, n]``, flat, at the base or at other parameters."""
    base = _at_base(problem) if at is None else _expand(problem, at)
    r = np.zeros_like(base.outputs)
    r[problem.columns] = weights
    return base.pulled_back(r)


def teacher_outputs(problem: Problem, eps: Sequence[float]) -> Array:
    """Return the teacher's distilled outputs ``[s, k, n]`` at each eps."""
    model, (base, update) = perceptron(problem), problem.flat.numpy()

    def outputs(missing: list[float]) -> Array:
        teachers = cut(model, base + np.array(missing)[:, None] * update)
        return forward(teachers, problem.inputs.T.numpy(), model.activation).outputs

    return remembered(kept(problem, "teachers", dict[float, Array]), eps, outputs)[:, problem.columns]


def base_outputs(problem: Problem) -> Float[Tensor, "n k"]:
    """Return the distilled outputs at the base."""
    return torch.from_numpy(_at_base(problem).outputs[problem.columns]).T


def _expand(problem: Problem, params: Params) -> Expansion:
    model = perceptron(problem)
    layers = cut(model, problem.flat[0].numpy()) if params is problem.base_params else layers_of(params)
    return Expansion(layers, problem.inputs.T.numpy(), model.activation)


def _at_base(problem: Problem) -> Expansion:
    return kept(problem, "expansion", lambda: _expand(problem, problem.base_params))


def _along_teacher(problem: Problem) -> Array:
    teacher = cut(perceptron(problem), problem.flat[1].numpy())
    return kept(problem, "J dT", lambda: _at_base(problem).along(teacher))


CHUNK = 64
"""Problems stacked at once: fewer pay more often for the calls, more leave the caches. Fastest of 16 to 256."""


@dataclass(frozen=True, eq=False)
class BatchedPrediction:
    """What theory says of each of s problems: V = dT^T G dT, the alignment dS . dT at the eps asked for, and more.

    ``outputs`` are the distilled ones at the base, and ``v`` is J dT.
    """

    curvature: Float[Tensor, " s"]
    alignment: Float[Tensor, " s"]
    outputs: Float[Tensor, "s n k"]
    v: Float[Tensor, "s n k"]


@torch.no_grad()
def predict(problems: Sequence[Problem], eps: float | None = None) -> BatchedPrediction:
    """Predict curvature and alignment of problems of one shape (see ``require_one_shape``), by default at their eps.

    a(eps) = -mean_n <v_n, dl/dz(f_base(x_n), f_teacher(eps)(x_n))>,   V = mean_n v_n^T M_n v_n,   v = J dT
    """
    require_one_shape(problems)
    found = [_predict(problems[at : at + CHUNK], eps) for at in range(0, len(problems), CHUNK)]
    return BatchedPrediction(*(torch.cat(pieces) for pieces in zip(*found, strict=True)))


def _predict(problems: Sequence[Problem], eps: float | None) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    first, (x, base, update, steps) = problems[0], stacked(problems, eps)
    model, loss, shape = perceptron(first), first.distillation_loss, (len(problems), len(first.inputs))
    teacher = forward(cut(model, base + steps * update), x, model.activation).outputs
    student = Expansion(cut(model, base), x, model.activation)
    arrays = teacher, student.outputs, student.along(cut(model, update))
    # Outputs first in memory, last in the shape: there torch's kernels work on many inputs at once.
    y, z, v = (torch.from_numpy(one[:, first.columns]).transpose(0, 1).flatten(1).T for one in arrays)
    alignment = -(v * loss.output_gradient(z, y)).sum(-1)
    V = _curvature_per_input(loss, z, v)
    return V.view(shape).mean(1), alignment.view(shape).mean(1), z.view(*shape, -1), v.view(*shape, -1)


@torch.no_grad()
def ggn_products(problems: Sequence[Problem]) -> Float[Tensor, "s p"]:
    """Return G dT of problems of one shape, in the order of ``Problem.flat``."""
    require_one_shape(problems)
    return torch.cat([_ggn_products(problems[at : at + CHUNK]) for at in range(0, len(problems), CHUNK)])


def _ggn_products(problems: Sequence[Problem]) -> Float[Tensor, "s p"]:
    first, (x, base, update, _) = problems[0], stacked(problems, None)
    model, shape = perceptron(first), (len(problems), len(first.inputs), -1)
    student = Expansion(cut(model, base), x, model.activation)
    arrays = student.outputs, student.along(cut(model, update))
    z, v = (torch.from_numpy(one[:, first.columns]).transpose(0, 1).flatten(1).T for one in arrays)
    r = np.zeros_like(student.outputs)
    r[:, first.columns] = first.distillation_loss.hessian_product(z, z, v).reshape(shape).mT.numpy() / shape[1]
    return torch.from_numpy(student.pulled_back(r))


def _curvature_per_input(loss: Loss, z: Float[Tensor, "n k"], v: Float[Tensor, "n k"]) -> Float[Tensor, " n"]:
    if loss.formula != "kl":
        from subtx_toy.theory.curvature import curvature_per_input  # which imports this module

        return curvature_per_input(loss, z, v)
    # The same variance of v under the softmax, over the first axis, where torch's kernel is 7 times faster.
    p = torch.softmax(tempered(z.T.contiguous(), loss.temperature), dim=0)
    centred = v.T - (p * v.T).sum(0)
    return (p * centred**2).sum(0) / loss.temperature**2
