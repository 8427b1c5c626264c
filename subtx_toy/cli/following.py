"""Following a sweep that runs elsewhere: progress on the terminal, or a page in the browser; nothing is run."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from subtx_toy.cli.echo import echo
from subtx_toy.files.json_text import json_text

if TYPE_CHECKING:
    from subtx_toy.cli.display import Display
    from subtx_toy.sweep.overview import SweepOverview
    from subtx_toy.sweep.plan import Plan

_SECONDS = 2.0  # between two looks at the store


def follow(
    plan: Plan,
    display: Display,
    *,
    serve: str | None,
    shard: str | None,
    until: str | None,
    halving: int | None,
    as_json: bool,
    store: str | None,
    data_dir: Path | None,
    report: Any,
    progress: Any,
    **_of_a_run: Any,
) -> int:
    """Show how far a sweep is until every trial is finished or failed; with ``as_json``, once.

    A page is served until an interrupt. Exit code 1 if trials failed.

    Raises:
        InputError: if a sweep that decides as it goes is to be followed on the terminal: its end is not known.
    """
    from subtx_toy.api.arguments import data_folder, store_path
    from subtx_toy.errors import InputError
    from subtx_toy.sweep.overview import SweepOverview
    from subtx_toy.sweep.shard import Shard

    if serve is None and not as_json and (until is not None or halving is not None):
        raise InputError(
            "watch: expected a sweep whose trials are known beforehand, got one with --until or --halving; "
            "follow it by --serve, or look once by --watch --json"
        )
    trials = plan.trials(data_dir=data_folder(data_dir), report=report, progress=progress)
    trials = trials if shard is None else Shard.parse(shard).of(trials)
    seen = SweepOverview(plan, trials, store_path(store))
    if as_json:
        document = seen.document()
        echo(json_text(document))
        return 1 if document["counts"].get("failed") else 0
    if serve is not None:
        from subtx_toy.sweep.live_page import LivePage, parse_address

        with LivePage(seen.document, parse_address(serve)) as page:
            echo(page.url)
            page.serve()
        return 0
    return _on_terminal(seen, display)


def _on_terminal(seen: SweepOverview, display: Display) -> int:
    from subtx_toy.cli.sweep_progress import SweepProgress, line

    first, start = seen.tally(), time.monotonic()
    show = SweepProgress(display, seen.plan.swept)
    tally = first
    while True:
        # what came since this command began counts for the rate
        now = replace(
            tally, stored=first.stored, done=tally.stored - first.stored, failed_before=first.failed_before,
            failed=tally.failed_before - first.failed_before,
        )  # fmt: skip
        show(now, [])
        if not now.left:
            break
        time.sleep(_SECONDS)
        tally = seen.tally()
    display.report(line(now, time.monotonic() - start))
    return 1 if now.failed + now.failed_before else 0
