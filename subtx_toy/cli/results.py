"""``subtx-toy results``: what is stored, as tables, means, files, or one record."""

from __future__ import annotations

import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import rich_click as click

from subtx_toy.cli.echo import echo
from subtx_toy.cli.experiments import complete_experiment
from subtx_toy.cli.options import JSON, PATH, STORE, options, plan_options
from subtx_toy.files.json_text import json_text, not_finite
from subtx_toy.files.terminal_text import one_line

if TYPE_CHECKING:
    from subtx_toy.results.cells import Cell
    from subtx_toy.results.rows import Selection
    from subtx_toy.store import Store


@click.group("results")
def results() -> None:
    """List, summarise and export what is stored, and show single records.

    Example: subtx-toy results summary tiny width=16,32
    """


_selecting = options(
    plan_options, STORE, click.option("--all-versions", is_flag=True, help="Also results of other versions, apart.")
)


def _open(store: str | None) -> Store:
    from subtx_toy.api.arguments import store_path
    from subtx_toy.results.rows import existing

    return existing(store_path(store))


def _select(
    experiment: str | None,
    axes: tuple[str, ...],
    *,
    store: str | None,
    all_versions: bool,
    seeds: str | None,
    **plan: Any,
) -> Selection:
    """Select by the words of a plan; of the seeds, those that are named, else whatever is stored."""
    from subtx_toy.api.results import stored
    from subtx_toy.errors import InputError
    from subtx_toy.sweep.plan import Plan

    if experiment is None:
        InputError.gather(
            f"{name}: name an experiment and an axis that is drawn at random"
            for name, value in plan.items()
            if value is not None
        )
    wanted = None if experiment is None else Plan.read(experiment, axes, seeds=seeds, **plan)
    found = stored(wanted, seeds=seeds, store=store, all_versions=all_versions)
    for version, num in sorted(found.left_out.items(), key=str):
        echo(f"left out: {num} trials of RESULTS_VERSION {version}; --all-versions shows them apart", err=True)
    return found


@results.command("list")
@STORE
@JSON
def list_command(*, store: str | None, as_json: bool) -> None:
    """Show how many trials are stored, running, pending and failed.

    Works while a sweep runs.

    Example: subtx-toy results list
    """
    from subtx_toy.results.cells import overview
    from subtx_toy.results.presentation import align
    from subtx_toy.settings.base import dataset_title
    from subtx_toy.store.trials import running

    with _open(store) as opened:
        found, path, holders = overview(opened), opened.path, running(opened)
    if as_json:
        echo(json_text({"store": str(path), "stored": found.stored, "trials": found.trials}))
        return
    header = ["protocol", "dataset", "results version", "configurations", "trials", "last finished"]
    rows = []
    for row in found.stored:
        counts = [str(row[name]) for name in ("results_version", "configurations", "trials")]
        rows.append([row["protocol"], dataset_title(row["dataset"]), *counts, _moment(row["last_finished"])])
    echo(align(header, rows))
    if found.trials:
        names = ["done", "running", "pending", "failed"]
        rows = [[row["experiment"], *(str(row[name]) for name in names)] for row in found.trials]
        echo(f"\n{align(['sweep of', *names], rows)}")
    for holder in holders:
        echo(f"running: {holder}")
    echo(one_line(f"store: {path}"))


def _moment(seconds: float) -> str:
    try:
        return time.strftime("%Y-%m-%d %H:%M", time.localtime(seconds))
    except (ValueError, OverflowError, OSError):  # not finite, or beyond what the system counts
        return "unknown"


@results.command("summary")
@click.argument("experiment", required=False, shell_complete=complete_experiment)
@click.argument("axes", metavar="[SETTING=VALUES]...", nargs=-1)
@_selecting
@click.option("--metric", "metrics", multiple=True, metavar="NAME", help="Of the final metrics; may be repeated.")
@click.option(
    "--pool-versions", is_flag=True, help="One cell for all versions, of each seed the newest. Implies --all-versions."
)
@JSON
def summary_command(
    experiment: str | None,
    axes: tuple[str, ...],
    *,
    metrics: tuple[str, ...],
    pool_versions: bool,
    as_json: bool,
    **selecting: Any,
) -> None:
    """Show the mean of a metric over seeds, for each configuration: n, mean, 95 % interval.

    The arguments are those of `sweep`; without any, everything of one protocol is shown. The interval of an accuracy
    counts seeds and test images and lies in [0, 1]; that of anything else is Student's.

    Example: subtx-toy results summary tiny width=16,32 --metric student_aux.accuracy --metric cross_aux.accuracy
    """
    from subtx_toy.results.cells import summarize

    selecting["all_versions"] |= pool_versions
    selection = _select(experiment, axes, **selecting)
    cells = summarize(selection, metrics=metrics, pool_versions=pool_versions)
    if as_json:
        document = {"cells": [_document(cell) for cell in cells], "left_out": selection.left_out}
        echo(json_text(document))
        return
    echo(_table(cells) if cells else "no such trials are stored")


