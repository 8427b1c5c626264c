"""Thousands of small perceptron problems at once: curvature and exact alignment (claims C1 and C5).

Normalisation as everywhere: SUM over the distilled outputs, MEAN over the n inputs of each problem.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from subtx_toy.problem.losses import Loss, tempered
from subtx_toy.problem.problem import Problem
from subtx_toy.problem.stack import cut, forward, perceptron, require_one_shape, stacked
from subtx_toy.theory.curvature import curvature_per_input
from subtx_toy.theory.perceptron import Expansion

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
    if loss.name != "kl":
        return curvature_per_input(loss, z, v)
    # The same variance of v under the softmax, over the first axis, where torch's kernel is 7 times faster.
    p = torch.softmax(tempered(z.T.contiguous(), loss.temperature), dim=0)
    centred = v.T - (p * v.T).sum(0)
    return (p * centred**2).sum(0) / loss.temperature**2
