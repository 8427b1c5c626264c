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

from subtx_toy.errors import InputError
from subtx_toy.losses import Loss
from subtx_toy.models import MLP, Activation
from subtx_toy.params import Params
from subtx_toy.problem import Problem

CHUNK = 128
"""Problems stacked at once: fastest of 16 to 256 at width 16. Fewer pay more often for the graph of the loss."""

_NUMPY_TANH = torch.backends.cpu.get_cpu_capability().startswith("AVX512")
"""A tanh takes numpy 1.7 ns with AVX-512 and 14 ns without, torch 5 to 6 ns, and 2 sigmoid(2 z) - 1 three; that errs by
2e-16, as a sum with terms of size 1 does."""

_MINUS_ONE = torch.tensor(-1.0, dtype=torch.float64)

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
        InputError: if a problem is no perceptron, or of another shape than the first.
    """
    InputError.gather(_mismatches(problems))
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
        self._vectors, self._step = _empty(3, num, size), _empty(1, num, size)  # teacher, student, dT; dS
        self._x, self._eps = _empty(num, *first.inputs.shape), _empty(num, 1)
        params, steps = (_cut(vectors, first.base_params) for vectors in (self._vectors, self._step))
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
        self.z, self.a = _empty(2, num, d_out, num_inputs), _empty(2, num, d_out, num_inputs)
        self._below = _empty(num, d_in, num_inputs)
        self._W, self._dW, self._b = weights[:2].numpy(), dW[0].numpy(), biases[:2]

    def apply(self, a: Array, activation: Activation | None) -> Array:
        """Set z = W a + b of teachers and students, and return the activations there."""
        np.matmul(self._W, a, out=self.z.numpy())
        self.z.add_(self._b)
        if activation is not None:
            _activate(activation, self.z, self.a)
        return self.a.numpy()

    def update(self, r: Tensor, a: Array) -> None:
        """Set this layer's part of dS: r a^T and the sums of r over the inputs."""
        np.matmul(r.numpy(), a.swapaxes(1, 2), out=self._dW)
        torch.sum(r, -1, keepdim=True, out=self._db[0])

    def pull_back(self, r: Tensor, below: _Layer, activation: Activation) -> Tensor:
        """Return W^T r times s'(z) of the students' layer below, which overwrites its z."""
        np.matmul(self._W[1].swapaxes(1, 2), r.numpy(), out=self._below.numpy())
        return self._below.mul_(activation.derivative_over(below.z[1], below.a[1]))


@torch.enable_grad()
def _slope(loss: Loss, z: Float[Tensor, "s k n"], y: Float[Tensor, "s k n"]) -> Float[Tensor, "s k n"]:
    """Differentiate the loss by its value; its own formula for the gradient is the theory route's."""
    # Outputs first in memory, last in the shape: there torch's kernels work on many inputs at once.
    leaf, targets = (outputs.transpose(0, 1).flatten(1).T for outputs in (z, y))
    leaf.requires_grad_()
    (slope,) = torch.autograd.grad(loss.value_and_gradient(leaf, targets)[0].sum(), leaf)
    return slope.T.view(-1, len(z), z.shape[-1]).transpose(0, 1)


def _activate(activation: Activation, z: Tensor, out: Tensor) -> None:
    if activation.name != "tanh":
        activation.apply_into(z, out)
    elif _NUMPY_TANH:
        np.tanh(z.numpy(), out=out.numpy())
    else:
        torch.add(z, z, out=out).sigmoid_()
        torch.add(_MINUS_ONE, out, alpha=2, out=out)


def _cut(vectors: Float[Tensor, "v s p"], params: Params) -> dict[str, Tensor]:
    """Return views of the vectors as weights ``[v, s, o, i]`` and biases ``[v, s, o, 1]``, in the order of ``flat``."""
    names = sorted(params)
    pieces = torch.split(vectors, [params[name].numel() for name in names], dim=-1)
    return {
        name: piece.view(*piece.shape[:-1], len(params[name]), -1) for name, piece in zip(names, pieces, strict=True)
    }


def _empty(*shape: int) -> Tensor:
    return torch.empty(shape, dtype=torch.float64)


def _mismatches(problems: Sequence[Problem]) -> list[str]:
    if not problems:
        return ["problems: expected at least one, got none"]
    want, found = _shape(problems[0]), []
    if not isinstance(problems[0].model, MLP):
        return [f"problems[0].model: expected an MLP, got {type(problems[0].model).__name__}: use the single route"]
    for at, problem in enumerate(problems):
        if (got := _shape(problem)) != want:
            found.append(f"problems[{at}]: expected the shape, loss and distilled set {want} of the first, got {got}")
    return found


def _shape(problem: Problem) -> tuple[object, ...]:
    loss = problem.distillation_loss
    known = loss.name in ("squared_error", "kl")  # a user's loss is told by identity, not by its name
    return problem.model, problem.inputs.shape, (loss.name, loss.temperature) if known else loss, problem.columns
