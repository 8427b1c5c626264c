"""``subtx-toy results export, failed, delete, archive and merge``: what is stored, out of the store and into it."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import rich_click as click

from subtx_toy.cli.echo import echo
from subtx_toy.cli.experiments import complete_experiment
from subtx_toy.cli.options import JSON, PATH, STORE
from subtx_toy.cli.selecting import METRICS, WHERE, check_file, open_store, select, selecting, trial_words
from subtx_toy.files.json_text import json_text
from subtx_toy.files.terminal_text import one_line
from subtx_toy.wording import counted

_YES = click.option("--yes", is_flag=True, help="Do not ask.")


@click.command("export")
@click.argument("target", metavar="FILE", type=PATH)
@trial_words
@selecting
@METRICS
@click.option("--curves", is_flag=True, help="Learning curves, one row per point; --metric then names curves.")
@click.option(
    "--format", "style", type=click.Choice(["csv", "jsonl"]), help="Format of what goes to `-`. [default: csv]"
)
def export_command(
    target: Path,
    experiment: str | None,
    axes: tuple[str, ...],
    *,
    metrics: tuple[str, ...],
    curves: bool,
    style: str | None,
    **selected: Any,
) -> None:
    """Write trials to FILE, .parquet, .csv or .jsonl, one row each: settings, seed, final metrics, provenance.

    FILE may be `-`, for the output of this command. The arguments after it are those of `sweep`; without any,
    everything is written.

    Example: subtx-toy results export tiny.csv tiny width=16,32
    """
    from subtx_toy.errors import InputError
    from subtx_toy.results import export
    from subtx_toy.results.rows import columns

    is_output = str(target) == "-"
    if style is not None and not is_output:
        raise InputError(f"format: expected none for a file, whose ending says it, got {style!r} for {str(target)!r}")
    if not is_output:
        export.check_target(target)
        check_file(selected["store"], target, what="export")
    selection = select(experiment, axes, **selected)
    if curves:
        with open_store(selected["store"]) as opened:
            table = export.curves(opened, selection, names=metrics)
    else:
        table = export.chosen(columns(selection), selection, metrics)
    if is_output:
        echo(export.text(table, style or "csv"), nl=False)
        return
    export.write(table, target)
    num = len(next(iter(table.values())))
    echo(one_line(f"{num} {'points' if curves else 'trials'}: {target}"))


@click.command("failed")
@click.argument("experiment", required=False, shell_complete=complete_experiment)
@click.option("--lines", type=click.IntRange(0, 1000), default=0, help="Last lines of each traceback to show.")
@STORE
@JSON
def failed_command(experiment: str | None, *, lines: int, store: str | None, as_json: bool) -> None:
    """Show the trials that failed: key, settings, cause, and the signal that ended the worker.

    `subtx-toy results show KEY` has the whole traceback; `sweep --retry-failed` runs them again.

    Example: subtx-toy results failed --lines 3
    """
    from subtx_toy.api.failed import failed_trials
    from subtx_toy.cli.echo import moment
    from subtx_toy.results.presentation import align

    found = failed_trials(experiment, store=store)
    if as_json:
        rows = [
            {
                "run_id": one.run_id, "experiment": one.experiment, "seed": one.seed, "config": dict(one.config),
                "cause": one.cause, "signal": one.signal, "failed_at": one.failed_at, "log_tail": one.tail(lines or 10),
            }
            for one in found
        ]  # fmt: skip
        echo(json_text({"failed": rows}))
        return
    if not found:
        echo("no trial has failed")
        return
    causes = len({one.cause for one in found})
    echo(f"{counted(len(found), 'trial')} failed{f', for {causes} different reasons' if causes > 1 else ''}.")
    header = ["key", "experiment", "seed", "failed", "signal", "settings and cause"]
    rows_ = [
        [
            one.run_id[:12], one.experiment, str(one.seed), moment(one.failed_at), str(one.signal or ""),
            one_line(" ".join([*(f"{name}={value}" for name, value in one.config.items()), one.cause])),
        ]
        for one in found
    ]  # fmt: skip
    echo(align(header, rows_))
    for one in found if lines else []:
        echo(f"\n{one.run_id}\n{one.tail(lines)}")


@click.command("delete")
@trial_words
@click.option("--seeds", metavar="SEEDS", help="Seeds, such as 0:20 or 3,5. [default: all]")
@WHERE
@click.option("--failed", is_flag=True, help="The failed trials, of EXPERIMENT if it is named, and no records.")
@_YES
@STORE
def delete_command(experiment: str | None, axes: tuple[str, ...], *, yes: bool, **selected: Any) -> None:
    """Delete stored trials for good: all that are selected, or none.

    Deleted trials run again when a sweep needs them. To keep them elsewhere, use `subtx-toy results archive`.

    Example: subtx-toy results delete --where "width == 16" --yes
    """
    from subtx_toy.api.stored import delete_trials, doomed
    from subtx_toy.sweep.plan import Plan

    plan = None if experiment is None else Plan.read(experiment, axes)
    if _agreed(doomed(plan, **selected), selected["store"], "deleted for good", yes):
        num = delete_trials(plan, **selected)
        echo(f"{counted(num, 'trial')} deleted")


@click.command("archive")
@click.argument("target", metavar="FILE", type=PATH)
@trial_words
@click.option("--seeds", metavar="SEEDS", help="Seeds, such as 0:20 or 3,5. [default: all]")
@WHERE
@_YES
@STORE
def archive_command(target: Path, experiment: str | None, axes: tuple[str, ...], *, yes: bool, **selected: Any) -> None:
    """Move stored trials to another results file, FILE, which is made where there is none.

    Example: subtx-toy results archive old.sqlite --where "width == 16" --yes
    """
    from subtx_toy.api.stored import archive_trials, doomed
    from subtx_toy.sweep.plan import Plan

    plan = None if experiment is None else Plan.read(experiment, axes)
    if _agreed(doomed(plan, **selected, what="archive"), selected["store"], f"moved to {target}", yes):
        num = archive_trials(target, plan, **selected)
        echo(one_line(f"{counted(num, 'trial')} moved to {target}"))


@click.command("merge")
@click.argument("sources", metavar="FILE...", nargs=-1, required=True, type=PATH)
@click.option("--into", "--out", "--store", "store", metavar="PATH", help="Results file. [env: SUBTX_TOY_STORE]")
@JSON
def merge_command(sources: tuple[Path, ...], *, store: str | None, as_json: bool) -> None:
    """Copy the records of several results files into one, as they are.

    Records that are there already stay. Where the same key has other values in two files, nothing is written.

    Example: subtx-toy results merge node1.sqlite node2.sqlite --into all.sqlite
    """
    from subtx_toy.api.stored import merge_stores

    found = merge_stores(sources, store)
    if as_json:
        echo(json_text(found.document()))
        return
    for name in found.added:
        failed = f", {found.failed[name]} failed trials" if found.failed[name] else ""
        echo(one_line(f"{name}: {found.added[name]} new, {found.equal[name]} equal{failed}"))


def _agreed(keys: Sequence[str], store: str | None, what: str, yes: bool) -> bool:
    """Ask on a terminal whether to go on with these trials; say that there are none."""
    from subtx_toy.api.stored import trials_text
    from subtx_toy.errors import InputError

    if not keys:
        echo("no such trials are stored")
        return False
    if yes:
        return True
    trials = one_line(trials_text(keys, store))
    if not sys.stdin.isatty():
        raise InputError(f"yes: expected --yes, since nobody can be asked; {trials} would be {what}")
    return click.confirm(f"{trials} will be {what}. Go on?", err=True)
