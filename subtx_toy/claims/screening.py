"""Evidence on thousands of drawn problems, computed for stacks of one shape: what a hunt runs on."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from copy import copy
from dataclasses import replace
from functools import cached_property
from typing import cast

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from subtx_toy.claims.vocabulary.evidence import Evidence, ray_class
from subtx_toy.problem.params import Params
from subtx_toy.problem.problem import Problem
from subtx_toy.problem.spec import WORDS, ProblemSpec, draw_spec
from subtx_toy.problem.stack import apply_stacked, perceptron
from subtx_toy.problem.trait_loss import LabelledCrossEntropy, TargetedSquaredError, TraitLoss
from subtx_toy.seeding import generator
from subtx_toy.theory import perceptron as theory
from subtx_toy.theory.alignment import AlignmentRay
from subtx_toy.training import perceptron as training

STACK = 64
"""Problems of one shape: more of them are faster, and show fewer shapes."""


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


class _Stack:
    """Problems of one shape, and each quantity of all of them as soon as one is asked for it."""

    def __init__(self, problems: list[Problem]) -> None:
        self.problems = problems

    @cached_property
    def prediction(self) -> theory.BatchedPrediction:
        return theory.predict(self.problems)

    @cached_property
    def G_dT(self) -> Float[Tensor, "s p"]:  # noqa: N802
        return theory.ggn_products(self.problems)

    @cached_property
    def updates(self) -> tuple[Float[Tensor, "s p"], list[tuple[float, float]]]:
        seen = training.observe(self.problems)
        numbers = zip(seen.alignment.tolist(), seen.student_update_norm.tolist(), strict=True)
        return seen.student_update, list(numbers)


class StackedEvidence(Evidence):
    """Evidence on one problem of a stack; what is not computed for the whole stack is computed for it alone."""

    def __init__(self, stack: _Stack, at: int, *, seed: int) -> None:
        super().__init__(stack.problems[at], seed=seed, thorough=False)
        self._stack, self._at = stack, at

    @cached_property
    def ray(self) -> AlignmentRay:
        """As for any evidence."""
        found = self._stack.prediction
        return ray_class(self.problem)(self.problem, found.outputs[self._at], found.v[self._at])

    @cached_property
    def V(self) -> float:  # noqa: N802
        """As for any evidence."""
        return float(self._stack.prediction.curvature[self._at])

    @cached_property
    def G_dT(self) -> Float[Tensor, " p"]:  # noqa: N802
        """As for any evidence."""
        return self._stack.G_dT[self._at]

    def _alignment_and_norm(self, eps: float) -> tuple[float, float]:
        if eps == self.problem.eps:
            self._numbers[eps] = self._stack.updates[1][self._at]
        return super()._alignment_and_norm(eps)

    def update(self, eps: float) -> Float[Tensor, " p"]:
        """As for any evidence."""
        return self._stack.updates[0][self._at] if eps == self.problem.eps else super().update(eps)


def screened(num: int, *, seed: int) -> Iterator[tuple[ProblemSpec, Evidence]]:
    """Draw ``num`` problems, STACK of each shape, with evidence on each; the first do not depend on how many.

    The ray, ``V``, ``G_dT`` and the update at the problem's own eps are computed for a whole stack. All of it is
    written out by hand: confirm what you find on ``spec.build()``.
    """
    for start in range(0, num, STACK):
        specs = draw_alike(generator(seed, "hunt", start // STACK), STACK)[: num - start]
        stack = _Stack(build_alike(specs))
        for at, spec in enumerate(specs):
            yield spec, StackedEvidence(stack, at, seed=spec.seed)
