"""The arms of a run, as a table for people and as a document for programs."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from subtx_toy.cli.presentation import Presentation
from subtx_toy.files.json_values import finite
from subtx_toy.results.text_table import align, signed

if TYPE_CHECKING:
    from pathlib import Path

    from subtx_toy.results.arm_comparison import ArmComparison
    from subtx_toy.settings.distillation import RunConfig
    from subtx_toy.settings.experiment_file import Distillation
    from subtx_toy.store.record import RunRecord


def present(definition: Distillation, config: RunConfig, records: list[RunRecord]) -> Presentation:
    """Compare the arms with the published ones, and show them."""
    from subtx_toy.results.arm_comparison import accuracies_by_arm, compare

    rows = compare(definition, config, accuracies_by_arm(records))

    def draw(target: Path) -> None:
        from subtx_toy.figures.arms import draw_arms
        from subtx_toy.figures.files import save

        source = None if definition.published is None else definition.published.source
        save(draw_arms(rows, dataset=config.dataset_title, source=source), target)

    document = {
        "config": config.model_dump(),
        "arms": {row.arm: arm_document(definition, row) for row in rows},
    }
    return Presentation(arms_table(definition, config, rows, records), document, draw)


def arms_table(definition: Distillation, config: RunConfig, rows: list[ArmComparison], records: list[RunRecord]) -> str:
    """Lay out the arms beside the published ones, with what the run cost."""
    from subtx_toy.results.arm_comparison import changed_settings

    body = []
    for row in rows:
        printed = "" if row.printed is None else f"{row.printed[0]:.4f} ±{row.printed[1]:.4f}"
        corrected = row.theirs is not None and row.printed is not None and row.theirs.mean != row.printed[0]
        body.append(
            [
                row.arm,
                f"{row.ours.mean:.4f}",
                "" if math.isnan(row.ours.ci95) else f"±{row.ours.ci95:.4f}",
                str(row.ours.n),
                printed,
                f"{row.theirs.mean:.4f}" if corrected and row.theirs is not None else "",
                signed(row.standard_errors),
                "" if math.isnan(row.p_value) else f"{row.p_value:.3f}",
                row.verdict,
            ]
        )
    lines = [f"{definition.name} on {config.dataset_title}: test accuracy by arm, mean over seeds, 95 % t-intervals"]
    if definition.published is not None:
        lines.append(f"published: {definition.published.source}, n = {definition.published.n}")
    header = ["arm", "mean", "95 % CI", "n", "published", "corrected", "diff/SE", "p Holm", "verdict"]
    lines.append(align(header, body))
    if definition.published is not None and (changed := changed_settings(definition, config)):
        lines.append(f"not compared, because these settings are not the published ones: {', '.join(changed)}")
    cpu = sum(record.training_cpu_seconds for record in records) / len(records)
    peak = max(record.peak_rss_mib for record in records)
    lines.append(f"training: {cpu:.1f} s of CPU a seed; peak memory of a worker: {peak:.0f} MiB")
    return "\n".join(lines)


def arm_document(definition: Distillation, row: ArmComparison) -> dict[str, Any]:
    """Return what ``--json`` says of one arm; ``ci95`` is the half-width of the interval."""
    published = None
    if row.printed is not None and row.theirs is not None and definition.published is not None:
        published = {
            "mean": row.printed[0],
            "ci95": row.printed[1],
            "n": row.theirs.n,
            "corrected_mean": row.theirs.mean,
            "corrected_standard_error": row.theirs.standard_error,
            "source": definition.published.source,
        }
    return {
        "mean": row.ours.mean,
        "ci95": finite(row.ours.ci95),
        "n": row.ours.n,
        "values": list(row.values),
        "published": published,
        "standard_errors": finite(row.standard_errors),
        "p_value_holm": finite(row.p_value),
        "verdict": row.verdict,
    }
