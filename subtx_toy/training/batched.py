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
from subtx_toy.models import MLP
from subtx_toy.problem import Problem

CHUNK = 128
"""Problems stacked at once: as in the theory route, where the number was measured."""

_NUMPY_TANH = torch.backends.cpu.get_cpu_capability().startswith("AVX512")
"""A tanh takes numpy 1.7 ns with AVX-512 and 14 ns without, torch 5 to 6 ns, and 2 sigmoid(2 z) - 1 four; that errs by
2e-16, as a sum with terms of size 1 does."""

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
    chunks = [_observe(problems[at : at + CHUNK], eps) for at in range(0, len(problems), CHUNK)]
    return BatchedObservation(*(torch.cat(pieces) for pieces in zip(*chunks, strict=True)))


def _observe(problems: Sequence[Problem], eps: float | None) -> tuple[Tensor, Tensor]:
    first, num = problems[0], len(problems)
    assert isinstance(first.model, MLP)
    model, columns = first.model, first.columns
    base = {name: _stacked([one.base_params[name] for one in problems]) for name in first.base_params}
    update = {name: _stacked([one.teacher_update[name] for one in problems]) for name in first.base_params}
    steps = np.array([one.eps if eps is None else eps for one in problems])[:, None, None]
    x = np.ascontiguousarray(_stacked([one.inputs for one in problems]).swapaxes(1, 2))
    targets = _forward(model, {name: base[name] + steps * move for name, move in update.items()}, x)[0][-1]
    z, a = _forward(model, base, x)

    # Minus the gradient of the mean loss in the outputs; outputs that are not distilled have none.
    r = np.zeros_like(targets)
    r[:, columns] = _slope(first.distillation_loss, *(torch.from_numpy(one[:, columns]) for one in (z[-1], targets)))
    r /= -x.shape[-1]
    along, square = np.zeros(num), np.zeros(num)
    for layer in range(model.num_layers - 1, -1, -1):
        weight, bias = f"layers.{layer}.weight", f"layers.{layer}.bias"
        for name, dS in ((weight, r @ a[layer].swapaxes(1, 2)), (bias, r.sum(-1, keepdims=True))):
            along += np.einsum("soi,soi->s", dS, update[name])
            square += np.einsum("soi,soi->s", dS, dS)
        if layer:
            slopes = model.activation.derivative_over(torch.from_numpy(z[layer - 1]), torch.from_numpy(a[layer]))
            r = base[weight].swapaxes(1, 2) @ r
            r *= slopes.numpy()
    return torch.from_numpy(along), torch.from_numpy(np.sqrt(square))


def _stacked(tensors: Sequence[Tensor]) -> Array:
    """Stack matrices, and vectors as columns, along a first axis; one concatenation, no view of each tensor."""
    shape = tensors[0].shape if tensors[0].dim() == 2 else (len(tensors[0]), 1)
    return torch.cat(list(tensors)).view(len(tensors), *shape).numpy()


def _forward(model: MLP, params: dict[str, Array], x: Array) -> tuple[list[Array], list[Array]]:
    """Return each layer's pre-activations and its inputs, ``[s, units, n]``."""
    z, a = [], [x]
    for layer in range(model.num_layers):
        z.append(params[f"layers.{layer}.weight"] @ a[-1])
        z[-1] += params[f"layers.{layer}.bias"]
        if layer < model.num_layers - 1:
            a.append(_activate(model, z[-1]))
    return z, a


def _activate(model: MLP, z: Array) -> Array:
    if model.activation.name == "tanh":
        if _NUMPY_TANH:
            return np.tanh(z)
        half = torch.from_numpy(2 * z).sigmoid_()
        return half.mul_(2).sub_(1).numpy()
    return model.activation.apply(torch.from_numpy(z)).numpy()


@torch.enable_grad()
def _slope(loss: Loss, z: Float[Tensor, "s k n"], y: Float[Tensor, "s k n"]) -> Float[Tensor, "s k n"]:
    """Differentiate the loss by its value; its own formula for the gradient is the theory route's."""
    rows = [outputs.mT.flatten(0, 1) for outputs in (z, y)]
    leaf = rows[0].requires_grad_()
    (slope,) = torch.autograd.grad(loss.value_and_gradient(leaf, rows[1])[0].sum(), leaf)
    return slope.reshape(len(z), -1, slope.shape[-1]).mT


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
