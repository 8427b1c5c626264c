"""The page of a run or a sweep: question, result, pictures, settings, cost, provenance and citation."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from subtx_toy.figures.curves import MAX_POINTS, draw_curves, draw_curves_of_points
from subtx_toy.figures.style import rendered
from subtx_toy.report.frame import render, svg_uri
from subtx_toy.results.presentation import Presentation, clock
from subtx_toy.settings.base import Settings
from subtx_toy.settings.definitions import Definition
from subtx_toy.settings.packaged import names
from subtx_toy.settings.seeds import seed_text
from subtx_toy.store.record import RunRecord
from subtx_toy.wording import counted

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Rows = list[list[str]]


@dataclass(frozen=True, kw_only=True)
class RunReport:
    """What the page of a run is made of.

    Attributes:
        definition: the experiment as its file has it.
        base: the settings that ran, before the grid.
        records: at least one.
        presentation: the result in words and tables.
        figure: of the result; None where its protocol draws none.
        store: the results file.
        failed_seeds: seeds of which a trial failed.
    """

    definition: Definition
    base: Settings
    records: Sequence[RunRecord]
    presentation: Presentation
    figure: Figure | None
    store: Path
    failed_seeds: Sequence[int] = ()

    @property
    def seeds(self) -> list[int]:
        """The seeds of the records, in order."""
        return sorted({record.seed for record in self.records})


def run_page(report: RunReport) -> str:
    """Return one HTML page that needs nothing else."""
    definition, shown = report.definition, report.presentation
    curves, curves_note = _curves(report)
    published = getattr(definition, "published", None)
    intro, changed = _changed(report)
    return render(
        "run.html.jinja",
        title=f"{definition.name} on {report.base.dataset_title}",
        name=f"the file of {definition.name}",
        question=definition.question,
        conclusion=shown.conclusion,
        heading=[_sentence(line) for line in shown.heading],
        found=shown.tables,
        notes=[_sentence(note) for note in shown.notes],
        figure=None if report.figure is None else svg_uri(rendered(report.figure, ".svg")),
        curves=None if curves is None else svg_uri(rendered(curves, ".svg")),
        curves_note=curves_note,
        command=_command(report),
        changed_intro=intro,
        changed=changed,
        settings=[[name, str(value)] for name, value in report.base],
        cost=_cost(report),
        provenance=_provenance(report),
        run_ids=[record.run_id for record in report.records],
        counted=counted,
        source=None if published is None else published.source,
    )


def _sentence(text: str) -> str:
    """Return a line of a terminal as a sentence, without its full stop; names of experiments stay as they are."""
    text = text.rstrip(".").replace("`", "")
    return text if text.split()[0].rstrip(":") in names() else f"{text[0].upper()}{text[1:]}"


def _command(report: RunReport) -> str:
    definition, base = report.definition, report.base
    seeds = seed_text(report.seeds)
    words = ["subtx-toy", "run", definition.name]
    if base == definition.quickened().config:
        words += ["--quick"] if base != definition.config else []
    else:
        words += [f"{name}={value}" for name, value in base if value != getattr(definition.config, name)]
    return shlex.join([*words, "--seeds", seeds])


def _changed(report: RunReport) -> tuple[str, Rows]:
    """Say how the settings differ from the experiment's file, and in which."""
    own, base = report.definition.config, report.base
    rows = [[name, str(value), str(getattr(own, name))] for name, value in base if value != getattr(own, name)]
    rows += [[name, ", ".join(values), "varied"] for name, values in _varied(report.records).items()]
    if base == own:
        return (
            "The settings are those of the experiment's file, which has the published ones where there are any.",
            rows,
        )
    if base == report.definition.quickened().config:
        data = ", on other data" if base.dataset != own.dataset else ""
        text = f"These are the quick settings: a part of the experiment{data}, so published numbers do not compare."
        return text, rows
    return "These settings differ from those of the experiment's file, so published numbers do not compare.", rows


def _varied(records: Sequence[RunRecord]) -> dict[str, list[str]]:
    """Return the settings of which the records have several values."""
    found: dict[str, dict[str, None]] = {}
    for record in records:
        for name, value in record.config.items():
            found.setdefault(name, {})[str(value)] = None
    return {name: list(values) for name, values in found.items() if len(values) > 1}


def _cost(report: RunReport) -> Rows:
    records = report.records
    cpu, training = (sum(getattr(one, name) for one in records) for name in ("cpu_seconds", "training_cpu_seconds"))
    rows = [
        ["trials", f"{len(records)}, of {counted(len(report.seeds), 'seed')}"],
        ["CPU time of all", f"{clock(cpu)} ({cpu / len(records):.1f} s per trial)"],
        ["of it in optimiser steps", clock(training)],
        ["sum of the trials' elapsed times", clock(sum(one.wall_seconds for one in records))],
        ["peak memory of a process", f"{max(one.peak_rss_mib for one in records):.0f} MiB"],
    ]
    if report.failed_seeds:
        rows.append(["failed seeds", ", ".join(map(str, report.failed_seeds))])
    return rows


def _provenance(report: RunReport) -> Rows:
    versions: dict[str, dict[str, None]] = {}
    for record in report.records:
        for name, value in record.versions.items():
            versions.setdefault(name, {})[value] = None
    checksums = dict.fromkeys(record.dataset_sha256 for record in report.records)
    results = dict.fromkeys(str(record.results_version) for record in report.records)
    return [
        ["data set", str(report.base.dataset)],
        ["its SHA-256", ", ".join(checksums)],
        ["version of the results", ", ".join(results)],
        *([name, ", ".join(found)] for name, found in versions.items()),
        ["results file", str(report.store)],
    ]


def _curves(report: RunReport) -> tuple[Figure | None, str]:
    """Return the learning curves as a figure: of all arms, or of one arm where there are several configurations."""
    by_point: dict[str, list[RunRecord]] = {}
    varied = _varied(report.records)
    for record in report.records:
        name = " ".join(f"{key}={record.config.get(key)}" for key in varied)
        by_point.setdefault(name, []).append(record)
    curves = {name: _grouped(records) for name, records in by_point.items()}
    curves = {name: found for name, found in curves.items() if found}
    if not curves:
        return None, ""
    if len(curves) == 1:
        return draw_curves(next(iter(curves.values()))), "Thin lines: seeds; thick: their means."
    arms = {series.partition(".")[0] for found in curves.values() for series in found}
    arm = next((one for one in ("student_aux", "student_all") if one in arms), sorted(arms)[0])
    note = f"One line per configuration of {len(curves)}"
    note += f", of which the first {MAX_POINTS} are drawn." if len(curves) > MAX_POINTS else "."
    return draw_curves_of_points(curves, arm=arm), note


def _grouped(records: Sequence[RunRecord]) -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = {}
    for record in records:
        for name, values in record.series.items():
            if name.endswith((".accuracy", ".loss")):
                found.setdefault(name, []).append(values)
    return found
