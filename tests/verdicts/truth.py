"""What is true of each claim on each case of the corpus, by evaluation at 200 bits alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

import torch
from flint import arb, ctx

from subtx_toy.problem.problem import Problem
from tests.verdicts import exact_arrays as ex
from tests.verdicts.exact_conditions import breaks, conditions, is_kinked
from tests.verdicts.exact_functions import Function, undetached
from tests.verdicts.exact_losses import ExactLoss, squared_error
from tests.verdicts.exact_step import ExactStep
from tests.verdicts.exact_whole import Forward, perceptron

Truth = Literal["true", "no hypothesis, yet true", "no hypothesis, and false"]
"""A claim is true where its hypotheses are met and what it concludes is so. Elsewhere it says nothing, and what it
concludes may be so or not."""

IDS = ("C1", "C1b", "C2", "C3", "C4", "C5")
"""The claims that are judged on modules and losses."""

ALLOWED = {
    "true": ("holds", "undecided"),
    "no hypothesis, yet true": ("not applicable",),
    "no hypothesis, and false": ("not applicable",),
}
"""Verdicts that are not wrong."""


@dataclass(frozen=True)
class Evaluated:
    """A problem at 200 bits.

    Attributes:
        step: the student and its teacher.
        truths: by the ids of the claims.
        precision: bits at work, to be set where ``step`` is asked for more.
    """

    step: ExactStep
    truths: dict[str, Truth]
    precision: int

    def alignment(self, eps: float) -> arb:
        """Return a(eps)."""
        with ctx.workprec(self.precision):
            return self.step.a(arb(eps))

    def curvature(self) -> arb:
        """Return V."""
        with ctx.workprec(self.precision):
            return arb(0) if self.step.is_blind else self.step.V


def of_module(
    problem: Problem,
    forward: Callable[[torch.Tensor], Forward],
    *,
    between: Function | None,
    loss: ExactLoss | None = None,
    precision: int = ex.PRECISION,
) -> Evaluated:
    """Evaluate a module under squared error, or under a loss that is least at agreement.

    ``between`` is its only function that may have kinks; without one the module is looked at on the ray.
    """
    with ctx.workprec(precision):
        step = ExactStep(problem, forward, loss or squared_error())
        kinked = is_kinked(undetached(between)) if between else breaks(lambda s: step.teacher(s * step.unit))
        met = dict.fromkeys(IDS, not (kinked or step.is_cut)) | {"C5": True}
        return Evaluated(step, truths(met, step.conclusions()), precision)


def of_loss(problem: Problem, loss: ExactLoss) -> Evaluated:
    """Evaluate a loss on a perceptron with tanh."""
    with ctx.workprec(ex.PRECISION):
        step = ExactStep(problem, lambda inputs: lambda p, _p0: perceptron(ex.exact(inputs), p), loss)
        return Evaluated(step, truths(conditions(loss, step.z).hypotheses(), step.conclusions()), ex.PRECISION)


def truths(met: Mapping[str, bool], so: Mapping[str, bool]) -> dict[str, Truth]:
    """Return the truth of each claim from whether its hypotheses are met and its conclusion is so."""
    found: dict[str, Truth] = {}
    for id in IDS:
        assert so[id] or not met[id], f"{id}: its hypotheses are met and its conclusion is false"
        found[id] = "true" if met[id] else "no hypothesis, yet true" if so[id] else "no hypothesis, and false"
    return found
