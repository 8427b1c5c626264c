"""What a claim is: inequalities under hypotheses, and the verdict that they give on one problem."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np

from subtx_toy.errors import InputError
from subtx_toy.tolerances import REMAINDER_GROWTH

if TYPE_CHECKING:
    from subtx_toy.claims.vocabulary.evidence import Evidence

Verdict = Literal["holds", "holds, hypothesis not checked", "violated", "not applicable", "undecided"]

VERDICTS: tuple[Verdict, ...] = get_args(Verdict)
"""All of them; *holds, hypothesis not checked* is said where one can be neither confirmed nor refuted."""


@dataclass(frozen=True)
class Inequality:
    """The assertion ``lhs <= rhs``, decided in float64.

    Attributes:
        lhs, rhs: the two sides.
        floor: how far rounding can move ``rhs - lhs``; a smaller gap, of either sign, is undecided.
        what: names the check in messages.
    """

    lhs: float
    rhs: float
    floor: float = 0.0
    what: str = ""

    @property
    def verdict(self) -> Verdict:
        """``holds``, ``violated`` or ``undecided``; what is not a number is violated."""
        if self.is_nan:
            return "violated"
        gap = self.gap
        if math.isinf(self.floor):
            return "undecided"
        if gap >= self.floor:
            return "holds"
        return "violated" if gap < -self.floor else "undecided"

    @property
    def is_nan(self) -> bool:
        """Whether something of it is not a number."""
        return math.isnan(self.lhs) or math.isnan(self.rhs) or math.isnan(self.floor)

    @property
    def margin(self) -> float:
        """Signed slack ``(rhs - lhs) / (|lhs| + |rhs|)`` in [-1, 1]; 0 for equal sides, -1 for what is not a number."""
        size = abs(self.lhs) + abs(self.rhs)
        if math.isnan(size):
            return -1.0
        if math.isinf(size):
            return math.copysign(1.0, self.gap) if self.gap else 0.0
        return self.gap / size if size else 0.0

    @property
    def gap(self) -> float:
        """``rhs - lhs``, 0 where both are the same infinity."""
        return 0.0 if self.lhs == self.rhs else self.rhs - self.lhs

    def __str__(self) -> str:
        tail = f", rounding {self.floor:.3g}" if self.floor else ""
        return f"{self.what or 'inequality'}: asserted {self.lhs:.6g} <= {self.rhs:.6g}{tail}"


_RANKS: dict[Verdict, int] = {"violated": 0, "undecided": 1, "holds": 2}


def _standing(check: Inequality) -> tuple[int, float]:
    gap, size = check.rhs - check.lhs, abs(check.lhs) + abs(check.rhs)
    if check.floor <= gap <= size < math.inf:  # the usual case, without the others' questions
        return 2, gap / size if size else 0.0
    return _RANKS[check.verdict], check.margin


@dataclass(frozen=True)
class Outcome:
    """The checks of one claim on one problem, and the pair of numbers whose ratio is reported (nan if none)."""

    checks: tuple[Inequality, ...]
    predicted: float = math.nan
    observed: float = math.nan

    @cached_property
    def worst(self) -> Inequality:
        """The check that decides the verdict: the least margin among violated, else undecided, else all."""
        return min(self.checks, key=_standing)

    @property
    def ratio(self) -> float:
        """Predicted over observed, nan where that says nothing."""
        usable = math.isfinite(self.predicted) and math.isfinite(self.observed) and self.observed != 0
        return self.predicted / self.observed if usable else math.nan


def _nothing(_evidence: Evidence) -> str:
    return ""


@dataclass(frozen=True)
class Hypothesis:
    """A condition of a claim.

    ``unmet`` says why it fails on a problem, and nothing where no failure is found; ``unchecked`` says then why one
    could not have been found, and nothing where the condition is met.
    """

    name: str
    unmet: Callable[[Evidence], str]
    unchecked: Callable[[Evidence], str] = _nothing


@dataclass(frozen=True)
class Judgement:
    """The verdict of one claim on one problem, and why: an unmet hypothesis, without an outcome, or the worst check."""

    verdict: Verdict
    reason: str = ""
    outcome: Outcome | None = None

    def __repr__(self) -> str:
        return f"Judgement({self.verdict}{f': {self.reason}' if self.reason else ''})"


@dataclass(frozen=True)
class Claim:
    """One statement about one step, with what decides it.

    Attributes:
        id: short and fixed, as ``"C1"``.
        statement: one sentence.
        prediction, observation: what theory computes, and what the steps themselves are asked.
        source: where the statement comes from.
        tolerance: name of its tolerance in ``subtx_toy.tolerances``.
        evaluate: the checks on the evidence of one problem; hypotheses are not looked at.
        hypotheses: all have to be met, else the claim is not applicable.
        every: where all claims are checked on drawn problems, this one is on one of so many, for cost.
        quick: whether two evaluations that round at random may settle a check far from their spread; not if it is of
            the logarithm of something, which rounding bounds.
        driven: whether a run on drawn problems goes on with those of the least margin, in search of a violation.
        own_students: whether it looks only at students of its own or at none, so that it says nothing of one's step.
    """

    id: str
    statement: str
    prediction: str
    observation: str
    source: str
    tolerance: str
    evaluate: Callable[[Evidence], Outcome]
    hypotheses: tuple[Hypothesis, ...] = ()
    every: int = 1
    driven: bool = False
    quick: bool = True
    own_students: bool = False

    def __repr__(self) -> str:
        return f"Claim({self.id}: {self.statement})"

    def judge(self, evidence: Evidence, *, confirm: bool = True) -> Judgement:
        """Check the hypotheses, then the inequalities; what is violated is looked at again with measured roundings.

        With ``confirm=False`` it is not, for those who confirm it themselves.
        """
        with np.errstate(all="ignore"):  # what is no number has a verdict, or a reason
            return self._judge(evidence, confirm=confirm)

    def _judge(self, evidence: Evidence, *, confirm: bool) -> Judgement:
        if undecided := evidence.update_out_of_range or evidence.narrow:
            return Judgement("undecided", undecided)
        try:
            for hypothesis in self.hypotheses:
                reason = hypothesis.unmet(evidence)
                if reason:
                    return Judgement("not applicable", f"{hypothesis.name}: {reason}")
            outcome = self.evaluate(evidence)
            if outcome.worst.verdict == "violated" and confirm:
                return self._confirmed(evidence, outcome)
        except (ArithmeticError, ValueError, RuntimeError) as error:
            if isinstance(error, InputError) or not evidence.out_of_range:
                raise
            return Judgement("undecided", evidence.out_of_range)
        return self._judged(evidence, outcome)

    def _confirmed(self, evidence: Evidence, first: Outcome) -> Judgement:
        from subtx_toy.claims.vocabulary.rounding import explained  # which looks at outcomes itself

        outcome, reason = explained(self.evaluate, evidence, first, quick=self.quick)
        return Judgement("undecided", reason, outcome) if reason else self._judged(evidence, outcome)

    def _judged(self, evidence: Evidence, outcome: Outcome) -> Judgement:
        worst = outcome.worst
        reason = "" if worst.verdict == "holds" else str(worst)
        for hypothesis in self.hypotheses if worst.verdict != "undecided" else ():
            unchecked = hypothesis.unchecked(evidence)
            if unchecked:
                sentence = f"not checked whether {hypothesis.name}: {unchecked}"
                if worst.verdict == "holds":
                    return Judgement("holds, hypothesis not checked", sentence, outcome)
                return Judgement("undecided", f"{sentence}; {reason}", outcome)
        return Judgement(worst.verdict, reason, outcome)


def outcome(checks: Iterable[Inequality], *, predicted: float = math.nan, observed: float = math.nan) -> Outcome:
    """Collect checks into an outcome."""
    return Outcome(tuple(checks), predicted, observed)


def order_checks(
    eps: Sequence[float], remainders: Sequence[float], rounding: Sequence[float], *, order: int, what: str
) -> list[Inequality]:
    """Assert ``|remainder| <= K eps^order`` down the ladder, with K taken from its upper half.

    K is REMAINDER_GROWTH times the largest |remainder| / eps^order of the upper rungs. A remainder of a lower order
    grows by that much in half a ladder and fails on the lower rungs; one that changes sign between two rungs does
    not. On the lower rungs what rounding can explain is taken off, so a remainder at rounding level passes as exact.
    """
    half = len(eps) // 2
    sizes = [abs(one) for one in remainders]
    upper = zip(eps[:half], sizes[:half], rounding[:half], strict=True)
    K = REMAINDER_GROWTH * max((size + noise) / e**order for e, size, noise in upper)
    lower = zip(eps[half:], sizes[half:], rounding[half:], strict=True)
    return [
        Inequality(max(size - noise, 0.0) / e**order, K, what=f"{what}, over eps^{order}, at eps = {e:.3g}")
        for e, size, noise in lower
    ]


def small_eps(eps: Sequence[float], remainders: Sequence[float], slope: float) -> float:
    """Return an eps at which ``eps slope`` is at least twice a remainder of second order, on the ladder or below it.

    The remainder's constant is the largest |remainder| / eps^2 of the ladder; so a remainder of lower order only
    makes the eps smaller, where its sign shows.
    """
    K = max(abs(one) / e**2 for e, one in zip(eps, remainders, strict=True))
    return min(eps[-1], slope / (2 * K)) if K > 0 and math.isfinite(K) else eps[-1]
