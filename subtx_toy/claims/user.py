"""Users' own bounds as claims: an inequality of a problem and of the evidence on it."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

from subtx_toy.claims.vocabulary.claim import Claim, Hypothesis, Inequality, Outcome
from subtx_toy.claims.vocabulary.evidence import Evidence
from subtx_toy.errors import InputError
from subtx_toy.files.python_objects import load_object
from subtx_toy.problem.problem import Problem
from subtx_toy.settings.arguments import TEXT, checked
from subtx_toy.tolerances import USER_BOUND_ROUNDING

Bound = Callable[[Problem, Evidence], Inequality]


def _evaluate(bound: Bound, name: str, evidence: Evidence) -> Outcome:
    where = f"on this problem:\n{evidence.snippet}"
    try:
        found = bound(evidence.problem, evidence)
    except Exception as error:  # a user's function can raise anything
        raise InputError(f"{name}: expected an Inequality, got {type(error).__name__}: {error}, {where}") from error
    if not isinstance(found, Inequality):
        raise InputError(f"{name}: expected an Inequality, got {type(found).__name__}")
    try:
        lhs, rhs, floor = float(found.lhs), float(found.rhs), float(found.floor)
    except (TypeError, ValueError) as error:
        raise InputError(f"{name}: expected two numbers, got {found.lhs!r} and {found.rhs!r}") from error
    if math.isnan(lhs) or math.isnan(rhs):
        raise InputError(f"{name}: expected numbers, got {lhs} <= {rhs}, {where}")
    sizes = [abs(side) for side in (lhs, rhs) if math.isfinite(side)]
    floor = floor or USER_BOUND_ROUNDING * max(sizes, default=0.0)
    # The ratio reported is that of the observed side to the bound.
    return Outcome((replace(found, lhs=lhs, rhs=rhs, floor=floor, what=found.what or name),), lhs, rhs)


@checked(id=TEXT._replace(expected="a text, as in @claim(id='mine')"), source=TEXT)
def claim(
    *, id: str, hypotheses: Sequence[Hypothesis | Callable[[Problem], bool]] = (), source: str = "the user's own"
) -> Callable[[Bound], Claim]:
    """Make a claim of a function of (problem, evidence) that returns ``Inequality(lhs, rhs)``, asserting lhs <= rhs.

    A hypothesis is one of ``subtx_toy.claims.vocabulary.hypotheses`` or a function of the problem that says whether it
    is met; the first line of the function's docstring is the statement. Sides within USER_BOUND_ROUNDING of one another
    are undecided, unless the inequality brings a ``floor`` of its own.

    >>> from subtx_toy.problem.spec import ProblemSpec
    >>> @claim(id="cauchy-schwarz")
    ... def bound(problem, evidence):
    ...     "V is at most the product of two norms."
    ...     return Inequality(evidence.V, float(evidence.G_dT.norm()) * evidence.dT_norm)
    >>> bound.judge(Evidence(ProblemSpec(hidden=(3,), num_inputs=4).build())).verdict
    'holds'
    """

    def register(bound: Bound) -> Claim:
        statement = (inspect.getdoc(bound) or id).partition("\n")[0]
        conditions = tuple(one if isinstance(one, Hypothesis) else _condition(one) for one in hypotheses)
        return Claim(
            id=id,
            statement=statement,
            prediction="the right-hand side",
            observation="the left-hand side",
            source=source,
            tolerance="USER_BOUND_ROUNDING",
            evaluate=partial(_evaluate, bound, id),
            hypotheses=conditions,
        )

    return register


def load_claim(reference: str) -> Claim:
    """Return the claim that ``module:name`` or ``file.py:name`` names."""
    expected = "a function under @claim(id=...)"
    found = load_object("claims", reference, expected=expected)
    if not isinstance(found, Claim):
        raise InputError(f"claims: expected {expected} at {reference!r}, got {type(found).__name__}")
    return found


def _condition(met: Callable[[Problem], bool]) -> Hypothesis:
    name = inspect.getdoc(met) or str(getattr(met, "__name__", "a condition of the user's"))
    return Hypothesis(name.partition("\n")[0], lambda evidence: "" if met(evidence.problem) else "not met")
