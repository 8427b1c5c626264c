"""Many drawn problems of one shape at once, for a hunt through thousands of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import copy
from dataclasses import replace
from typing import cast

import numpy as np
import torch
from torch import Tensor

from subtx_toy.problem.params import Params
from subtx_toy.problem.problem import Problem
from subtx_toy.problem.spec import WORDS, ProblemSpec, draw_spec
from subtx_toy.problem.stack import apply_stacked, perceptron
from subtx_toy.problem.trait_loss import LabelledCrossEntropy, TargetedSquaredError, TraitLoss


def draw_alike(rng: np.random.Generator, num: int) -> list[ProblemSpec]:
    """Draw ``num`` descriptions that differ in what no shape depends on: seed, initialisation, inputs, step sizes."""
    first = draw_spec(rng)
    words = [[WORDS[name][at] for at in rng.integers(len(WORDS[name]), size=num)] for name in ("init", "inputs")]
    powers = [rng.integers(low, high, num).tolist() for low, high in ((-1, 2), (-12, -5), (-6, 1))]
    scales, eps, student_lrs = ([2.0**power for power in one] for one in powers)
    rows = zip(*words, scales, eps, student_lrs, rng.integers(2**31, size=num).tolist(), strict=True)
    names = ("init", "inputs", "init_scale", "eps", "student_lr", "seed")
    specs = []
    for row in rows:
        specs.append(copy(first))  # its words and numbers are valid as drawn: ``replace`` would check them again
        specs[-1].__dict__.update(zip(names, row, strict=True))
    return specs


def build_alike(specs: Sequence[ProblemSpec]) -> list[Problem]:
    """Build problems of ``draw_alike``, bit for bit as ``build_fast`` but for gradients of the trait, taken at once."""
    first = specs[0].build_fast()
    problems = [first, *(spec.build_fast(like=first) for spec in specs[1:])]
    if first.is_trait_step:
        for problem, update in zip(problems, _trait_steps(problems), strict=True):
            problem.__dict__["teacher_update"] = update
    return problems


@torch.enable_grad()
def _trait_steps(problems: Sequence[Problem]) -> list[Params]:
    model, traits = perceptron(problems[0]), [cast(TraitLoss, problem.trait_loss) for problem in problems]
    leaves = {
        name: torch.stack([problem.base_params[name] for problem in problems]).requires_grad_()
        for name in model.param_names
    }
    outputs = apply_stacked(model, leaves, torch.stack([trait.inputs for trait in traits])).flatten(0, 1)
    # A mean over all inputs, of which each problem has the same number.
    total = len(problems) * _joined([trait.value for trait in traits])(outputs)
    slopes = torch.autograd.grad(-total, list(leaves.values()), allow_unused=True, materialize_grads=True)
    return [dict(zip(leaves, row, strict=True)) for row in zip(*slopes, strict=True)]


def _joined(values: Sequence[Callable[[Tensor], Tensor]]) -> Callable[[Tensor], Tensor]:
    first = values[0]
    if isinstance(first, LabelledCrossEntropy):
        return replace(first, labels=torch.cat([cast(LabelledCrossEntropy, one).labels for one in values]))
    assert isinstance(first, TargetedSquaredError)
    return replace(first, targets=torch.cat([cast(TargetedSquaredError, one).targets for one in values]))
