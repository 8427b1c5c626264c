"""Evidence on thousands of drawn problems, computed for stacks of one shape: what a hunt runs on."""

from __future__ import annotations

from collections.abc import Iterator
from copy import copy
from functools import cached_property

import numpy as np
from jaxtyping import Float
from torch import Tensor

from subtx_toy.claims.vocabulary.evidence import Evidence
from subtx_toy.claims.vocabulary.rays import ray_class
from subtx_toy.problem.drawn_spec import draw_spec
from subtx_toy.problem.problem import Problem
from subtx_toy.problem.spec import WORDS, ProblemSpec, built_alike
from subtx_toy.problem.stack import Array
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

    def _update(self, eps: float) -> Array:
        return self._stack.updates[0][self._at].numpy() if eps == self.problem.eps else super()._update(eps)


def screened(num: int, *, seed: int) -> Iterator[tuple[ProblemSpec, Evidence]]:
    """Draw ``num`` problems, STACK of each shape, with evidence on each; the first do not depend on how many.

    The ray, ``V``, ``G_dT`` and the update at the problem's own eps are computed for a whole stack. All of it is
    written out by hand: confirm what you find on ``spec.build()``.
    """
    for start in range(0, num, STACK):
        specs = draw_alike(generator(seed, "hunt", start // STACK), STACK)[: num - start]
        stack = _Stack(built_alike(specs))
        for at, spec in enumerate(specs):
            yield spec, StackedEvidence(stack, at, seed=spec.seed)
