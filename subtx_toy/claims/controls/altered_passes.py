"""Students in train mode: their forward pass is another function than the one that the teacher moved."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F  # noqa: N812, torch's own idiom

from subtx_toy.claims.vocabulary.evidence import Evidence
from subtx_toy.problem.functional import Apply
from subtx_toy.problem.model import MLP
from subtx_toy.problem.params import Params
from subtx_toy.problem.problem import Problem
from subtx_toy.training.gradient_step import student_step

DROPOUT, VARIANCE_FLOOR = 0.5, 1e-5
"""Rate of dropout; what batch normalisation adds to a variance, torch's default."""

Change = Callable[[int, Tensor], Tensor]
"""From the number of a hidden layer and what goes in or comes out of its activation, to what stands in its place."""


def drops_units(evidence: Evidence) -> Evidence | None:
    """Return evidence of a student that drops hidden units at random, one draw a problem; the teacher's do not."""
    model = evidence.problem.model
    if not isinstance(model, MLP) or model.num_layers == 1:
        return None
    keep = dropout_masks(model, len(evidence.problem.inputs), evidence.stream("control", "dropout"))
    return evidence.observing(_student_in(_perceptron(model, after=lambda layer, a: a * keep[layer])))


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
        return (z - z.mean(0)) / (z.var(0, unbiased=False) + VARIANCE_FLOOR).sqrt()

    return evidence.observing(_student_in(_perceptron(model, before=normalised)))


def _same(_layer: int, values: Tensor) -> Tensor:
    return values


def _perceptron(model: MLP, *, before: Change = _same, after: Change = _same) -> Apply:
    def apply(params: Params, x: Tensor) -> Tensor:
        for layer in range(model.num_layers):
            x = F.linear(x, params[f"layers.{layer}.weight"], params[f"layers.{layer}.bias"])
            if layer < model.num_layers - 1:
                x = after(layer, model.activation.apply(before(layer, x)))
        return x

    return apply


def _student_in(apply: Apply) -> Callable[[Problem, float], Params]:
    """The step of a student with another forward pass, on the teacher's outputs as they are."""

    @functools.lru_cache(maxsize=1)  # checked once for all eps
    def student(problem: Problem) -> Problem:
        # Only the student is asked: a trait loss would be on inputs of another number.
        return dataclasses.replace(problem, model=apply, trait_loss=None)

    def step(problem: Problem, eps: float) -> Params:
        loss = problem.distillation_loss
        with torch.no_grad():
            targets = problem.distilled(problem.teacher_params(eps))
        fixed = dataclasses.replace(
            loss, name="fixed targets", value_and_gradient=lambda z, _y: loss.value_and_gradient(z, targets)
        )
        return student_step(student(problem).with_loss(fixed), eps)

    return step
