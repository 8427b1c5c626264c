"""Claims C8 and C10: ranges of eps on which the alignment is positive."""

from __future__ import annotations

import math

from subtx_toy.claims.statements.alignment import aligned
from subtx_toy.claims.vocabulary.claim import Claim, Hypothesis, Inequality, Outcome, outcome
from subtx_toy.claims.vocabulary.evidence import Evidence
from subtx_toy.claims.vocabulary.hypotheses import MOVING, SEEN, SMOOTH, STANDARD_LOSS
from subtx_toy.theory.observed_eps import observed_eps

_GRID = (1.0, 0.9, 0.5, 0.1, 0.01)  # of the closed form
_FAR = 256.0  # where the closed form is infinite: teachers that have moved up to that far


def positive_in_closed_form(evidence: Evidence) -> Outcome:
    """Check that the alignment is positive on a grid in (0, closed form]."""
    end = evidence.closed_form.eps
    assert end is not None  # a hypothesis
    last = min(end, _FAR * evidence.unit)
    evidence.prepare([part * last for part in _GRID])
    return outcome(aligned(evidence, part * last, f"{part} of the closed form") for part in _GRID)


def closed_before_observed(evidence: Evidence) -> Outcome:
    """Check that the closed form ends before the first sign change that a scan finds."""
    end, seen = evidence.closed_form.eps, observed_eps(evidence.problem)
    assert end is not None  # a hypothesis
    if seen.eps is not None:
        # A sign change that 160 bits do not show is no observation.
        floor = 0.0 if seen.confirmed else math.inf
        what = "closed form <= first sign change" + (f", not confirmed: {seen.unconfirmed}" if seen.unconfirmed else "")
        return outcome([Inequality(end, seen.eps, floor, what)], predicted=end, observed=seen.eps)
    # No sign change up to the cap contradicts no bound, however large.
    return outcome([Inequality(0.0, math.inf, what="closed form, and no sign change up to the cap")])


BOUNDED = Hypothesis(
    "a bound on the second derivative along the ray is known",
    lambda evidence: evidence.closed_form.reason if evidence.closed_form.eps is None else "",
)

CLAIMS = (
    Claim(
        id="C8",
        statement="The alignment is positive for every eps up to the E with E M(E) = 2 V, M a bound on its second "
        "derivative along the ray.",
        prediction="E, in closed form",
        observation="dS . dT at parts of E",
        source="this package; Taylor's theorem with the remainder bounded layer by layer",
        tolerance="ALIGNMENT_FLOOR_UNITS",
        evaluate=positive_in_closed_form,
        hypotheses=(MOVING, SMOOTH, STANDARD_LOSS, SEEN, BOUNDED),
        every=8,
    ),
    Claim(
        id="C10",
        statement="The closed form ends before the first eps at which the alignment changes sign.",
        prediction="E, in closed form",
        observation="the first sign change of a scan over 460 eps, above rounding and confirmed at 160 bits",
        source="this package",
        tolerance="ALIGNMENT_FLOOR_UNITS",
        evaluate=closed_before_observed,
        hypotheses=(MOVING, SMOOTH, STANDARD_LOSS, SEEN, BOUNDED),
        every=32,
    ),
)
