"""Thousands of small perceptron problems at once: curvature and exact alignment (claims C1 and C5).

Normalisation as everywhere: SUM over the distilled outputs, MEAN over the n inputs of each problem. Problems of one
shape are stacked along a first axis s and one product a layer serves them all, numpy's, which is faster than torch's on
small matrices; Jacobian products are written out by hand, so that the single route, by torch.func, checks them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from jaxtyping import Float
from torch import Tensor

from subtx_toy.problem.activations import Activation
from subtx_toy.problem.losses import Loss, tempered
from subtx_toy.problem.model import MLP
from subtx_toy.problem.problem import Problem
from subtx_toy.problem.stack import activate, cut, empty, require_one_shape
from subtx_toy.theory.curvature import curvature_per_input

CHUNK = 64
"""Problems stacked at once: fewer pay more often for the calls, more leave the caches. Fastest of 16 to 256."""

GROUP = 256
"""Problems whose outputs go through the loss at once: many small operations, as many however long they are."""

Array = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class BatchedPrediction:
    """What theory says of each of s problems, ``[s]``.

    Attributes:
        curvature: V = dT^T G dT, the slope of the alignment at eps = 0; never negative for squared error and kl.
        alignment: student_update . teacher_update at the eps asked for, exact up to rounding.
    """

    curvature: Float[Tensor, " s"]
    alignment: Float[Tensor, " s"]


@torch.no_grad()
def predict(problems: Sequence[Problem], eps: float | None = None) -> BatchedPrediction:
    """Predict curvature and alignment of problems of one shape; ``eps`` is each problem's own by default.

    a(eps) = -mean_n <v_n, dl/dz(f_base(x_n), f_teacher(eps)(x_n))>,   V = mean_n v_n^T M_n v_n,   v = J dT

    Raises:
        InputError: if there is none, or one is no float64 perceptron, or of another shape, loss or distilled set than
            the first.
    """
    require_one_shape(problems)
    first, found = problems[0], []
    stack = _Stack(first, min(CHUNK, len(problems)))
    outputs = empty(3, stack.num_outputs, min(GROUP, len(problems)), len(first.inputs))
    for start in range(0, len(problems), GROUP):
        group = problems[start : start + GROUP]
        for at in range(0, len(group), CHUNK):
            chunk = group[at : at + CHUNK]
            if len(chunk) != stack.num:
                stack = _Stack(first, len(chunk))
            stack.read(chunk, eps)
            stack.write(outputs[:, :, at : at + len(chunk)])
        found.append(_of_outputs(first, outputs[:, first.columns, : len(group)]))
    return BatchedPrediction(*(torch.cat(pieces) for pieces in zip(*found, strict=True)))


def _of_outputs(first: Problem, outputs: Float[Tensor, "3 k s n"]) -> tuple[Tensor, Tensor]:
    # Outputs first in memory, last in the shape: there torch's kernels work on many inputs at once.
    y, z, v = (one.flatten(1).T for one in outputs)
    loss, num = first.distillation_loss, outputs.shape[2]
    r = loss.output_gradient(z, y)
    return _curvature_per_input(loss, z, v).view(num, -1).mean(1), -(v * r).sum(-1).view(num, -1).mean(1)


class _Stack:
    """Teacher, base, and the base's derivative along the update, of ``num`` problems, in buffers made once.

    Teacher and base stand side by side on a first axis, so that one operation serves both.
    """

    def __init__(self, first: Problem, num: int) -> None:
        assert isinstance(first.model, MLP)
        self.num, self.num_outputs, self._activation = num, first.model.sizes[-1], first.model.activation
        self._vectors = empty(3, num, first.flat.shape[1])  # teacher, base, update
        self._x, self._eps = empty(num, *first.inputs.shape), empty(num, 1)
        parts = cut(self._vectors, first.base_params)
        self._layers = [
            _Layer(parts[f"layers.{at}.weight"], parts[f"layers.{at}.bias"], len(first.inputs))
            for at in range(first.model.num_layers)
        ]

    def read(self, problems: Sequence[Problem], eps: float | None) -> None:
        """Take in the problems' inputs and parameters, by one concatenation each."""
        torch.cat([one.inputs for one in problems], out=self._x.flatten(0, 1))
        torch.cat([one.flat for one in problems], dim=1, out=self._vectors[1:].flatten(1))
        self._eps.copy_(torch.tensor([[one.eps if eps is None else eps] for one in problems], dtype=torch.float64))
        teacher, base, update = self._vectors
        torch.addcmul(base, update, self._eps, out=teacher)

    def write(self, outputs: Float[Tensor, "3 k s n"]) -> None:
        """Write the outputs of teacher and base, and the base's derivative."""
        a, tangent = self._x.mT[None].numpy(), None
        for layer in self._layers[:-1]:
            layer.apply(a, tangent)
            a, tangent = layer.activate(self._activation)
        self._layers[-1].apply(a, tangent)
        outputs[:2].copy_(self._layers[-1].z.transpose(1, 2))
        outputs[2].copy_(self._layers[-1].v.transpose(0, 1))


class _Layer:
    """One layer of s problems: parameters of teacher, base and update, ``[3, s, o, i]`` and ``[3, s, o, 1]``."""

    def __init__(self, weights: Tensor, biases: Tensor, num_inputs: int) -> None:
        shape = (*weights.shape[1:3], num_inputs)
        self.z, self.v = empty(2, *shape), empty(*shape)
        self._a, self._moved = empty(2, *shape), empty(*shape)
        self._b, self._db = biases[:2], biases[2]
        self._W, self._dW = weights[:2].numpy(), weights[2].numpy()
        # The same memory for numpy, whose products are the faster; torch adds and activates faster.
        self._arrays = tuple(one.numpy() for one in (self.z, self.v, self._a, self._moved))

    def apply(self, a: Array, tangent: Array | None) -> None:
        """Set z = W a + b of teacher and base, and v = dW a + db + W a' of the base."""
        z, v, _, moved = self._arrays
        np.matmul(self._W, a, out=z)
        self.z.add_(self._b)
        np.matmul(self._dW, a[-1], out=v)
        self.v.add_(self._db)
        if tangent is not None:
            np.matmul(self._W[1], tangent, out=moved)
            self.v.add_(self._moved)

    def activate(self, activation: Activation) -> tuple[Array, Array]:
        """Return a = s(z) of teacher and base, and a' = s'(z) v of the base, which overwrites its z."""
        z, _, a, _ = self._arrays
        activate(activation, self.z, self._a)
        activation.derivative_over(self.z[1], self._a[1]).mul_(self.v)
        return a, z[1]


def _curvature_per_input(loss: Loss, z: Float[Tensor, "n k"], v: Float[Tensor, "n k"]) -> Float[Tensor, " n"]:
    if loss.name != "kl":
        return curvature_per_input(loss, z, v)
    # The same variance of v under the softmax, over the first axis, where torch's kernel is 7 times faster.
    p = torch.softmax(tempered(z.T.contiguous(), loss.temperature), dim=0)
    centred = v.T - (p * v.T).sum(0)
    return (p * centred**2).sum(0) / loss.temperature**2
