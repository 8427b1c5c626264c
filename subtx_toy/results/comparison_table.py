"""The arms of a run, or the points of a sweep, next to the published ones: as a table and as a document."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from subtx_toy.files.content_key import finite
from subtx_toy.results.comparison import (
    Comparison,
    TrialMetrics,
    accuracies_by_arm,
    changed_settings,
    compare,
    compare_sweep,
)
from subtx_toy.results.presentation import Presentation, Table, diverged_notes, half_width, mean_document, unless_nan
from subtx_toy.settings.base import Settings
from subtx_toy.settings.definitions import Definition, Distillation, DistillationSweep
from subtx_toy.settings.distillation import RunConfig
from subtx_toy.store.record import RunRecord

_OURS, _VERDICT = ("mean", "95 % CI", "n"), ("diff/SE", "p Holm", "verdict")
_ARM_HEADER = ("arm", *_OURS, "published", "corrected", *_VERDICT)
_POINT_HEADER = ("point", "metric", *_OURS, "published", *_VERDICT)


class ComparisonSummary(NamedTuple):
    """An experiment of the reference protocol over its seeds; ``base`` holds the settings that all records share."""

    definition: Distillation | DistillationSweep
    base: RunConfig
    rows: Sequence[Comparison]
    records: Sequence[RunRecord]


def summarise_distillation(definition: Definition, base: Settings, records: Sequence[RunRecord]) -> ComparisonSummary:
    """Compare the arms of one configuration, or the points of a sweep, with the published ones."""
    assert isinstance(base, RunConfig)
    if isinstance(definition, DistillationSweep):
        findings = [TrialMetrics(RunConfig.parse(record.config), record.seed, record.settled) for record in records]
        return ComparisonSummary(definition, base, compare_sweep(definition, findings, base=base), records)
    assert isinstance(definition, Distillation)
    return ComparisonSummary(definition, base, compare(definition, base, accuracies_by_arm(records)), records)


def present_distillation(summary: ComparisonSummary) -> Presentation:
    """Lay out every row next to the published one, with what the run cost."""
    definition, base, rows, records = summary
    num = len(records)
    if isinstance(definition, Distillation):
        title = "test accuracy by arm, mean over seeds, 95 % t-intervals"
        changed = ", ".join(changed_settings(definition, base))
        excuse = changed and f"not compared, because these settings are not the published ones: {changed}"
        table = Table(_ARM_HEADER, [[row.arm, *_ours(row), *_published_arm(row), *_judgement(row)] for row in rows])
        document: dict[str, Any] = {"arms": {row.arm: _arm_document(definition, row) for row in rows}}
        cpu, peak = sum(record.training_cpu_seconds for record in records), max(one.peak_rss_mib for one in records)
        cost = f"training: {cpu / num:.1f} s of CPU a seed; peak memory of a worker: {peak:.0f} MiB"
    else:
        title = definition.question
        excuse = "" if base == definition.config else "not compared, because settings were changed"
        table = Table(_POINT_HEADER, [_point_cells(row) for row in rows])
        document = {"points": [_point_document(row) for row in rows]}
        cost = f"{sum(record.cpu_seconds for record in records) / num:.1f} s of CPU a trial, {num} trials"
    heading, notes = [f"{definition.name} on {base.dataset_title}: {title}"], [cost]
    if definition.published is not None:
        heading.append(f"published: {definition.published.source}, n = {definition.published.n}")
        notes = [excuse, cost] if excuse else notes
    return Presentation(heading, [table], [*notes, *diverged_notes(records)], {"config": base.model_dump(), **document})


def _ours(row: Comparison) -> list[str]:
    return [unless_nan(row.ours.mean, ".4f"), half_width(row.ours, ".4f"), str(row.ours.n)]


def _published_arm(row: Comparison) -> list[str]:
    if row.printed is None or row.theirs is None:
        return ["", ""]
    corrected = f"{row.theirs.mean:.4f}" if row.theirs.mean != row.printed[0] else ""
    return ["{:.4f} ±{:.4f}".format(*row.printed), corrected]


def _judgement(row: Comparison) -> list[str]:
    return [unless_nan(row.standard_errors, "+.2f"), unless_nan(row.p_value, ".3f"), row.verdict]


def _point_cells(row: Comparison) -> list[str]:
    published = "" if row.theirs is None else f"{row.theirs.mean:.3f} ±{1.96 * row.theirs.standard_error:.3f}"
    return [row.place, row.metric.removesuffix(".accuracy"), *_ours(row), published, *_judgement(row)]


def _arm_document(definition: Distillation, row: Comparison) -> dict[str, Any]:
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
    return _document(row, published, p_value="p_value_holm")


def _point_document(row: Comparison) -> dict[str, Any]:
    published = None
    if row.theirs is not None:
        published = {"mean": row.theirs.mean, "standard_error": row.theirs.standard_error, "source": row.source}
    return {"at": dict(row.at), "metric": row.metric, **_document(row, published, p_value="p_value")}


def _document(row: Comparison, published: dict[str, Any] | None, *, p_value: str) -> dict[str, Any]:
    return {
        **mean_document(row.ours),
        "values": [finite(value) for value in row.values],
        **({"diverged": row.diverged} if row.diverged else {}),
        "published": published,
        "standard_errors": finite(row.standard_errors),
        p_value: finite(row.p_value),
        "verdict": row.verdict,
    }
