"""Negative controls: students that break a hypothesis and must fail the claim, on a problem built for it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from scipy import stats

from subtx_toy.claims import constructed
from subtx_toy.claims.broken_students import BROKEN
from subtx_toy.claims.claim import Verdict
from subtx_toy.claims.evidence import Evidence
from subtx_toy.claims.instance import Instance
from subtx_toy.claims.registry import CLAIMS


@dataclass(frozen=True)
class Control:
    """A student that must fail a claim.

    Attributes:
        id: short and fixed.
        statement: what is done to the student.
        claim: id of the claim that fails.
        constructed: evidence on the problem built to fail.
        drawn: the same student on any problem; None where it cannot be had there.
    """

    id: str
    statement: str
    claim: str
    constructed: Callable[[], Evidence]
    drawn: Callable[[Evidence], Evidence | None]


@dataclass(frozen=True)
class ControlResult:
    """How a control fared.

    Attributes:
        control: which.
        verdict: of its claim on the constructed problem, hypotheses not asked; it must be ``violated``.
        failures, num_drawn: drawn problems on which the claim is violated, of how many.
        interval: Clopper and Pearson's 95 % interval of that rate.
    """

    control: Control
    verdict: Verdict
    failures: int
    num_drawn: int

    @property
    def failed_as_it_must(self) -> bool:
        """Whether the constructed problem violates the claim."""
        return self.verdict == "violated"

    @property
    def interval(self) -> tuple[float, float]:
        """Clopper and Pearson's 95 % interval of the rate.

        Reference: Clopper and Pearson 1934, Biometrika 26, 404-413.
        """
        if self.num_drawn == 0:
            return 0.0, 1.0
        found = stats.binomtest(self.failures, self.num_drawn).proportion_ci(0.95, method="exact")
        return float(found.low), float(found.high)


def run_control(control: Control, instances: Iterable[Instance] = ()) -> ControlResult:
    """Evaluate the claim on the constructed problem, and on drawn ones for the rate."""
    evaluate = CLAIMS[control.claim].evaluate
    verdict = evaluate(control.constructed()).worst.verdict
    failures = num_drawn = 0
    for instance in instances:
        evidence = instance.evidence()
        if any(one.unmet(evidence) for one in CLAIMS[control.claim].hypotheses) or evidence.degenerate:
            continue
        broken = control.drawn(evidence)
        if broken is not None:
            num_drawn += 1
            failures += evaluate(broken).worst.verdict == "violated"
    return ControlResult(control, verdict, failures, num_drawn)


CONTROLS = tuple(
    Control(student.id, student.statement, student.claim, getattr(constructed, student.id), student.breaks)
    for student in BROKEN
)
"""All of them."""
