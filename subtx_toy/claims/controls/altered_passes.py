"""Students in train mode: their forward pass is another function than the one that the teacher moved."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from subtx_toy.claims.vocabulary.evidence import Evidence
from subtx_toy.claims.vocabulary.observation import StudentSteps
from subtx_toy.problem.model import MLP
from subtx_toy.problem.problem import Problem
from subtx_toy.problem.stack import Change, apply_stacked

DROPOUT, VARIANCE_FLOOR = 0.5, 1e-5
"""Rate of dropout; what batch normalisation adds to a variance, torch's default."""


def drops_units(evidence: Evidence) -> Evidence | None:
    """Return evidence of a student that drops hidden units at random, one draw a problem; the teacher's do not."""
    model = evidence.problem.model
    if not isinstance(model, MLP) or model.num_layers == 1:
        return None
    keep = dropout_masks(model, len(evidence.problem.inputs), evidence.stream("control", "dropout"))
    return evidence.observing(_student(model, after=lambda layer, a: a * keep[layer]))


def dropout_masks(model: MLP, num_inputs: int, rng: np.random.Generator) -> list[Float[Tensor, "n h"]]:
    """Draw what hidden activations are multiplied by: 0 at the rate of dropout, else 1 / (1 - rate)."""
    return [
        torch.from_numpy((rng.random((num_inputs, width)) >= DROPOUT) / (1 - DROPOUT)) for width in model.sizes[1:-1]
    ]


def normalises_batches(evidence: Evidence) -> Evidence | None:
    """Return evidence of a student with batch statistics, of a teacher whose running ones are still 0 and 1."""
    model = evidence.problem.model
    if not isinstance(model, MLP) or model.num_layers == 1 or len(evidence.problem.inputs) == 1:
        return None

    def normalised(_layer: int, z: Tensor) -> Tensor:
        return (z - z.mean(-2, keepdim=True)) / (z.var(-2, unbiased=False, keepdim=True) + VARIANCE_FLOOR).sqrt()

    return evidence.observing(_student(model, before=normalised))


def _student(model: MLP, **changes: Change) -> StudentSteps:
    """The steps of a student with another forward pass, on the teacher's outputs as they are."""

    @torch.enable_grad()
    def updates(problem: Problem, eps: Sequence[float]) -> Float[Tensor, "s p"]:
        base, update = problem.base_params, problem.teacher_update
        teachers = {name: torch.stack([value + one * update[name] for one in eps]) for name, value in base.items()}
        students = {name: value.expand(len(eps), *value.shape).clone().requires_grad_() for name, value in base.items()}
        targets = apply_stacked(model, teachers, problem.inputs)[..., problem.columns].flatten(0, 1)
        outputs = apply_stacked(model, students, problem.inputs, **changes)[..., problem.columns].flatten(0, 1)
        total = problem.distillation_loss.values(outputs, targets).sum() / len(problem.inputs)
        slopes = torch.autograd.grad(total, list(students.values()), allow_unused=True, materialize_grads=True)
        return -torch.cat([slope.flatten(1) for slope in slopes], dim=1)

    return StudentSteps(updates)
