"""The arms of a run next to the published ones, as a table and as a document."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from subtx_toy.files.content_key import finite
from subtx_toy.results.arm_comparison import ArmComparison, accuracies_by_arm, changed_settings, compare
from subtx_toy.results.presentation import Presentation, Table
from subtx_toy.results.text_table import signed
from subtx_toy.settings.base import Settings
from subtx_toy.settings.definitions import Distillation
from subtx_toy.settings.distillation import RunConfig
from subtx_toy.store.record import RunRecord

HEADER = ("arm", "mean", "95 % CI", "n", "published", "corrected", "diff/SE", "p Holm", "verdict")


class ArmsSummary(NamedTuple):
    """The arms of one configuration over its seeds, compared with the published ones."""

    definition: Distillation
    config: RunConfig
    rows: Sequence[ArmComparison]
    records: Sequence[RunRecord]


def summarise_arms(definition: Distillation, config: Settings, records: Sequence[RunRecord]) -> ArmsSummary:
    """Compare the arms of some records of one configuration with the published ones."""
    assert isinstance(config, RunConfig)
    return ArmsSummary(definition, config, compare(definition, config, accuracies_by_arm(records)), records)


def present_arms(summary: ArmsSummary) -> Presentation:
    """Lay out the arms next to the published ones, with what the run cost."""
    definition, config, rows, records = summary
    published = definition.published
    heading = [f"{definition.name} on {config.dataset_title}: test accuracy by arm, mean over seeds, 95 % t-intervals"]
    if published is not None:
        heading.append(f"published: {published.source}, n = {published.n}")
    notes = []
    if published is not None and (changed := changed_settings(definition, config)):
        notes.append(f"not compared, because these settings are not the published ones: {', '.join(changed)}")
    cpu = sum(record.training_cpu_seconds for record in records) / len(records)
    peak = max(record.peak_rss_mib for record in records)
    notes.append(f"training: {cpu:.1f} s of CPU a seed; peak memory of a worker: {peak:.0f} MiB")
    document = {"config": config.model_dump(), "arms": arm_documents(definition, rows)}
    return Presentation(heading, [Table(HEADER, [_row(row) for row in rows])], notes, document)


def _row(row: ArmComparison) -> list[str]:
    corrected = row.theirs is not None and row.printed is not None and row.theirs.mean != row.printed[0]
    return [
        row.arm,
        f"{row.ours.mean:.4f}",
        "" if math.isnan(row.ours.ci95) else f"±{row.ours.ci95:.4f}",
        str(row.ours.n),
        "" if row.printed is None else f"{row.printed[0]:.4f} ±{row.printed[1]:.4f}",
        f"{row.theirs.mean:.4f}" if corrected and row.theirs is not None else "",
        signed(row.standard_errors),
        "" if math.isnan(row.p_value) else f"{row.p_value:.3f}",
        row.verdict,
    ]


def arm_documents(definition: Distillation, rows: Sequence[ArmComparison]) -> Mapping[str, dict[str, Any]]:
    """Return what the document says of each arm; ``ci95`` is the half-width of the interval."""
    return {row.arm: _document(definition, row) for row in rows}


def _document(definition: Distillation, row: ArmComparison) -> dict[str, Any]:
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
