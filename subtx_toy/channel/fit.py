"""Train several nets on the same inputs by Adam, with cross-entropy on labels or on distributions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from subtx_toy.channel.sampler import NumberLaw
from subtx_toy.problem.model import MLP
from subtx_toy.problem.params import Params, all_finite
from subtx_toy.training import pulse
from subtx_toy.training.inputs import Inputs, shuffled_batches
from subtx_toy.training.mlp_stack import MLPStack
from subtx_toy.training.optimizers import OptimizerSettings, fused_step

DROPPED = -1
"""The label of an example that a member does not have, where others do."""


@dataclass(frozen=True)
class Recipe:
    """How long and how fast, by Adam with betas (.9, .999): epochs, or exactly ``steps`` steps where they are not 0."""

    epochs: int = 3
    lr: float = 3e-4
    batch_size: int = 512
    steps: int = 0


BeforeStep = Callable[[MLPStack], None]
"""Called between a backward pass and its step; may change ``gradient`` in place."""


def fit(
    model: MLP,
    members: Sequence[Params],
    inputs: Inputs,
    targets: Sequence[Tensor],
    recipe: Recipe,
    order: np.random.Generator,
    *,
    rows: Int[np.ndarray, " n"] | None = None,
    law: NumberLaw | None = None,
    before_step: BeforeStep | None = None,
    diverged: dict[int, int] | None = None,
) -> list[Params]:
    """Train copies of ``members`` on all outputs of ``model`` and return them.

    A member's targets are labels ``[n]``, where DROPPED is no example, or distributions over the outputs ``[n, k]``.
    Members with numbers that are not finite after an epoch are entered into ``diverged``, with the first such epoch.
    Example i is input ``rows[i]``, or input i; labels follow ``law`` given the outputs, or the softmax.
    """
    num = inputs.num if rows is None else len(rows)
    batch_size = min(recipe.batch_size, num)
    stack = MLPStack(model, members, batch_size=batch_size)
    stack.theta.grad = stack.gradient
    take_step = fused_step(OptimizerSettings("adam", recipe.lr), stack.theta)
    slopes = torch.empty(len(members), batch_size, model.sizes[-1], dtype=stack.theta.dtype).transpose(0, 1)
    left = recipe.steps or recipe.epochs * -(-num // batch_size)
    epoch = 0
    while left:
        epoch += 1
        for index in shuffled_batches(num, batch_size, order):
            batch = torch.from_numpy(index)
            x = inputs.gather(index if rows is None else rows[index])
            z, gradient = stack.forward(x), slopes[: len(index)]
            for member, target in enumerate(targets):
                gradient[:, member] = _slope(z[:, member], target[batch], law).div_(len(index))  # mean over the batch
            stack.backward(x, gradient)
            if before_step is not None:
                before_step(stack)
            take_step()
            left -= 1
            if not left:
                break
        if diverged is not None and not bool(torch.isfinite(stack.theta).all()):
            odd = [member for member in range(len(members)) if not all_finite(stack.params(member))]
            diverged |= {member: epoch for member in odd if member not in diverged}
        pulse.tick()
    return [stack.params(member) for member in range(len(members))]


def _slope(z: Float[Tensor, "n k"], target: Tensor, law: NumberLaw | None) -> Float[Tensor, "n k"]:
    """Return (p - target)/temperature, the slope of the cross-entropy in the logits; 0 where there is no label."""
    slope = torch.softmax(z, dim=-1) if law is None else law.log_probabilities(z).exp()
    if target.dim() == 2:
        return slope.sub_(target)
    kept = target != DROPPED
    slope[torch.arange(len(target)), target.clamp_min(0)] -= 1
    if law is not None and law.temperature != 1.0:
        slope /= law.temperature
    return slope if bool(kept.all()) else slope.mul_(kept[:, None])
