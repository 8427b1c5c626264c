"""Negative controls: students that break a hypothesis and must fail the claim on a problem built for it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from scipy.special import betaincinv

from subtx_toy.claims.controls.broken_students import BROKEN, BrokenStudent
from subtx_toy.claims.controls.constructed import CONSTRUCTED
from subtx_toy.claims.instance import Instance
from subtx_toy.claims.vocabulary.claim import Verdict
from subtx_toy.claims.vocabulary.evidence import Evidence
from subtx_toy.claims.vocabulary.hypotheses import ONE_STEP, SEEN
from subtx_toy.problem.problem import Problem


@dataclass
class ControlResult:
    """The verdict of a control's claim on its constructed problem, and how many of the drawn problems violate it."""

    control: BrokenStudent
    verdict: Verdict
    failures: int = 0
    num_drawn: int = 0

    @property
    def failed_as_it_must(self) -> bool:
        """Whether the constructed problem violates the claim."""
        return self.verdict == "violated"

    @property
    def interval(self) -> tuple[float, float]:
        """Clopper and Pearson's 95 % interval of the rate of failure; nothing is known without a draw.

        Reference: Clopper and Pearson 1934, Biometrika 26, 404-413.
        """
        if self.num_drawn == 0:
            return 0.0, 1.0
        failures, rest = self.failures, self.num_drawn - self.failures
        low = betaincinv(failures, rest + 1, 0.025) if failures else 0.0
        high = betaincinv(failures + 1, rest, 0.975) if rest else 1.0
        return float(low), float(high)


def constructed_verdict(control: BrokenStudent, problem: Problem | None = None) -> Verdict:
    """Return the verdict on the problem built for the control, or on another one."""
    evidence = Evidence(CONSTRUCTED[control.id]() if problem is None else problem)
    broken = control.breaks(evidence)
    if broken is None:
        raise ValueError(f"{control.id}: expected a problem on which the student can be had")
    return control.evaluate(broken).worst.verdict


def run_controls(instances: Iterable[Instance] = ()) -> list[ControlResult]:
    """Judge every control on its constructed problem, and count its failures on drawn ones.

    The rate is over problems that meet the hypotheses of the one-step claims, with V not zero by construction, and
    on which the student can be had.
    """
    results = [ControlResult(control, constructed_verdict(control)) for control in BROKEN]
    for instance in instances:
        evidence = instance.evidence()
        if any(one.unmet(evidence) for one in (*ONE_STEP, SEEN)):
            continue
        for result in results:
            broken = result.control.breaks(evidence)
            if broken is not None:
                result.num_drawn += 1
                result.failures += result.control.evaluate(broken).worst.verdict == "violated"
    return results
