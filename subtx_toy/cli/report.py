"""``subtx-toy report``: the stored results of an experiment as one HTML page."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import rich_click as click

from subtx_toy.cli.assignments import settings_for
from subtx_toy.cli.echo import echo
from subtx_toy.cli.experiments import complete_experiment
from subtx_toy.cli.options import FILE, JSON, STORE, writable
from subtx_toy.files.json_text import json_text
from subtx_toy.files.terminal_text import one_line


@click.command("report", short_help="Write the stored results of an experiment as one HTML page.")
@click.argument("experiment", shell_complete=complete_experiment)
@click.argument("overrides", metavar="[SETTING=VALUE]...", nargs=-1)
@click.option("--seeds", metavar="SEEDS", help="Seeds, such as 0:20 or 3,5. [default: all that are stored]")
@click.option("--quick", is_flag=True, help="Use the records that `run EXPERIMENT --quick` made.")
@STORE
@click.option(
    "--out", type=FILE, callback=writable, help="Page to write. [default: EXPERIMENT-DATASET.html in this folder]"
)
@JSON
def report(
    experiment: str, overrides: tuple[str, ...], *, seeds: str | None, quick: bool, store: str | None, out: Path | None,
    as_json: bool,
) -> None:  # fmt: skip
    """Write a page about the stored results of EXPERIMENT; nothing is run.

    The page has the question, the result in words and tables, pictures, learning curves, the settings that differ from
    the published ones, what the runs cost, versions and checksums, and how to cite them. It is one file that needs no
    network. `subtx-toy run --html FILE` writes the same page at the end of a run.

    Example: subtx-toy report cloud2025 --quick --out cloud2025.html
    """
    from subtx_toy.api.arguments import store_path
    from subtx_toy.api.report import report as stored_run
    from subtx_toy.results.presentation import wrapped
    from subtx_toy.store.place import check_not_the_store

    changes: dict[str, Any] = settings_for(stored_run, overrides)
    found = stored_run(experiment, seeds=seeds, quick=quick, store=store, **changes)
    target = out or Path(f"{found.definition.name}-{found.base.dataset_title}.html")
    check_not_the_store(store_path(store), target, what="out")
    found.save_page(target)
    if as_json:
        echo(json_text(found.document() | {"page": str(target)}))
        return
    echo(wrapped(found.presentation.conclusion or found.presentation.heading[0]))
    echo(one_line(f"page: {target}"))
