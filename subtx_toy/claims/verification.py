"""Run claims over problems, say for each whether it holds, and confirm what violates it."""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from subtx_toy.claims.driving import Closest, drive
from subtx_toy.claims.instance import Instance
from subtx_toy.claims.shrinking import shrunk
from subtx_toy.claims.vocabulary.claim import Claim, Inequality, Judgement, Verdict
from subtx_toy.claims.vocabulary.evidence import Evidence
from subtx_toy.claims.vocabulary.rounding import outlasts_rounding
from subtx_toy.errors import InputError
from subtx_toy.problem.model import MLP

_CONFIRMED = 2  # violations of each order


@dataclass
class Summary:
    """What became of one claim over all problems.

    ``worst_margin`` is the least signed slack (rhs - lhs) / (|lhs| + |rhs|), in [-1, 1], over the checks that decided;
    ``ratios`` are predicted over observed; ``bound`` is the largest rounding floor of an undecided problem;
    ``reasons`` count why problems were not applicable or undecided; ``violation`` is the smallest, and why.
    """

    claim: Claim
    counts: Counter[Verdict] = field(default_factory=Counter)
    worst_margin: float | None = None
    ratios: list[float] = field(default_factory=list)
    bound: float = 0.0
    reasons: Counter[str] = field(default_factory=Counter)
    violation: tuple[int, Instance, str] | None = None
    unconfirmed: list[tuple[Judgement, Instance]] = field(default_factory=list)
    closest: Closest = field(default_factory=Closest)
    widest: list[tuple[float, Instance]] = field(default_factory=list)

    @property
    def instances(self) -> int:
        """Problems looked at."""
        return sum(self.counts.values())

    @property
    def applicable(self) -> int:
        """Problems that meet the hypotheses."""
        return self.instances - self.counts["not applicable"]

    @property
    def decided(self) -> int:
        """Problems on which neither rounding nor a trivial check leaves it open."""
        return self.applicable - self.counts["undecided"]

    @property
    def verdict(self) -> Verdict:
        """``violated`` if one problem violates it, else ``holds`` if one decides, else what is left."""
        order: Sequence[Verdict] = ("violated", "holds", "holds, hypothesis not checked", "undecided")
        return next((one for one in order if self.counts[one]), "not applicable")

    def ratio(self) -> tuple[float, float, float] | None:
        """Return least, median and largest predicted over observed."""
        if not self.ratios:
            return None
        return float(np.min(self.ratios)), float(np.median(self.ratios)), float(np.max(self.ratios))

    def judge(self, instance: Instance, evidence: Evidence) -> None:
        """Judge one problem and count it. Violations of a driven claim wait for ``settle``."""
        judgement = self._judgement(evidence)
        if self.claim.driven and judgement.outcome is not None:
            worst = judgement.outcome.worst
            if np.isfinite(worst.floor) and instance.shrinkable and instance.spec is not None:
                self.closest.add(worst.margin, instance.spec)
            if judgement.verdict == "holds":
                self.widest = sorted([*self.widest, (-worst.margin, instance)], key=lambda pair: pair[0])[:_CONFIRMED]
        if self.claim.driven and judgement.verdict == "violated":
            self.unconfirmed.append((judgement, instance))
        else:
            self.add(judgement, instance, evidence)

    def _judgement(self, evidence: Evidence) -> Judgement:
        if self.claim.driven or isinstance(evidence.problem.model, MLP):
            return self.claim.judge(evidence, confirm=not self.claim.driven)
        try:
            return self.claim.judge(evidence)
        except (RuntimeError, InputError) as error:  # a derivative that a user's module has not, or a size out of reach
            return Judgement("undecided", f"cannot be computed on this model: {type(error).__name__}: {error}")

    def settle(self, *, seed: int) -> None:
        """Confirm what violated a driven claim, the worst first; if nothing did, drive its margin down.

        Of the violations, those of the largest gaps and margins are looked at with measured roundings. If all of these
        are undecided, so are the others; if one is confirmed, the others stand.
        """
        if self.unconfirmed:
            by_margin = sorted(self.unconfirmed, key=lambda pair: _worst(pair[0]).margin)[:_CONFIRMED]
            by_gap = sorted(self.unconfirmed, key=lambda pair: _worst(pair[0]).gap)[:_CONFIRMED]
            chosen = {id(instance): instance for _, instance in (*by_gap, *by_margin)}.values()
            judged = ((self.claim.judge(one.evidence()), one) for one in chosen)
            confirmed = next((pair for pair in judged if pair[0].verdict == "violated"), None)
            for judgement, instance in self.unconfirmed:
                if confirmed is not None and instance is not confirmed[1]:
                    self.counts["violated"] += 1  # a rounding may be among them, so none is the counterexample
                    continue
                if confirmed is None:
                    reason = f"within the rounding measured where it is violated most: {judgement.reason}"
                    judgement = replace(judgement, verdict="undecided", reason=reason)
                self.add(judgement, instance, instance.evidence())
            self.unconfirmed = []
        if self.claim.driven and not self.counts["violated"]:
            self._doubt()
            found = drive(self.claim, self.closest.found, seed=seed)
            if found.violating is not None:
                instance = Instance.of(found.violating, shrinkable=True)
                judgement = self.claim.judge(Instance.of(found.violating).evidence())
                self.add(judgement, instance, instance.evidence())

    def _doubt(self) -> None:
        """Count what holds as undecided if measured roundings explain even the widest gaps."""
        if self.widest and not any(outlasts_rounding(self.claim.evaluate, one.evidence()) for _, one in self.widest):
            self.counts["undecided"] += self.counts.pop("holds", 0)
            self.reasons["within the rounding measured where it holds most"] += 1
            self.worst_margin = None

    def add(self, judgement: Judgement, instance: Instance, evidence: Evidence) -> None:
        """Count one problem."""
        self.counts[judgement.verdict] += 1
        if judgement.verdict in ("not applicable", "undecided"):
            # The sentence without its numbers, which differ from problem to problem.
            self.reasons[judgement.reason.partition(" at eps")[0].partition(", rounding")[0]] += 1
        if judgement.outcome is None:
            return
        ratio, worst = judgement.outcome.ratio, judgement.outcome.worst
        if judgement.verdict != "undecided" and not math.isnan(ratio):
            self.ratios.append(ratio)
        if judgement.verdict == "undecided":
            self.bound = max(self.bound, worst.floor)
            return
        self.worst_margin = worst.margin if self.worst_margin is None else min(self.worst_margin, worst.margin)
        if judgement.verdict == "violated":
            size = sum(value.numel() for value in evidence.problem.base_params.values())
            if self.violation is None or size < self.violation[0]:
                self.violation = size, instance, judgement.reason

    def counterexample(self) -> tuple[str, str] | None:
        """Return the smallest violating problem as text, shrunk if it was drawn, and the check that it violates."""
        if self.violation is None:
            return None
        _, instance, reason = self.violation
        if instance.spec is None or not instance.shrinkable:  # a given problem is what the user asked about
            return instance.snippet, reason
        spec = shrunk(self.claim, instance.spec)
        return spec.snippet(), self.claim.judge(Instance.of(spec).evidence()).reason or reason


