"""The points of a sweep next to the published ones, as a table and as a document."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

from subtx_toy.files.content_key import finite
from subtx_toy.results.presentation import Presentation, Table
from subtx_toy.results.sweep_comparison import PointComparison, compare_sweep, trial_metrics
from subtx_toy.results.text_table import signed
from subtx_toy.settings.base import Settings
from subtx_toy.settings.definitions import DistillationSweep
from subtx_toy.settings.distillation import RunConfig
from subtx_toy.store.record import RunRecord

HEADER = ("point", "metric", "mean", "95 % CI", "n", "published", "diff/SE", "p Holm", "verdict")


class SweepSummary(NamedTuple):
    """The points of a sweep over their seeds, compared with the published ones; ``base`` is what they share."""

    definition: DistillationSweep
    base: RunConfig
    rows: Sequence[PointComparison]
    records: Sequence[RunRecord]


def summarise_sweep(definition: DistillationSweep, base: Settings, records: Sequence[RunRecord]) -> SweepSummary:
    """Compare the points that some records of one experiment belong to with the published ones."""
    assert isinstance(base, RunConfig)
    rows = compare_sweep(definition, trial_metrics(records), base=base)
    return SweepSummary(definition, base, rows, records)


def present_sweep(summary: SweepSummary) -> Presentation:
    """Lay out every point next to the published one, with what the run cost."""
    definition, base, rows, records = summary
    heading = [f"{definition.name} on {base.dataset_title}: {definition.question}"]
    notes = []
    if definition.published is not None:
        heading.append(f"published: {definition.published.source}, n = {definition.published.n}")
        if base != definition.config:
            notes.append("not compared, because settings were changed")
    cpu = sum(record.cpu_seconds for record in records) / len(records)
    notes.append(f"{cpu:.1f} s of CPU a trial, {len(records)} trials")
    document = {"config": base.model_dump(), "points": [_document(row) for row in rows]}
    return Presentation(heading, [Table(HEADER, [_row(row) for row in rows])], notes, document)


def _row(row: PointComparison) -> list[str]:
    return [
        row.place,
        row.metric.removesuffix(".accuracy"),
        f"{row.ours.mean:.4f}",
        "" if math.isnan(row.ours.ci95) else f"±{row.ours.ci95:.4f}",
        str(row.ours.n),
        "" if row.theirs is None else f"{row.theirs.mean:.3f} ±{1.96 * row.theirs.standard_error:.3f}",
        signed(row.standard_errors),
        "" if math.isnan(row.p_value) else f"{row.p_value:.3f}",
        row.verdict,
    ]


def _document(row: PointComparison) -> dict[str, Any]:
    published = None
    if row.theirs is not None:
        published = {"mean": row.theirs.mean, "standard_error": row.theirs.standard_error, "source": row.source}
    return {
        "at": dict(row.at),
        "metric": row.metric,
        "mean": row.ours.mean,
        "ci95": finite(row.ours.ci95),
        "n": row.ours.n,
        "values": list(row.values),
        "published": published,
        "standard_errors": finite(row.standard_errors),
        "p_value": finite(row.p_value),
        "verdict": row.verdict,
    }
