"""Our means next to the published ones: interval, difference in combined standard errors, verdict."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from subtx_toy.settings.base import Settings
from subtx_toy.settings.definitions import Distillation, DistillationSweep
from subtx_toy.settings.distillation import STUDENT_ARMS, RunConfig
from subtx_toy.settings.published import PublishedPoint, full_name
from subtx_toy.stats import Estimate, difference, finite_estimate, holm
from subtx_toy.store.record import RunRecord
from subtx_toy.tolerances import FAMILY_WISE_LEVEL, MIN_SEEDS


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """One metric of one configuration.

    Attributes:
        at: the settings of a sweep's point that are not the experiment's own.
        metric: ``<arm>.accuracy``, ``<arm>.hidden_cosine`` or ``<arm>.probe_accuracy``.
        values: ours, one per seed; nan where a seed diverged.
        ours: the mean of the others with its interval.
        printed: the published mean of an arm as printed, with the half-width of its interval.
        theirs: what ours is compared with: the published mean, corrected where the control was contaminated; None where
            nothing is published.
        source: of the published mean of a point, if not the sweep's own.
        standard_errors: (ours - theirs) in combined standard errors; nan if it cannot be said.
        p_value: Welch's, or Student's where the source lends our spread, adjusted by Holm over all rows.
        verdict: ``agrees``, no difference found at the family-wise level; ``differs``; ``nothing published``; ``needs 5
            seeds``; ``diverged`` if every seed did; or ``not compared`` where the settings are not the published ones.
    """

    metric: str
    values: tuple[float, ...]
    ours: Estimate
    theirs: Estimate | None
    standard_errors: float
    p_value: float
    verdict: str
    at: Mapping[str, Any] = field(default_factory=dict)
    printed: tuple[float, float] | None = None
    source: str | None = None

    @property
    def arm(self) -> str:
        """The arm that was measured."""
        return self.metric.partition(".")[0]

    @property
    def diverged(self) -> int:
        """How many seeds have no finite value, and are not in the mean."""
        return sum(not math.isfinite(value) for value in self.values)

    @property
    def place(self) -> str:
        """The point by its settings, for example ``width=64 loss=kl``."""
        return " ".join(f"{name}={value}" for name, value in self.at.items()) or "base"


class TrialMetrics(NamedTuple):
    """The final metrics of one seed of one configuration."""

    config: RunConfig
    seed: int
    metrics: Mapping[str, float]


def compare(definition: Distillation, config: RunConfig, accuracies: Mapping[str, Sequence[float]]) -> list[Comparison]:
    """Compare the accuracies of each arm, one per seed, with the published ones.

    Where ``config``, which really ran, is not the experiment's own, nothing is comparable and the verdict says so.
    """
    published, rows = definition.published, []
    comparable = not changed_settings(definition, config)
    for arm, values in accuracies.items():
        if published is None or arm not in published.arms:
            rows.append(_compared(values, None, metric=f"{arm}.accuracy"))
            continue
        printed = published.arms[arm].mean, published.arms[arm].ci95
        theirs = Estimate(published.clean_mean(arm), published.standard_error(arm), published.n)
        rows.append(_compared(values, theirs, comparable=comparable, metric=f"{arm}.accuracy", printed=printed))
    return _judged(rows)


def compare_sweep(
    definition: DistillationSweep, findings: Sequence[TrialMetrics], *, base: RunConfig | None = None
) -> list[Comparison]:
    """Compare what was found with what is published, point by point in the order of the findings.

    Where ``base``, the settings that every point shares, is not the experiment's own, nothing is comparable.

    Returns:
        A row for each published metric of each point that was run; where nothing is published, one for the accuracy
        of the first student.
    """
    base = base or definition.config
    published = definition.published if base == definition.config else None
    by_config: dict[RunConfig, list[TrialMetrics]] = {}
    for finding in findings:
        by_config.setdefault(finding.config, []).append(finding)
    values_at: dict[Settings, list[tuple[str, list[float], PublishedPoint | None]]] = {}
    for point in published.points if published else []:
        known = values_at.setdefault(definition.point(point.at), [])
        known += [(full_name(name), value, point) for name, value in point.values.items()]
    rows = []
    for config, here in by_config.items():
        at = {name: value for name, value in config if value != getattr(base, name)}
        here = sorted(here, key=lambda one: one.seed)
        for metric, value, place in values_at.get(config) or [(_main_metric(here[0]), [], None)]:
            values = [finding.metrics[metric] for finding in here]
            theirs = published.estimate(value, finite_estimate(values), n=place.n) if published and place else None
            rows.append(
                _compared(values, theirs, lent=len(value) == 1, at=at, metric=metric, source=place and place.source)
            )
    return _judged(rows)


def _compared(
    values: Sequence[float], theirs: Estimate | None, *, comparable: bool = True, lent: bool = False, **where: Any
) -> Comparison:
    """Return a row that is judged later, unless it has its verdict already; ``where`` says what was measured."""
    ours = finite_estimate(values)
    found = difference(ours, theirs, lent=lent) if theirs is not None and comparable else None
    return Comparison(
        values=tuple(values),
        ours=ours,
        theirs=theirs,
        standard_errors=math.nan if found is None else found.standard_errors,
        p_value=math.nan if found is None else found.p_value,
        verdict="diverged"
        if not ours.n
        else "nothing published"
        if theirs is None
        else ""
        if comparable
        else "not compared",
        **where,
    )


def _judged(rows: Sequence[Comparison]) -> list[Comparison]:
    """Adjust the p-values for the family of all rows, and give a verdict to every row without one."""
    return [
        row if row.verdict else replace(row, p_value=p_value, verdict=_verdict(p_value, num_seeds=row.ours.n))
        for row, p_value in zip(rows, holm([row.p_value for row in rows]), strict=True)
    ]


def _verdict(p_value: float, *, num_seeds: int) -> str:
    if num_seeds < MIN_SEEDS:
        return f"needs {MIN_SEEDS} seeds"
    return "differs" if p_value < FAMILY_WISE_LEVEL else "agrees"


def accuracies_by_arm(records: Sequence[RunRecord]) -> dict[str, list[float]]:
    """Return the accuracies of some records of one experiment, by arm, in the order of the records."""
    return {arm: [record.accuracies[arm] for record in records] for arm in records[0].accuracies}


def changed_settings(definition: Distillation, config: RunConfig) -> list[str]:
    """Return the settings in which ``config`` is not the experiment's own."""
    return [name for name, value in definition.config if value != getattr(config, name)]


def _main_metric(finding: TrialMetrics) -> str:
    return next(name for name in finding.metrics if name.endswith(".accuracy") and name.split(".")[0] in STUDENT_ARMS)