@dataclass(frozen=True)
class Verdicts:
    """A summary of each claim, the number of checks on problems that meet the hypotheses, and the process's time."""

    summaries: list[Summary]
    num_checks: int
    cpu_seconds: float

    @property
    def checks_per_second(self) -> float:
        """Evaluated claims a CPU second."""
        return self.num_checks / self.cpu_seconds if self.cpu_seconds else 0.0


def verify(
    claims: Iterable[Claim],
    instances: Iterable[Instance],
    *,
    seed: int = 0,
    thinned: bool = True,
    progress: Callable[[int], None] = lambda _done: None,
    visit: Callable[[Instance, Evidence], None] = lambda _instance, _evidence: None,
) -> Verdicts:
    """Judge every claim on every instance; where they are ``thinned``, on one of as many as the claim's ``every``.

    ``seed`` is of the search for violations of driven claims; ``visit`` sees each problem once it is judged.
    """
    start = time.process_time()
    summaries = [Summary(claim) for claim in claims]
    for done, instance in enumerate(instances, start=1):
        evidence = instance.evidence()
        for summary in summaries:
            if not thinned or instance.index % summary.claim.every == 0:
                summary.judge(instance, evidence)
        visit(instance, evidence)
        progress(done)
    for summary in summaries:
        summary.settle(seed=seed)
    num_checks = sum(summary.applicable for summary in summaries)
    return Verdicts(summaries, num_checks, time.process_time() - start)


def _worst(judgement: Judgement) -> Inequality:
    assert judgement.outcome is not None  # what is violated has one
    return judgement.outcome.worst
