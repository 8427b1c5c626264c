"""``subtx-toy results summary, best, compare and plot``: stored trials as means over seeds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import rich_click as click

from subtx_toy.cli.echo import echo
from subtx_toy.cli.options import FILE, JSON, STORE, options, writable
from subtx_toy.cli.selecting import METRICS, check_file, select, selecting, trial_words
from subtx_toy.files.json_text import json_text
from subtx_toy.files.terminal_text import one_line
from subtx_toy.settings.limits import MAX_CONFIGS

_METRIC = click.option("--metric", metavar="NAME", help="A final metric. [default: student_aux.accuracy, or alignment]")
_TEXT = options(
    JSON,
    click.option("--csv", "style", flag_value="csv", help="Print the cells as CSV."),
    click.option("--jsonl", "style", flag_value="jsonl", help="Print the cells as JSON lines."),
)


@click.command("summary")
@trial_words
@selecting
@METRICS
@click.option(
    "--pool-versions", is_flag=True, help="One cell for all versions: each seed's newest. Implies --all-versions."
)
@click.option("--sort", metavar="NAME", help="By a setting, a metric, mean or n; -NAME turns the order round.")
@_TEXT
def summary_command(
    experiment: str | None,
    axes: tuple[str, ...],
    *,
    metrics: tuple[str, ...],
    pool_versions: bool,
    sort: str | None,
    as_json: bool,
    style: str | None,
    **selected: Any,
) -> None:
    """Show the mean of a metric over seeds, for each configuration: n, mean, 95 % interval.

    The arguments are those of `sweep`; without any, everything of one protocol is shown. The interval of an accuracy
    counts seeds and test images and lies in [0, 1]; that of anything else is Student's.

    Example: subtx-toy results summary tiny width=16,32 --metric student_aux.accuracy --metric cross_aux.accuracy
    """
    from subtx_toy.results import cell_table
    from subtx_toy.results.cells import summarize
    from subtx_toy.results.export import text
    from subtx_toy.results.presentation import table_text, wrapped

    selected["all_versions"] |= pool_versions
    selection = select(experiment, axes, **selected)
    cells = summarize(selection, metrics=metrics, pool_versions=pool_versions)
    if sort is not None:
        cells = cell_table.sort_cells(cells, sort)
    if as_json:
        document = {"cells": [cell_table.document(cell) for cell in cells], "left_out": selection.left_out}
        echo(json_text(document))
    elif style is not None:
        echo(text(cell_table.columns(cells), style), nl=False)
    elif not cells:
        echo(cell_table.NO_CELLS)
    else:
        echo(f"{wrapped(cell_table.conclusion(cells))}\n{table_text(cell_table.table(cells))}")


@click.command("best")
@trial_words
@selecting
@_METRIC
@click.option("--lowest", is_flag=True, help="The smallest mean is best, as of a loss.")
@click.option(
    "--top", type=click.IntRange(1, MAX_CONFIGS), default=5, show_default=True, help="Configurations to show."
)
@JSON
def best_command(
    experiment: str | None,
    axes: tuple[str, ...],
    *,
    metric: str | None,
    lowest: bool,
    top: int,
    as_json: bool,
    **selected: Any,
) -> None:
    """Show the configurations with the best mean of a metric, the best one first.

    The best of many means is too good on average; seeds that chose it do not estimate it.

    Example: subtx-toy results best tiny --metric student_aux.accuracy
    """
    from subtx_toy.results import cell_table
    from subtx_toy.results.cells import summarize
    from subtx_toy.results.presentation import table_text, wrapped

    cells = summarize(select(experiment, axes, **selected), metrics=() if metric is None else (metric,))
    ranked = cell_table.best(cells, lowest=lowest)
    nothing = cell_table.conclusion(cells) if cells else cell_table.NO_CELLS
    if as_json:
        document = {
            "best": [cell_table.document(cell) for cell in ranked[:top]], "configurations": len(ranked),
            "conclusion": cell_table.best_conclusion(ranked) if ranked else nothing,
        }  # fmt: skip
        echo(json_text(document))
    elif not ranked:
        echo(nothing)
    else:
        echo(f"{wrapped(cell_table.best_conclusion(ranked))}\n{table_text(cell_table.table(ranked[:top]))}")


@click.command("compare")
@click.argument("first", metavar="A")
@click.argument("second", metavar="B")
@click.option("--experiment", metavar="NAME", help="Compare its configurations only; or the TOML file of a plan.")
@_METRIC
@STORE
@JSON
def compare_command(
    first: str, second: str, *, experiment: str | None, metric: str | None, store: str | None, as_json: bool
) -> None:
    """Compare a metric between two groups of trials: the difference B minus A with its 95 % interval.

    A and B are conditions, such as "width == 64", or results files. Configurations that agree otherwise are
    partners. Seeds are paired where both start from the same parameters, and are independent groups where they do not.

    Example: subtx-toy results compare "width == 16" "width == 32" --metric student_aux.accuracy
    """
    from subtx_toy.api.stored import compare_results
    from subtx_toy.results.presentation import wrapped
    from subtx_toy.sweep.plan import Plan

    plan = None if experiment is None else Plan.read(experiment)
    found = compare_results(first, second, experiment=plan, metric=metric, store=store)
    echo(json_text(found.document()) if as_json else f"{wrapped(found.conclusion)}\n{found.table}")
    for note in [] if as_json else found.pairs.notes:
        echo(wrapped(note), err=True)


@click.command("plot")
@trial_words
@selecting
@click.option("--out", required=True, type=FILE, callback=writable, help="File to write: .png, .pdf or .svg.")
@_METRIC
@click.option("--x", metavar="SETTING", help="Setting along the axis. [default: the one with most values]")
@click.option("--by", metavar="SETTING", help="One line for each of its values, or the rows of --heat.")
@click.option("--heat", is_flag=True, help="A map of means over two settings.")
@click.option("--parallel", is_flag=True, help="Every configuration as a line through its settings.")
@JSON
def plot_command(
    experiment: str | None, axes: tuple[str, ...], *, out: Path, metric: str | None, as_json: bool, **options: Any
) -> None:
    """Draw means over seeds with 95 % intervals: any metric against any setting.

    The published values of an experiment are drawn where they are of the same data and setting.

    Example: subtx-toy results plot tiny --x width --by num_aux --out tiny.png
    """
    from subtx_toy.api.plots import plot_selection
    from subtx_toy.figures.style import save
    from subtx_toy.sweep.plan import Plan

    drawing = {name: options.pop(name) for name in ("x", "by", "heat", "parallel")}
    check_file(options["store"], out, what="out")
    selection = select(experiment, axes, **options)
    plan = None if experiment is None else Plan.read(experiment)
    found = plot_selection(selection, experiment=plan, metric=metric, **drawing)
    save(found.figure, out)
    document = {**found.document(), "figure": str(out)}
    echo(json_text(document) if as_json else one_line(f"{found.conclusion}\nfigure: {out}".replace("\n", " ")))
