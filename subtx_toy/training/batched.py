"""One gradient step of thousands of small perceptron problems at once, by automatic differentiation of the losses.

Problems of one shape are stacked along a first axis s. They share nothing, so one backward pass through the sum of
their losses gives each its own gradient. Each loss is the MEAN over its n inputs of the SUM over distilled outputs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from subtx_toy.errors import InputError
from subtx_toy.models import MLP
from subtx_toy.params import Params
from subtx_toy.problem import Problem

CHUNK = 64
"""Problems stacked at once: their activations stay in the second-level cache."""


@dataclass(frozen=True, eq=False)
class BatchedObservation:
    """What one student step did in each of s problems, ``[s]``.

    Attributes:
        alignment: student_update . teacher_update, without student_lr and eps.
        student_update_norm: Euclidean.
    """

    alignment: Float[Tensor, " s"]
    student_update_norm: Float[Tensor, " s"]


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
    model, loss, names = first.model, first.distillation_loss, list(first.base_params)
    base = {name: torch.stack([one.base_params[name] for one in problems]) for name in names}
    update = {name: torch.stack([one.teacher_update[name] for one in problems]) for name in names}
    steps = torch.tensor([one.eps if eps is None else eps for one in problems], dtype=torch.float64)
    x = torch.stack([one.inputs for one in problems])

    def distilled(params: Params) -> Tensor:
        return _outputs(model, params, x)[..., first.columns].flatten(0, 1)

    with torch.no_grad():
        teacher = {name: base[name] + _beside(steps, move) * move for name, move in update.items()}
        targets = distilled(teacher)
    leaves = {name: value.requires_grad_() for name, value in base.items()}
    per_input = loss.value_and_gradient(distilled(leaves), targets)[0]
    total = per_input.sum() / x.shape[1]  # mean over each problem's inputs, sum over the problems
    slopes = torch.autograd.grad(total, list(leaves.values()))
    dS = torch.cat([-slope.flatten(1) for slope in slopes], dim=1)  # [s, p]
    dT = torch.cat([update[name].flatten(1) for name in names], dim=1)
    return (dS * dT).sum(1), dS.norm(dim=1)


def _outputs(model: MLP, params: Params, x: Float[Tensor, "s n d"]) -> Float[Tensor, "s n k"]:
    for layer in range(model.num_layers):
        weight, bias = params[f"layers.{layer}.weight"], params[f"layers.{layer}.bias"]
        x = torch.matmul(x, weight.mT) + bias[:, None]
        if layer < model.num_layers - 1:
            x = model.activation.apply(x)
    return x


def _beside(steps: Float[Tensor, " s"], value: Tensor) -> Tensor:
    return steps.to(value.dtype).view(-1, *(1,) * (value.dim() - 1))


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
