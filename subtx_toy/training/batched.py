"""One gradient step of thousands of small perceptron problems at once, by a backward pass written out by hand.

Problems of one shape are stacked along a first axis s and one product a layer serves them all. Each one's loss is the
MEAN over its n inputs of the SUM over distilled outputs; its slope in the outputs is automatic differentiation's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from subtx_toy.errors import InputError
from subtx_toy.losses import Loss
from subtx_toy.models import MLP
from subtx_toy.params import Params
from subtx_toy.problem import Problem

CHUNK = 128
"""Problems stacked at once: as in the theory route, where the number was measured."""


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
    first = problems[0]
    assert isinstance(first.model, MLP)
    model, names = first.model, list(first.base_params)
    base = {name: torch.stack([one.base_params[name] for one in problems]) for name in names}
    update = {name: torch.stack([one.teacher_update[name] for one in problems]) for name in names}
    steps = torch.tensor([one.eps if eps is None else eps for one in problems], dtype=first.inputs.dtype)
    teacher = {name: base[name] + steps.view(-1, *(1,) * (move.dim() - 1)) * move for name, move in update.items()}
    x = torch.stack([one.inputs for one in problems]).mT.contiguous()
    targets = _forward(model, teacher, x)[0][-1]
    z, a = _forward(model, base, x)

    # Minus the gradient of the mean loss in the outputs; outputs that are not distilled have none.
    r = torch.zeros_like(targets)
    r[:, first.columns] = _slope(first.distillation_loss, z[-1][:, first.columns], targets[:, first.columns])
    r /= -x.shape[-1]
    along, square = steps.new_zeros(len(problems)), steps.new_zeros(len(problems))
    for layer in range(model.num_layers - 1, -1, -1):
        weight, bias = f"layers.{layer}.weight", f"layers.{layer}.bias"
        for name, dS in ((weight, torch.bmm(r, a[layer].mT)), (bias, r.sum(-1))):
            along += (dS * update[name]).flatten(1).sum(1)
            square += (dS * dS).flatten(1).sum(1)
        if layer:
            slopes = model.activation.derivative_over(z[layer - 1], a[layer])
            r = torch.bmm(base[weight].mT, r).mul_(slopes)
    return along, square.sqrt_()


def _forward(model: MLP, params: Params, x: Float[Tensor, "s d n"]) -> tuple[list[Tensor], list[Tensor]]:
    """Return each layer's pre-activations and its inputs, ``[s, units, n]``."""
    z, a = [], [x]
    for layer in range(model.num_layers):
        z.append(torch.baddbmm(params[f"layers.{layer}.bias"][:, :, None], params[f"layers.{layer}.weight"], a[-1]))
        if layer < model.num_layers - 1:
            a.append(_activate(model, z[-1]))
    return z, a


def _activate(model: MLP, z: Tensor) -> Tensor:
    if model.activation.name == "tanh":
        return torch.from_numpy(np.tanh(z.numpy()))  # 1.7 ns a number against 5 of torch's, in float64
    return model.activation.apply(z)


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
