"""One gradient step of thousands of small perceptron problems at once, by a backward pass written out by hand.

Problems of one shape are stacked along a first axis s and one product a layer serves them all. Each one's loss is the
MEAN over its n inputs of the SUM over distilled outputs; its slope in the outputs is automatic differentiation's.
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
from subtx_toy.problem.losses import Loss
from subtx_toy.problem.model import MLP
from subtx_toy.problem.problem import Problem
from subtx_toy.problem.stack import activate, cut, empty, require_one_shape

CHUNK = 128
"""Problems stacked at once: fastest of 16 to 256 at width 16. Fewer pay more often for the graph of the loss."""

Array = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class BatchedObservation:
    """What one student step did in each of s problems, ``[s]``.

    Attributes:
        alignment: student_update . teacher_update, without student_lr and eps.
        student_update_norm: Euclidean.
    """

    alignment: Float[Tensor, " s"]
    student_update_norm: Float[Tensor, " s"]


@torch.no_grad()
def observe(problems: Sequence[Problem], eps: float | None = None) -> BatchedObservation:
    """Take the step of teacher and student in every problem; ``eps`` is each problem's own by default.

    Raises:
        InputError: if there is none, or one is no float64 perceptron, or of another shape, loss or distilled set than
            the first.
    """
    require_one_shape(problems)
    stack, found = _Stack(problems[0], min(CHUNK, len(problems))), []
    for at in range(0, len(problems), CHUNK):
        chunk = problems[at : at + CHUNK]
        if len(chunk) != stack.num:
            stack = _Stack(problems[0], len(chunk))
        stack.read(chunk, eps)
        found.append(stack.step())
    return BatchedObservation(*(torch.cat(pieces) for pieces in zip(*found, strict=True)))


class _Stack:
    """Teachers and students of ``num`` problems side by side, and the students' step, in buffers made once."""

    def __init__(self, first: Problem, num: int) -> None:
        assert isinstance(first.model, MLP)
        num_inputs, size = len(first.inputs), first.flat.shape[1]
        self.num, self._first, self._activation = num, first, first.model.activation
        self._vectors, self._step = empty(3, num, size), empty(1, num, size)  # teacher, student, dT; dS
        self._x, self._eps = empty(num, *first.inputs.shape), empty(num, 1)
        params, steps = (cut(vectors, first.base_params) for vectors in (self._vectors, self._step))
        names = [(f"layers.{at}.weight", f"layers.{at}.bias") for at in range(first.model.num_layers)]
        self._layers = [_Layer([params[w], params[b], steps[w], steps[b]], num_inputs) for w, b in names]
        self._r = torch.zeros_like(self._layers[-1].z[1])  # outputs that are not distilled keep their zeros

    def read(self, problems: Sequence[Problem], eps: float | None) -> None:
        """Take in the problems' inputs and parameters, by one concatenation each."""
        torch.cat([one.inputs for one in problems], out=self._x.flatten(0, 1))
        torch.cat([one.flat for one in problems], dim=1, out=self._vectors[1:].flatten(1))
        self._eps.copy_(torch.tensor([[one.eps if eps is None else eps] for one in problems], dtype=torch.float64))
        teacher, student, dT = self._vectors
        torch.addcmul(student, dT, self._eps, out=teacher)

    def step(self) -> tuple[Float[Tensor, " s"], Float[Tensor, " s"]]:
        """Return dS . dT and the norm of dS."""
        a = self._x.mT[None].numpy()
        for layer in self._layers[:-1]:
            a = layer.apply(a, self._activation)
        self._layers[-1].apply(a, None)

        # Minus the gradient of the mean loss in the outputs.
        columns = self._first.columns
        targets, own = self._layers[-1].z[:, :, columns]
        self._r[:, columns] = _slope(self._first.distillation_loss, own, targets)
        r = self._r.div_(-self._x.shape[1])
        for layer, below in zip(self._layers[:0:-1], self._layers[-2::-1], strict=True):
            layer.update(r, below.a[1].numpy())
            r = layer.pull_back(r, below, self._activation)
        self._layers[0].update(r, a=self._x.mT.numpy())
        dS, dT = self._step[0].numpy(), self._vectors[2].numpy()
        return torch.from_numpy(np.vecdot(dS, dT)), torch.from_numpy(np.sqrt(np.vecdot(dS, dS)))


class _Layer:
    """One layer of s problems: views of its parameters and of its part of dS; outputs of teachers and students."""

    def __init__(self, views: Sequence[Tensor], num_inputs: int) -> None:
        weights, biases, dW, self._db = views
        num, d_out, d_in = weights.shape[1:]
        self.z, self.a = empty(2, num, d_out, num_inputs), empty(2, num, d_out, num_inputs)
        self._below = empty(num, d_in, num_inputs)
        self._W, self._dW, self._b = weights[:2].numpy(), dW[0].numpy(), biases[:2]

    def apply(self, a: Array, activation: Activation | None) -> Array:
        """Set z = W a + b of teachers and students, and return the activations there."""
        np.matmul(self._W, a, out=self.z.numpy())
        self.z.add_(self._b)
        if activation is not None:
            activate(activation, self.z, self.a)
        return self.a.numpy()

    def update(self, r: Tensor, a: Array) -> None:
        """Set this layer's part of dS: r a^T and the sums of r over the inputs."""
        np.matmul(r.numpy(), a.swapaxes(1, 2), out=self._dW)
        torch.sum(r, -1, keepdim=True, out=self._db[0])

    def pull_back(self, r: Tensor, below: _Layer, activation: Activation) -> Tensor:
        """Return W^T r times s'(z) of the students' layer below, which overwrites its z."""
        np.matmul(self._W[1].swapaxes(1, 2), r.numpy(), out=self._below.numpy())
        activation.pull_back(self._below, below.a[1], below.z[1])
        return below.z[1]


@torch.enable_grad()
def _slope(loss: Loss, z: Float[Tensor, "s k n"], y: Float[Tensor, "s k n"]) -> Float[Tensor, "s k n"]:
    """Differentiate the loss by its value; its own formula for the gradient is the theory route's."""
    # Outputs first in memory, last in the shape: there torch's kernels work on many inputs at once.
    leaf, targets = (outputs.transpose(0, 1).flatten(1).T for outputs in (z, y))
    leaf.requires_grad_()
    (slope,) = torch.autograd.grad(loss.value_and_gradient(leaf, targets)[0].sum(), leaf)
    return slope.T.view(-1, len(z), z.shape[-1]).transpose(0, 1)
