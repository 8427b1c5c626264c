"""Users' own bounds as claims: an inequality of a problem and of the evidence on it."""

from __future__ import annotations

import inspect
import math
import numbers
import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
from torch import Tensor

from subtx_toy.claims.borrowed import BorrowedEvidence, called, copied_problem, printable, visiting
from subtx_toy.claims.vocabulary.claim import Claim, Hypothesis, Inequality, Outcome
from subtx_toy.claims.vocabulary.evidence import Evidence
from subtx_toy.errors import InputError
from subtx_toy.files.python_objects import load_object
from subtx_toy.problem.arithmetic import rounds_at_random
from subtx_toy.problem.problem import Problem
from subtx_toy.settings.arguments import TEXT, checked
from subtx_toy.tolerances import USER_BOUND_ROUNDING

Bound = Callable[[Problem, Evidence], Inequality]

_RESERVED = re.compile(r"C\d+[a-z]?", flags=re.IGNORECASE)
_MAX_ID = 60


def _evaluate(bound: Bound, name: str, evidence: Evidence) -> Outcome:
    found = _sides(bound, name, evidence)
    if (found.verdict == "violated" or evidence.thorough) and not rounds_at_random():
        again = _sides(bound, name, evidence)
        if not _same(found, again):
            raise InputError(
                f"{name}: expected the same numbers twice, got {found.lhs!r} <= {found.rhs!r} and then "
                f"{again.lhs!r} <= {again.rhs!r}, {_where(evidence)}"
            )
    # The ratio reported is that of the observed side to the bound.
    return Outcome((found,), found.lhs, found.rhs)


def _sides(bound: Bound, name: str, evidence: Evidence) -> Inequality:
    copies = BorrowedEvidence(evidence)
    found, error = called(bound, copies.problem, copies)
    if error and evidence.out_of_range:
        return Inequality(math.nan, math.nan, what=name)
    if error:
        raise InputError(f"{name}: expected an Inequality, got {error}, {_where(evidence)}")
    if not isinstance(found, Inequality):
        raise InputError(f"{name}: expected an Inequality, got {type(found).__name__}")
    lhs, rhs, floor = (_number(name, side) for side in (found.lhs, found.rhs, found.floor))
    what = printable(found.what) if isinstance(found.what, str) and found.what else name
    if math.isnan(lhs) or math.isnan(rhs):
        if not evidence.out_of_range:
            raise InputError(f"{name}: expected numbers, got {lhs} <= {rhs}, {_where(evidence)}")
        return Inequality(lhs, rhs, what=what)
    if not floor >= 0:
        raise InputError(f"{name}: floor: expected a number >= 0, got {floor}, {_where(evidence)}")
    if not (math.isfinite(lhs) and math.isfinite(rhs)):
        return Inequality(lhs, rhs, math.inf, f"{what} (a side that is not finite decides nothing)")
    if lhs == rhs:
        return Inequality(lhs, rhs, math.inf, f"{what} (trivial: both sides are {lhs:g})")
    floor = floor or USER_BOUND_ROUNDING * max(abs(lhs), abs(rhs))
    return replace(found, lhs=lhs, rhs=rhs, floor=floor, what=what)


def _where(evidence: Evidence) -> str:
    return f"on this problem:\n{evidence.snippet}"


def _number(name: str, value: Any) -> float:
    tensor = isinstance(value, Tensor) and value.numel() == 1 and not value.is_complex()
    if not (tensor or isinstance(value, numbers.Real | np.bool_)):
        raise InputError(f"{name}: expected two numbers and a floor, got {printable(repr(value))[:80]}")
    try:
        return float(value)
    except OverflowError as error:
        raise InputError(f"{name}: expected numbers that float64 holds, got one beyond 1.8e308") from error


def _same(one: Inequality, other: Inequality) -> bool:
    pairs = zip((one.lhs, one.rhs, one.floor), (other.lhs, other.rhs, other.floor), strict=True)
    return all(mine == theirs or (math.isnan(mine) and math.isnan(theirs)) for mine, theirs in pairs)


