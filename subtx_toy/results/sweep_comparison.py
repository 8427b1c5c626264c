"""A sweep beside its published numbers: every point, every metric, and one verdict each."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from subtx_toy.results.arm_comparison import judge
from subtx_toy.settings.base import Settings
from subtx_toy.settings.definitions import DistillationSweep
from subtx_toy.settings.distillation import STUDENT_ARMS, RunConfig
from subtx_toy.settings.published import full_name
from subtx_toy.stats import Estimate, difference, estimate, holm
from subtx_toy.store.record import RunRecord


class TrialMetrics(NamedTuple):
    """The final metrics of one seed of one configuration."""

    config: RunConfig
    seed: int
    metrics: Mapping[str, float]


@dataclass(frozen=True)
class PointComparison:
    """One metric at one point of a sweep.

    Attributes:
        at: the settings of the point that are not the experiment's own.
        metric: ``<arm>.accuracy``, ``<arm>.hidden_cosine`` or ``<arm>.probe_accuracy``.
        values: ours, one a seed.
        ours: their mean with its interval.
        source: of the published mean, if not the sweep's own.
        theirs: the published mean with its standard error; None where nothing is published.
        standard_errors: (ours - theirs) in combined standard errors; nan if it cannot be said.
        p_value: Welch's, or Student's where the source lends our spread, adjusted by Holm over the sweep.
        verdict: ``agrees``, ``differs``, ``nothing published`` or ``needs 5 seeds``.
    """

    at: Mapping[str, Any]
    metric: str
    values: tuple[float, ...]
    ours: Estimate
    source: str | None
    theirs: Estimate | None
    standard_errors: float
    p_value: float
    verdict: str

    @property
    def place(self) -> str:
        """The point by its settings, for example ``width=64 loss=kl``."""
        return " ".join(f"{name}={value}" for name, value in self.at.items()) or "base"


def compare_sweep(
    definition: DistillationSweep, findings: Sequence[TrialMetrics], *, base: RunConfig | None = None
) -> list[PointComparison]:
    """Compare what was found with what is published, point by point in the order of the findings.

    Args:
        definition: the experiment, with its grid and its published numbers.
        findings: one a configuration and seed.
        base: the settings that every point shares, if they are not the experiment's own; then nothing is comparable.

    Returns:
        A row for each published metric of each point that was run; where nothing is published, one for the accuracy
        of the first student.
    """
    base = base or definition.config
    published = definition.published if base == definition.config else None
    by_config: dict[RunConfig, list[TrialMetrics]] = {}
    for finding in findings:
        by_config.setdefault(finding.config, []).append(finding)
    values_at: dict[Settings, list[tuple[str, list[float], str | None]]] = {}
    for point in published.points if published else []:
        known = values_at.setdefault(definition.point(point.at), [])
        known += [(full_name(name), value, point.source) for name, value in point.values.items()]
    rows: list[PointComparison] = []
    for config, here in by_config.items():
        at = {name: value for name, value in config if value != getattr(base, name)}
        here = sorted(here, key=lambda one: one.seed)
        known = values_at.get(config) or [(_main_metric(here[0]), [], None)]
        for metric, value, source in known:
            values = tuple(finding.metrics[metric] for finding in here)
            ours = estimate(values)
            theirs = published.estimate(value, ours) if published and value else None
            found = difference(ours, theirs, lent=len(value) == 1) if theirs else None
            rows.append(
                PointComparison(
                    at=at,
                    metric=metric,
                    values=values,
                    ours=ours,
                    source=source,
                    theirs=theirs,
                    standard_errors=found.standard_errors if found else math.nan,
                    p_value=found.p_value if found else math.nan,
                    verdict="nothing published",
                )
            )
    adjusted = holm([row.p_value for row in rows])
    return [
        row if row.theirs is None else replace(row, p_value=p, verdict=judge(p, num_seeds=len(row.values)))
        for row, p in zip(rows, adjusted, strict=True)
    ]


def _main_metric(finding: TrialMetrics) -> str:
    return next(name for name in finding.metrics if name.endswith(".accuracy") and name.split(".")[0] in STUDENT_ARMS)


def trial_metrics(records: Sequence[RunRecord]) -> list[TrialMetrics]:
    """Return the metrics of some records of the reference protocol."""
    return [TrialMetrics(RunConfig.parse(record.config), record.seed, record.metrics) for record in records]
