"""What a control is: a student that breaks a hypothesis, and the checks that it must fail."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from subtx_toy.claims.statements.alignment import dichotomy
from subtx_toy.claims.vocabulary.claim import Outcome
from subtx_toy.claims.vocabulary.evidence import Evidence


@dataclass(frozen=True)
class BrokenStudent:
    """What is done to a student, and the checks of the claim that fail on the evidence of it, where it can be had.

    ``every``: its rate of failure is counted on one drawn problem of so many, for cost.
    """

    id: str
    statement: str
    breaks: Callable[[Evidence], Evidence | None]
    claim: str = "C2"
    evaluate: Callable[[Evidence], Outcome] = dichotomy
    every: int = 1