@checked(id=TEXT._replace(expected="a text, as in @claim(id='mine')"), source=TEXT)
def claim(
    *, id: str, hypotheses: Sequence[Hypothesis | Callable[[Problem], bool]] = (), source: str = "the user's own"
) -> Callable[[Bound], Claim]:
    """Make a claim of a function of (problem, evidence) that returns ``Inequality(lhs, rhs)``, asserting lhs <= rhs.

    A hypothesis is one of ``subtx_toy.claims.vocabulary.hypotheses`` or a function of the problem that says whether it
    is met; the first line of the function's docstring is the statement. Functions are given copies. Sides within
    USER_BOUND_ROUNDING of one another are undecided, unless the inequality brings a ``floor`` of its own; so are equal
    sides, which decide nothing, and a violation within the rounding that Monte Carlo arithmetic measures.

    Raises:
        InputError: if the id is one of the package's, such as ``"C1"``, or is no printable name; and when the claim is
            judged, if a function raises or returns anything but numbers, or other numbers at a second call.

    >>> from subtx_toy.problem.spec import ProblemSpec
    >>> @claim(id="cauchy-schwarz")
    ... def bound(problem, evidence):
    ...     "V is at most the product of two norms."
    ...     return Inequality(evidence.V, float(evidence.G_dT.norm()) * evidence.dT_norm)
    >>> bound.judge(Evidence(ProblemSpec(hidden=(3,), num_inputs=4).build())).verdict
    'holds'
    """
    name = id.strip()
    if _RESERVED.fullmatch(name):
        raise InputError(f"id: expected a name of your own, got {name!r}, which is kept for claims of the package")
    if not (0 < len(name) <= _MAX_ID and name.isprintable()):
        raise InputError(f"id: expected a printable name of at most {_MAX_ID} characters, got {id[:80]!r}")

    def register(bound: Bound) -> Claim:
        if not callable(bound):
            raise InputError(f"{name}: expected a function of (problem, evidence), got {type(bound).__name__}")
        return Claim(
            id=name,
            statement=printable((inspect.getdoc(bound) or name).partition("\n")[0]),
            prediction="the right-hand side",
            observation="the left-hand side",
            source=printable(source),
            tolerance="USER_BOUND_ROUNDING",
            evaluate=partial(_evaluate, bound, name),
            hypotheses=tuple(one if isinstance(one, Hypothesis) else _condition(name, one) for one in hypotheses),
            driven=True,
        )

    return register


def load_claim(reference: str) -> Claim:
    """Return the claim that ``module:name`` or ``file.py:name`` names."""
    expected = "a function under @claim(id=...)"
    with visiting():
        try:
            found = load_object("claims", reference, expected=expected)
        except SystemExit as error:
            raise InputError(f"claims: expected {expected} at {reference!r}, got SystemExit: {error}") from error
    if not isinstance(found, Claim):
        raise InputError(f"claims: expected {expected} at {reference!r}, got {type(found).__name__}")
    return found


def _condition(id: str, met: Callable[[Problem], bool]) -> Hypothesis:
    if not callable(met):
        raise InputError(f"{id}: hypotheses: expected functions of the problem, got {type(met).__name__}")
    name = printable(
        (inspect.getdoc(met) or str(getattr(met, "__name__", "a condition of the user's"))).partition("\n")[0]
    )

    def unmet(evidence: Evidence) -> str:
        found, error = called(met, copied_problem(evidence.problem))
        if (
            error
            or not isinstance(found, bool | np.bool_ | Tensor)
            or (isinstance(found, Tensor) and found.numel() != 1)
        ):
            got = error or printable(repr(found))[:80]
            raise InputError(f"{id}: hypothesis {name!r}: expected True or False, got {got}, {_where(evidence)}")
        return "" if found else "not met"

    return Hypothesis(name, unmet)
