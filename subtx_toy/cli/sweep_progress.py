"""How far a sweep is, on stderr: a live table on a terminal, a plain line now and then elsewhere."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from subtx_toy.api.run import failure_lines
from subtx_toy.cli.display import Display
from subtx_toy.results.presentation import clock

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import RenderableType
    from rich.table import Table

    from subtx_toy.sweep.session import Tally
    from subtx_toy.sweep.trial import Outcome

_LINE_SECONDS = 10.0  # between plain lines


class SweepProgress:
    """Shows the tally of a sweep on a display; call it as often as there is news."""

    def __init__(self, display: Display) -> None:
        self._display = display
        self._start = self._last_line = time.monotonic()
        self._started = False
        self._failures: set[str] = set()

    def __call__(self, tally: Tally, outcomes: Sequence[Outcome]) -> None:
        """Show what there is to do, before anything is done; then how far it is, and each new kind of failure once."""
        elapsed = time.monotonic() - self._start
        if not self._started:
            self._started = True
            before = [f"{tally.stored} are stored already"] if tally.stored else []
            if tally.failed_before:
                before.append(f"{tally.failed_before} failed earlier (--retry-failed runs them again)")
            self._display.report(f"{tally.total} trials" + (": " + ", ".join(before) if before else ""))
        elif not self._display.is_terminal and time.monotonic() - self._last_line > _LINE_SECONDS:
            self._last_line = time.monotonic()
            self._display.report(line(tally, elapsed))
        for outcome in outcomes:
            name = f"trial {outcome.trial.run_id[:12]}, seed {outcome.trial.seed}"
            for text in failure_lines(outcome, name, self._failures):
                self._display.report(text)
        if self._display.is_terminal:
            self._display.show(_table(tally, elapsed))

    def finish(self, tally: Tally) -> None:
        """Show how the sweep ended."""
        failed = tally.failed + tally.failed_before
        self._display.report(line(tally, time.monotonic() - self._start))
        if tally.left:
            self._display.report(f"stopped with {tally.left} trials left; the same command goes on")
        if failed:
            self._display.report(f"{failed} trials failed; the others are stored, and --retry-failed tries again")


def line(tally: Tally, elapsed: float) -> str:
    """Write a tally as one line; ``elapsed`` seconds of this session.

    >>> from subtx_toy.sweep.session import Tally
    >>> line(Tally(total=10, stored=2, done=4, failed=1), 8.0)
    '7 of 10 trials, 0.62 a second, about 0:05 left, 1 failed'
    """
    here = tally.done + tally.failed
    words = [f"{tally.total - tally.left} of {tally.total} trials"]
    if here:
        words.append(f"{here / elapsed:.2f} a second")
        if tally.left:
            words.append(f"about {clock(tally.left * elapsed / here)} left")
    if tally.failed:
        words.append(f"{tally.failed} failed")
    return ", ".join(words)


def _table(tally: Tally, elapsed: float) -> Table:
    from rich import box
    from rich.progress_bar import ProgressBar
    from rich.table import Table

    here = tally.done + tally.failed
    rate = here / elapsed if here else 0.0
    columns: dict[str, RenderableType] = {
        "trials": f"{tally.total - tally.left} of {tally.total}",
        "": ProgressBar(total=max(tally.total, 1), completed=tally.total - tally.left, width=24),
        "this session": str(tally.done),
        "elsewhere": str(tally.elsewhere),
        "failed": str(tally.failed + tally.failed_before),
        "a second": f"{rate:.2f}" if here else "",
        "elapsed": clock(elapsed),
        "left": clock(tally.left / rate) if rate else "",
    }
    table = Table(*columns, box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_row(*columns.values())
    return table
