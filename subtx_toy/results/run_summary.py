"""Records of any protocol: the mean of every metric over seeds, one row for each configuration."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from subtx_toy.files.content_key import finite
from subtx_toy.results.presentation import Presentation, Table, diverged_notes, interval_text, mean_document, unless_nan
from subtx_toy.settings.base import Settings
from subtx_toy.settings.definitions import Definition
from subtx_toy.stats import Estimate, finite_estimate
from subtx_toy.store.record import DIVERGED, RunRecord
from subtx_toy.wording import counted


class MeanRow(NamedTuple):
    """One metric of one configuration; ``at`` holds the settings in which configurations differ."""

    at: dict[str, Any]
    metric: str
    values: tuple[float, ...]
    mean: Estimate


class MeansSummary(NamedTuple):
    """Every metric of every configuration over its seeds."""

    definition: Definition
    base: Settings
    rows: Sequence[MeanRow]
    notes: Sequence[str] = ()


def summarise_means(definition: Definition, base: Settings, records: Sequence[RunRecord]) -> MeansSummary:
    """Group records by configuration, in their order."""
    groups: dict[str, list[RunRecord]] = {}
    for record in records:
        groups.setdefault(repr(sorted(record.config.items())), []).append(record)
    configs = [group[0].config for group in groups.values()]
    swept = [name for name in configs[0] if len({repr(config[name]) for config in configs}) > 1]
    rows = []
    for group in groups.values():
        at = {name: group[0].config[name] for name in swept}
        metrics = dict.fromkeys(name for record in group for name in record.settled)
        for metric in (name for name in metrics if not name.endswith(DIVERGED)):
            values = tuple(record.settled.get(metric, math.nan) for record in group)
            num_images = share_of(metric, values, group[0].config)
            rows.append(MeanRow(at, metric, values, finite_estimate(values, num_images=num_images)))
    return MeansSummary(definition, base, rows, diverged_notes(records))


def share_of(metric: str, values: Sequence[float], config: Mapping[str, Any]) -> int | None:
    """Return how many test images a metric is a share of; None for a metric that is no accuracy."""
    is_share = metric.endswith("accuracy") and all(0 <= value <= 1 for value in values if math.isfinite(value))
    return config.get("num_test") if is_share else None


def present_means(summary: MeansSummary) -> Presentation:
    """Lay out the means with their 95 % intervals."""
    definition, base, rows = summary.definition, summary.base, summary.rows
    heading = f"{definition.name} on {base.dataset_title}: {definition.question}"
    if not rows:
        empty: dict[str, Any] = {"config": base.model_dump(), "points": []}
        return Presentation([heading], [], summary.notes, empty, "No trial has a metric.")
    header = [*rows[0].at, "metric", "mean", "95 % interval", "n"]
    body = [
        [
            *map(str, row.at.values()),
            row.metric,
            unless_nan(row.mean.mean, ".4g"),
            interval_text(row.mean, ".3g"),
            str(row.mean.n),
        ]
        for row in rows
    ]
    points = [
        {"at": row.at, "metric": row.metric, **mean_document(row.mean), "values": [finite(one) for one in row.values]}
        for row in rows
    ]
    first = rows[0]
    num = counted(first.mean.n, "seed")
    conclusion = f"{first.metric} is {first.mean.mean:.3g} on average over {num}."
    same = [row for row in rows if row.metric == first.metric and row.mean.n]
    if not same:
        conclusion = f"{first.metric} has no finite value."
    elif len({repr(row.at) for row in rows}) > 1:
        num = counted(max(row.mean.n for row in same), "seed")
        low, high = min(row.mean.mean for row in same), max(row.mean.mean for row in same)
        conclusion = f"{first.metric} lies between {low:.3g} and {high:.3g}, means over {num}."
    document = {"config": base.model_dump(), "points": points}
    return Presentation([heading], [Table(header, body)], summary.notes, document, conclusion)
