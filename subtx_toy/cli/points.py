"""The points of a sweep, as a table for people and as a document for programs."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from subtx_toy.cli.presentation import Presentation
from subtx_toy.files.json_values import finite
from subtx_toy.results.text_table import align, signed

if TYPE_CHECKING:
    from pathlib import Path

    from subtx_toy.results.sweep_comparison import PointComparison
    from subtx_toy.settings.distillation import RunConfig
    from subtx_toy.settings.experiment_file import DistillationSweep
    from subtx_toy.store.record import RunRecord


def present(definition: DistillationSweep, base: RunConfig, records: list[RunRecord]) -> Presentation:
    """Compare the points with the published ones, and show them."""
    from subtx_toy.results.sweep_comparison import compare_sweep, findings

    rows = compare_sweep(definition, findings(records), base=base)

    def draw(target: Path) -> None:
        from subtx_toy.figures.files import save
        from subtx_toy.figures.points import draw_points

        save(draw_points(definition, rows, dataset=base.dataset_title), target)

    document = {"config": base.model_dump(), "points": [_document(row) for row in rows]}
    return Presentation(points_table(definition, base, rows, records), document, draw)


def points_table(
    definition: DistillationSweep, base: RunConfig, rows: list[PointComparison], records: list[RunRecord]
) -> str:
    """Lay out every point beside the published one, with what the run cost."""
    from subtx_toy.results.comparison_tables import place

    body = [
        [
            place(row),
            row.metric.removesuffix(".accuracy"),
            f"{row.ours.mean:.4f}",
            "" if math.isnan(row.ours.ci95) else f"±{row.ours.ci95:.4f}",
            str(row.ours.n),
            "" if row.theirs is None else f"{row.theirs.mean:.3f} ±{1.96 * row.theirs.standard_error:.3f}",
            signed(row.standard_errors),
            "" if math.isnan(row.p_value) else f"{row.p_value:.3f}",
            row.verdict,
        ]
        for row in rows
    ]
    lines = [f"{definition.name} on {base.dataset_title}: {definition.question}"]
    if definition.published is not None:
        lines.append(f"published: {definition.published.source}, n = {definition.published.n}")
    header = ["point", "metric", "mean", "95 % CI", "n", "published", "diff/SE", "p Holm", "verdict"]
    lines.append(align(header, body))
    if definition.published is not None and base != definition.config:
        lines.append("not compared, because settings were changed")
    cpu = sum(record.cpu_seconds for record in records) / len(records)
    lines.append(f"{cpu:.1f} s of CPU a trial, {len(records)} trials")
    return "\n".join(lines)


def _document(row: PointComparison) -> dict[str, Any]:
    return {
        "at": dict(row.at),
        "metric": row.metric,
        "mean": row.ours.mean,
        "ci95": finite(row.ours.ci95),
        "n": row.ours.n,
        "values": list(row.values),
        "published": None
        if row.theirs is None
        else {"mean": row.theirs.mean, "standard_error": row.theirs.standard_error, "source": row.source},
        "standard_errors": finite(row.standard_errors),
        "p_value": finite(row.p_value),
        "verdict": row.verdict,
    }