def _document(cell: Cell) -> dict[str, Any]:
    from subtx_toy.results.presentation import mean_document

    return {
        "axes": cell.axes, "metric": cell.metric, **mean_document(cell.estimate), "not_finite": cell.not_finite,
        "diverged": cell.diverged,
    }  # fmt: skip


def _table(cells: list[Cell]) -> str:
    from subtx_toy.results.presentation import align, interval_text

    # shown where there are such seeds: in how many the arm diverged, and how many others are nan or infinite
    odd = {
        "diverged": [cell.diverged for cell in cells],
        "not finite": [max(0, cell.not_finite - cell.diverged) for cell in cells],
    }
    counts = {name: numbers for name, numbers in odd.items() if any(numbers)}
    header = [*cells[0].axes, "metric", "n", *counts, "mean", "95 % interval"]
    rows = []
    for index, cell in enumerate(cells):
        found = cell.estimate
        interval = interval_text(found, ".3g")
        mean = f"{found.mean:.4g}" if found.n else "none"
        axes = [f"{value:g}" if isinstance(value, float) else str(value) for value in cell.axes.values()]
        rows.append([*axes, cell.metric, str(found.n), *(str(one[index]) for one in counts.values()), mean, interval])
    return f"{_conclusion(cells)}\n{align(header, rows)}"


def _conclusion(cells: list[Cell]) -> str:
    """Say over how many configurations the first metric goes from where to where."""
    found = [cell.estimate for cell in cells if cell.metric == cells[0].metric and cell.estimate.n]
    if not found:
        return f"{cells[0].metric} has no finite value."
    low, high = min(one.mean for one in found), max(one.mean for one in found)
    seeds = sorted({one.n for one in found})
    over = f"{seeds[0]}" if len(seeds) == 1 else f"{seeds[0]} to {seeds[-1]}"
    over += " seed" if seeds[-1] == 1 else " seeds"
    if len(found) == 1:
        return f"{cells[0].metric} is {low:.3g} on average over {over}."
    return f"{cells[0].metric} lies between {low:.3g} and {high:.3g} over {len(found)} configurations, {over} each."


@results.command("export")
@click.argument("target", metavar="FILE", type=PATH)
@click.argument("experiment", required=False, shell_complete=complete_experiment)
@click.argument("axes", metavar="[SETTING=VALUES]...", nargs=-1)
@_selecting
def export_command(target: Path, experiment: str | None, axes: tuple[str, ...], **selecting: Any) -> None:
    """Write trials to FILE, .parquet or .csv, one row each: settings, seed, final metrics, provenance.

    The arguments after FILE are those of `sweep`; without any, everything is written.

    Example: subtx-toy results export tiny.csv tiny width=16,32
    """
    from subtx_toy.api.arguments import store_path
    from subtx_toy.results.rows import check_target, export
    from subtx_toy.store.place import check_not_the_store

    check_target(target)
    check_not_the_store(store_path(selecting["store"]), target, what="export")
    num = export(_select(experiment, axes, **selecting), target)
    echo(one_line(f"{num} trials: {target}"))


@results.command("show")
@click.argument("run_id", metavar="RUN")
@STORE
def show_command(run_id: str, *, store: str | None) -> None:
    """Print one record as JSON, or the state and the traceback of a trial that is not finished.

    Where a number is nan or infinity, JSON has null; not_finite then says which it is.

    RUN is the content key, or its beginning.

    Example: subtx-toy results show 855da03b
    """
    from subtx_toy.errors import InputError
    from subtx_toy.store.inspection import damaged
    from subtx_toy.store.trials import entry, failure

    with _open(store) as opened:
        found = opened.matching(run_id)
        if len(found) != 1:
            what = "none" if not found else f"{len(found)} or more, such as {found[0]} and {found[1]}"
            raise InputError(f"run: expected the beginning of one stored key, got {run_id!r}, which fits {what}")
        (key,) = found
        record = opened.get([key]).get(key)
        if record is not None:
            content = asdict(record)
            odd = not_finite(content)
            echo(json_text(content | ({"not_finite": odd} if odd else {})))
            return
        known = entry(opened, key)
        if known is None:
            raise damaged(opened.path, f"the trial {key} cannot be read")
        trial, state = known
        content = {**asdict(trial), "state": state, "error": failure(opened, key)}
    echo(json_text({name: value for name, value in content.items() if value is not None}))
    if content["error"] is not None:
        echo(content["error"], err=True)
