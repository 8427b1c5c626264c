"""The one rounding floor of claims, bounds and assertions: measured, where a check is about to be called violated."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cached_property
from typing import TypeVar

from torch import Tensor

from subtx_toy.claims.vocabulary.claim import Inequality, Outcome
from subtx_toy.claims.vocabulary.evidence import Evidence
from subtx_toy.problem.arithmetic import AMPLIFICATION, MonteCarloArithmetic
from subtx_toy.problem.model import MLP, FastMLP
from subtx_toy.problem.problem import Problem
from subtx_toy.tolerances import CLEARLY, NUM_ROUNDINGS, ROUNDING_SAFETY
from subtx_toy.training.gradient_step import student_step

Evaluate = Callable[[Evidence], Outcome]
T = TypeVar("T")


class NoBoundError(Exception):
    """A bound that a hypothesis asks for is not known, for the reason that this carries: rounding decides it."""


def known(bound: float | None, reason: str) -> float:
    """Return the bound of a claim whose hypothesis is that there is one; without it raise NoBoundError."""
    if bound is None:
        raise NoBoundError(reason)
    return bound


class RoundedEvidence(Evidence):
    """Evidence by plain automatic differentiation whose roundings are measured by Monte Carlo arithmetic.

    ``spread`` of a quantity is the largest change over NUM_ROUNDINGS evaluations that round at random, over their
    AMPLIFICATION and times ROUNDING_SAFETY. The roundings that the claims ask for are no smaller than the spreads of
    what they round.
    """

    @classmethod
    def of(cls, evidence: Evidence) -> RoundedEvidence:
        """Measure again what ``evidence`` measures; the ladder and planted quantities stay."""
        return cls(differentiated(evidence.problem), **evidence.settings())

    @cached_property
    def repeats(self) -> list[tuple[Evidence, MonteCarloArithmetic]]:
        """Evidence on the same problem, and the arithmetic to look at each in."""
        return [self._repeat(MonteCarloArithmetic(seed)) for seed in range(NUM_ROUNDINGS)]

    def _repeat(self, mode: MonteCarloArithmetic) -> tuple[Evidence, MonteCarloArithmetic]:
        problem = self.problem
        if problem.is_trait_step and "dT" not in self.planted:
            with mode:
                update = {name: -slope for name, slope in problem.trait_gradient().items()}
            problem = _with(problem, teacher_update=update)
        return Evidence(problem, **self.settings()), mode

    def again(self, quantity: Callable[[Evidence], T], *, num: int = NUM_ROUNDINGS) -> list[T]:
        """Return the quantity of each of the first repeats."""
        found = []
        for evidence, mode in self.repeats[:num]:
            with mode:
                found.append(quantity(evidence))
        return found

    def spread(self, quantity: Callable[[Evidence], float]) -> float:
        """Return how far rounding moves a number."""
        return _spread(quantity(self), self.again(quantity))

    def spread_in_norm(self, quantity: Callable[[Evidence], Tensor]) -> float:
        """Return how far rounding moves a vector."""
        mine = quantity(self)
        return _spread(0.0, [float((one - mine).norm()) for one in self.again(quantity)])

    def alignment_rounding(self, eps: float) -> float:
        """As for any evidence, and no less than what is measured."""
        if eps not in self._roundings:
            measured = (
                self.spread(lambda one: one.alignment(eps))
                + self.spread(lambda one: one.ray.alignment(eps))
                + eps * self.spread(lambda one: one.V)
            )
            super().alignment_rounding(eps)
            self._roundings[eps] += measured
        return self._roundings[eps]

    @cached_property
    def update_rounding(self) -> float:
        """As for any evidence, and no less than what is measured."""
        top = self.ladder[0]
        updates = (self.spread_in_norm(lambda one, eps=eps: one.update(eps)) for eps in self.ladder)  # type: ignore[misc]
        measured = max(updates) + top * self.spread_in_norm(lambda one: one.G_dT)
        return measured + self.ray.update_rounding(self.stream("rounding"))

    def trait_rounding(self, eps: float, student_lr: float) -> float:
        """As for any evidence, and no less than what is measured."""
        measured = self.spread(lambda one: one.trait_change(eps, student_lr))
        return super().trait_rounding(eps, student_lr) + measured


def explained(evaluate: Evaluate, evidence: Evidence, first: Outcome, *, quick: bool = False) -> tuple[Outcome, str]:
    """Look again at an outcome that is violated; return it with measured floors, and why float64 cannot decide it.

    The reason is empty where the violation stands.
    """
    if reason := evidence.narrow_trait or evidence.out_of_range or evidence.bends_everywhere:
        return first, reason
    if first.worst.is_nan:
        plain = Evidence(evidence.problem, **evidence.settings() | {"student_step": student_step})
        if evidence.step is student_step or evaluate(plain).worst.is_nan:
            return first, f"what is not a number in float64 decides nothing: {first.worst}"
        return first, ""
    try:
        found = with_measured_floors(evaluate, evidence, first, quick=quick)
    except NoBoundError as error:
        return first, f"undecided in float64 by rounding: rounded at random, no bound is proved: {error}"
    if found.worst.verdict == "violated":
        return found, ""
    return found, (
        "undecided in float64 by rounding inside the model, as measured; centre and scale the inputs, or evaluate it "
        f"with more digits: {found.worst}"
    )


def with_measured_floors(evaluate: Evaluate, evidence: Evidence, first: Outcome, *, quick: bool) -> Outcome:
    """Return the outcome with every floor measured, after ``first`` had a violated check.

    The checks are made again with the measured roundings, and a check that is violated even then is given its own
    spread over the repeats as its floor. With ``quick`` two repeats settle a check whose gap is far from their spread.
    What float64 first called violated never comes back as *holds*.
    """
    rounded = RoundedEvidence.of(evidence)
    worst = first.worst
    if quick:
        at, num = first.checks.index(worst), len(first.checks)
        floor = _spread(worst.gap, [_gap(outcome, at, num) for outcome in rounded.again(evaluate, num=2)])
        if abs(worst.gap) > CLEARLY * floor:
            return first
        if num == 1 and abs(worst.gap) <= floor:
            return replace(first, checks=(replace(worst, floor=floor),))
    found = evaluate(rounded)
    if found.worst.verdict == "violated":
        found = replace(found, checks=_with_own_floors(found.checks, first, rounded.again(evaluate)))
    if found.worst.verdict != "holds":
        return found
    return replace(found, checks=(replace(worst, floor=max(worst.floor, abs(worst.gap), found.worst.floor)),))


def outlasts_rounding(evaluate: Evaluate, evidence: Evidence) -> bool:
    """Whether the gap of an outcome's worst check is larger than what rounding is measured to move it by."""
    rounded = RoundedEvidence.of(evidence)
    gap = evaluate(rounded).worst.gap
    return gap > _spread(gap, [outcome.worst.gap for outcome in rounded.again(evaluate, num=2)])


