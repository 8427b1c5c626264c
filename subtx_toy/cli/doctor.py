"""``subtx-toy doctor``: what this machine has, and what would fail on it."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import rich_click as click

from subtx_toy.cli.echo import echo
from subtx_toy.cli.options import JSON, PATH, STORE
from subtx_toy.files.json_text import json_text
from subtx_toy.files.terminal_text import one_line


@click.command("doctor", short_help="Check this machine, the data sets and the store.")
@STORE
@click.option("--backup", "target", metavar="FILE", type=PATH, help="Copy the store to FILE.")
@JSON
def doctor(*, store: str | None, target: Path | None, as_json: bool) -> int:
    """Look at Python, torch, processors, optional packages, data sets, disk and store, and say what would fail.

    The store is read through: its pages, its records, and what belongs together. Nothing is changed. --backup copies
    the store first, also while a sweep writes to it.

    Exit codes: 0 all is well; 1 something would fail; 2 bad usage or bad input.

    Example: subtx-toy doctor --backup results-copy.sqlite
    """
    from subtx_toy.api.arguments import store_path
    from subtx_toy.api.doctor import examine
    from subtx_toy.results.presentation import wrapped
    from subtx_toy.store.maintenance import backup

    path = store_path(store)
    if target is not None:
        backup(path, target)
        echo(one_line(f"copied {path} to {target}"), err=True)
    findings = list(examine(path))
    if as_json:
        echo(json_text({"findings": [asdict(one) for one in findings]}))
    else:
        for one in findings:
            echo(wrapped(f"{one.state:<6}{one.name:<14}{one_line(one.text)}", indent=20))
    return int(any(one.state == "fault" for one in findings))
