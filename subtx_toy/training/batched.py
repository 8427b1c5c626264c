"""One mean-loss step of thousands of small perceptron problems at once, by a backward pass written out by hand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from subtx_toy.problem.problem import Problem
from subtx_toy.problem.stack import Array, cut, forward, perceptron, require_one_shape, stacked
from subtx_toy.training.perceptron import Student, toward

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
    dS = toward(targets, Student(cut(model, base), x, model.activation), first)
    return np.vecdot(dS, dT), np.sqrt(np.vecdot(dS, dS)), dS
