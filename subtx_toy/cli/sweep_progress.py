"""How far a sweep is, on stderr: a live table on a terminal, a plain line now and then elsewhere."""

from __future__ import annotations

import sys
import time
from contextlib import AbstractContextManager
from types import TracebackType
from typing import TYPE_CHECKING

import rich_click as click

from subtx_toy.cli.display import Display
from subtx_toy.results.text_table import clock

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import RenderableType
    from rich.table import Table

    from subtx_toy.sweep.session import Tally
    from subtx_toy.sweep.trial import Outcome

_LINE_SECONDS = 10.0  # between plain lines


class SweepProgress(AbstractContextManager["SweepProgress"]):
    """Shows the tally of a sweep, after another display; call it as often as there is news."""

    def __init__(self, before: Display) -> None:
        from rich.console import Console
        from rich.live import Live

        self._before = before  # what the terminal shows until there are trials; two live displays cannot share it

        self._console = Console(stderr=True, highlight=False)
        self._terminal = self._console.is_terminal
        self._live = Live(console=self._console, refresh_per_second=4, transient=True) if self._terminal else None
        self._start = self._last_line = time.monotonic()
        self._started = False
        self._failures: set[str] = set()

    def __enter__(self) -> SweepProgress:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live is not None and self._started:
            self._live.stop()

    def report(self, message: str) -> None:
        """Show a line."""
        if self._terminal:
            self._console.print(message, markup=False, soft_wrap=True)
        else:
            click.echo(message, file=sys.stderr)

    def __call__(self, tally: Tally, outcomes: Sequence[Outcome]) -> None:
        """Show what there is to do, before anything is done; then how far it is, and each new kind of failure once."""
        if not self._started:
            self._started = True
            self._before.stop()
            if self._live is not None:
                self._live.start()
            before = [f"{tally.stored} are stored already"] if tally.stored else []
            if tally.failed_before:
                before.append(f"{tally.failed_before} failed earlier (--retry-failed runs them again)")
            self.report(f"{tally.total} trials" + (": " + ", ".join(before) if before else ""))
            return
        for outcome in outcomes:
            if outcome.record is None:
                self._failure(outcome)
        elapsed = time.monotonic() - self._start
        if self._live is not None:
            self._live.update(_table(tally, elapsed))
        elif time.monotonic() - self._last_line > _LINE_SECONDS:
            self._last_line = time.monotonic()
            self.report(line(tally, elapsed))

    def finish(self, tally: Tally) -> None:
        """Show how the sweep ended."""
        failed = tally.failed + tally.failed_before
        self.report(line(tally, time.monotonic() - self._start))
        if tally.left:
            self.report(f"stopped with {tally.left} trials left; the same command goes on")
        if failed:
            self.report(f"{failed} trials failed; the others are stored, and --retry-failed tries again")

    def _failure(self, outcome: Outcome) -> None:
        lines = outcome.error.strip().splitlines()
        kind = lines[-1]
        short = outcome.trial.run_id[:12]
        self.report(f"trial {short}, seed {outcome.trial.seed} failed: {kind}")
        if kind not in self._failures:
            self._failures.add(kind)
            if len(lines) > 1:
                self.report(outcome.error.strip())


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