def _with_own_floors(checks: Sequence[Inequality], first: Outcome, others: Sequence[Outcome]) -> tuple[Inequality, ...]:
    num, found = len(checks), []
    for at, check in enumerate(checks):
        gaps = [_gap(outcome, at, num) for outcome in others]
        found.append(replace(check, floor=max(check.floor, _spread(_gap(first, at, num), gaps))))
    return tuple(found)


def _gap(outcome: Outcome, at: int, num: int) -> float:
    # Another number of checks means that rounding decides what is checked.
    return outcome.checks[at].gap if len(outcome.checks) == num else math.nan


def _spread(mine: float, others: Sequence[float]) -> float:
    moves = [abs(one - mine) for one in others if one != mine]
    if any(math.isnan(move) for move in moves):
        return math.inf
    return ROUNDING_SAFETY * max(moves, default=0.0) / AMPLIFICATION


def differentiated(problem: Problem) -> Problem:
    """Return the problem with automatic differentiation in place of passes written out by hand."""
    model = problem.model
    if not isinstance(model, FastMLP):
        return problem
    return _with(problem, model=MLP(model.sizes, model.activation, model.num_classes, model.init, model.init_scale))


def _with(problem: Problem, **fields: object) -> Problem:
    other = copy.copy(problem)
    other.__dict__.pop("flat", None)
    other.__dict__.update(fields, is_trait_step=problem.is_trait_step)
    return other
