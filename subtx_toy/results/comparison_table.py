"""The arms of a run, or the points of a sweep, next to the published ones: as a table and as a document."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from subtx_toy.files.content_key import finite
from subtx_toy.results.comparison import (
    NOT_COMPARED,
    Comparison,
    TrialMetrics,
    accuracies_by_arm,
    changed_settings,
    compare,
    compare_sweep,
)
from subtx_toy.results.conclusion import conclude
from subtx_toy.results.presentation import Presentation, Table, diverged_notes, interval_text, mean_document, unless_nan
from subtx_toy.settings.base import Settings
from subtx_toy.settings.definitions import Definition, Distillation, DistillationSweep
from subtx_toy.settings.distillation import RunConfig
from subtx_toy.store.record import RunRecord
from subtx_toy.wording import counted

_OURS = ("mean", "95 % interval", "n")
_ARM_HEADER = ("arm", *_OURS, "published", "corrected", "diff/SE", "verdict")
_POINT_HEADER = ("point", "metric", *_OURS, "published", "diff/SE", "verdict")


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
        findings = [TrialMetrics(base.parse(record.config), record.seed, record.settled) for record in records]
        return ComparisonSummary(definition, base, compare_sweep(definition, findings, base=base), records)
    assert isinstance(definition, Distillation)
    return ComparisonSummary(definition, base, compare(definition, base, accuracies_by_arm(records)), records)


def present_distillation(summary: ComparisonSummary) -> Presentation:
    """Lay out every row next to the published one, with what the run cost."""
    definition, base, rows, records = summary
    num, published = len(records), definition.published
    seeds = sorted({row.ours.n for row in rows})
    over = counted(seeds[0], "seed") if len(seeds) == 1 else f"{seeds[0]} to {counted(seeds[-1], 'seed')}"
    how = f"means over {over}, 95 % intervals over seeds and test images"
    if isinstance(definition, Distillation):
        title = f"test accuracy by arm, {how}"
        changed = changed_settings(definition, base)
        table = Table(_ARM_HEADER, [[row.arm, *_ours(row), *_published_arm(row), *_judgement(row)] for row in rows])
        document: dict[str, Any] = {"arms": {row.arm: _arm_document(definition, row) for row in rows}}
        cpu, peak = sum(record.training_cpu_seconds for record in records), max(one.peak_rss_mib for one in records)
        cost = f"training: {cpu / num:.1f} s of CPU per seed; peak memory of a worker: {peak:.0f} MiB"
    else:
        title = f"{definition.question} {how[0].upper()}{how[1:]}"
        changed = [name for name, value in definition.config if value != getattr(base, name)]
        table = Table(_POINT_HEADER, [_point_cells(row) for row in rows])
        document = {"points": [_point_document(row) for row in rows]}
        cost = f"{sum(record.cpu_seconds for record in records) / num:.1f} s of CPU per trial, {counted(num, 'trial')}"
    heading, notes = [f"{definition.name} on {base.dataset_title}: {title}"], [cost]
    if published is not None and not changed:
        heading.append(f"published: {published.source}, n = {published.n}")
    elif published is not None:
        notes.insert(0, f"not compared with {published.source}: {_other_settings(definition, base, changed)}")
    columns = _without_one_n(table) if len(seeds) == 1 else table
    return Presentation(
        heading,
        [columns],
        [*notes, *diverged_notes(records)],
        {"config": base.model_dump(), **document},
        conclude(rows),
    )


def _other_settings(definition: Definition, base: RunConfig, changed: Sequence[str]) -> str:
    if base == definition.quickened().config:
        return f"these are the quick settings, and `subtx-toy run {definition.name}` has the published ones"
    return f"other settings ({', '.join(changed)})"


def _without_one_n(table: Table) -> Table:
    """Leave out the number of seeds, which the heading has, and verdicts that every row shares."""
    at = [table.header.index("n")]
    if {row[-1] for row in table.rows} <= {NOT_COMPARED, ""}:
        at += range(table.header.index("published"), len(table.header))
    keep = [place for place in range(len(table.header)) if place not in at]
    return Table([table.header[place] for place in keep], [[row[place] for place in keep] for row in table.rows])


def _ours(row: Comparison) -> list[str]:
    return [unless_nan(row.ours.mean, ".3f"), interval_text(row.ours, ".3f"), str(row.ours.n)]


def _published_arm(row: Comparison) -> list[str]:
    if row.printed is None or row.theirs is None:
        return ["", ""]
    corrected = f"{row.theirs.mean:.3f}" if row.theirs.mean != row.printed[0] else ""
    return ["{:.3f} ±{:.3f}".format(*row.printed), corrected]


def _judgement(row: Comparison) -> list[str]:
    verdict = "" if row.theirs is None and row.ours.n else row.verdict  # an empty column says that nothing is published
    return [unless_nan(row.standard_errors, "+.2f"), verdict]


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
        **({"undefined": row.undefined} if row.undefined else {}),
        "published": published,
        "standard_errors": finite(row.standard_errors),
        p_value: finite(row.p_value),
        "verdict": row.verdict,
        "equivalence": row.equivalence,
        "p_equivalent": finite(row.equivalent.p_value),
        "within": finite(row.equivalent.within),
    }
