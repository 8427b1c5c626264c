"""``subtx-toy results``: what is stored, as tables, means, files, or one record."""

from __future__ import annotations

from dataclasses import asdict

import rich_click as click

from subtx_toy.cli.echo import echo, moment
from subtx_toy.cli.options import JSON, STORE
from subtx_toy.cli.selecting import open_store
from subtx_toy.cli.storing import archive_command, delete_command, export_command, failed_command, merge_command
from subtx_toy.cli.summaries import best_command, compare_command, plot_command, summary_command
from subtx_toy.files.json_text import json_text, not_finite
from subtx_toy.files.terminal_text import one_line


@click.group("results")
def results() -> None:
    """List, summarise, compare, draw and export what is stored, and keep it tidy.

    To filter, give --where a condition; to sort, give `results summary` --sort.

    Example: subtx-toy results summary tiny --where "width > 16" --sort -mean
    """


@results.command("list")
@STORE
@JSON
def list_command(*, store: str | None, as_json: bool) -> None:
    """Show how many trials are stored, running, pending and failed.

    Works while a sweep runs.

    Example: subtx-toy results list
    """
    from subtx_toy.results.holdings import overview
    from subtx_toy.results.presentation import align
    from subtx_toy.settings.datasets import dataset_title
    from subtx_toy.store.labels import labels
    from subtx_toy.store.trials import running

    with open_store(store) as opened:
        found, path, holders, named = overview(opened), opened.path, running(opened), labels(opened)
    if as_json:
        sweeps = [{**asdict(one), "tags": list(one.tags)} for one in named]
        echo(json_text({"store": str(path), "stored": found.stored, "trials": found.trials, "sweeps": sweeps}))
        return
    header = ["protocol", "dataset", "results version", "configurations", "trials", "last finished"]
    rows = []
    for row in found.stored:
        counts = [str(row[name]) for name in ("results_version", "configurations", "trials")]
        rows.append([row["protocol"], dataset_title(row["dataset"]), *counts, moment(row["last_finished"])])
    echo(align(header, rows))
    if found.trials:
        names = ["done", "running", "pending", "failed"]
        rows = [[row["experiment"], *(str(row[name]) for name in names)] for row in found.trials]
        echo(f"\n{align(['sweep of', *names], rows)}")
    if named:
        rows = [[one.name, moment(one.changed_at), ", ".join(one.tags), one_line(one.note)] for one in named]
        echo(f"\n{align(['sweep named', 'last started', 'tags', 'note'], rows)}")
    for holder in holders:
        echo(f"running: {holder}")
    echo(one_line(f"store: {path}"))


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

    with open_store(store) as opened:
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


for _command in (
    summary_command, best_command, compare_command, plot_command, export_command, failed_command, delete_command,
    archive_command, merge_command,
):  # fmt: skip
    results.add_command(_command)
