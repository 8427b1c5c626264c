"""The alignment on every rung of the ladder of step sizes: predicted, exact, observed, and the rounding."""

from __future__ import annotations

from dataclasses import dataclass

from subtx_toy.claims.instance import Instance
from subtx_toy.claims.vocabulary.evidence import Evidence


@dataclass(frozen=True)
class Rung:
    """The alignment of one student step at one eps.

    Attributes:
        problem: its number, from 0.
        eps: step size of the teacher.
        predicted: eps V, to first order.
        exact: by the identity of claim C5.
        observed: dS . dT of the student.
        rounding: how far rounding can move what is observed; a smaller size is undecided.
    """

    problem: int
    eps: float
    predicted: float
    exact: float
    observed: float
    rounding: float


def rungs_of(instance: Instance, evidence: Evidence) -> list[Rung]:
    """Return the rungs of one problem, from the largest eps down; none for a teacher that does not move."""
    if not evidence.dT_norm > 0:
        return []
    return [
        Rung(
            instance.index,
            eps,
            eps * evidence.V,
            evidence.ray.alignment(eps),
            evidence.alignment(eps),
            evidence.alignment_rounding(eps),
        )
        for eps in evidence.ladder
    ]
