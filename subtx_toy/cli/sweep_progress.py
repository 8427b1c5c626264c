"""The progress of a sweep: a live table on a terminal, a plain line every twenty seconds elsewhere."""

from __future__ import annotations

import time
from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

from subtx_toy.cli.display import LINE_SECONDS, Display
from subtx_toy.wording import be, counted

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table

    from subtx_toy.sweep.session import Tally
    from subtx_toy.sweep.trial import TrialOutcome


class SweepProgress:
    """Shows the tally of a sweep on a display; call it as often as there is news.

    ``swept`` are the settings by which a trial is named.
    """

    def __init__(self, display: Display, swept: Collection[str] = ()) -> None:
        self._display, self._swept = display, swept
        self._start = self._last_line = self._last_news = time.monotonic()
        self._tally: Tally | None = None
        self._latest = ""
        self._failures: set[str] = set()
        self._others: set[object] = set()
        display.on_interrupt = self._kept

    def __call__(self, tally: Tally, outcomes: Sequence[TrialOutcome]) -> None:
        """Show what there is to do, before anything is done; then how far it is, and each new kind of failure once."""
        from subtx_toy.api.trial_lines import failure_lines, finished, trial_name, waiting_lines

        now = time.monotonic()
        if outcomes:
            self._last_news = now
        for outcome in outcomes:
            name = f"trial {outcome.trial.run_id[:12]}, {trial_name(outcome.trial, self._swept)}"
            for text in failure_lines(outcome, name, self._failures):
                self._display.report(text)
            if outcome.record is not None:
                self._latest = f"{trial_name(outcome.trial, self._swept)}: {finished(outcome.record)}"
        if self._tally is None:
            before = [f"{tally.stored} {be(tally.stored)} stored already"] if tally.stored else []
            if tally.failed_before:
                before.append(f"{tally.failed_before} failed earlier (--retry-failed runs them again)")
            self._display.report(counted(tally.total, "trial") + (": " + ", ".join(before) if before else ""))
        elif not self._display.is_terminal and now - self._last_line > LINE_SECONDS:
            self._last_line = now
            latest = f"; last {self._latest}" if self._latest else ""
            self._display.report(line(tally, self._last_news - self._start, now - self._last_news) + latest)
        for text in waiting_lines(tally, self._others):
            self._display.report(text)
        self._tally = tally
        if self._display.is_terminal:
            self._display.show(_table(tally, self._last_news - self._start, now - self._last_news))

    def finish(self, tally: Tally) -> None:
        """Show how the sweep ended."""
        failed = tally.failed + tally.failed_before
        self._display.report(line(tally, time.monotonic() - self._start))
        if tally.left:
            self._display.report(f"stopped with {counted(tally.left, 'trial')} left; the same command goes on")
        if failed:
            self._display.report(
                f"{counted(failed, 'trial')} failed; the others are stored, and --retry-failed tries again"
            )

    def _kept(self) -> str:
        if self._tally is None:
            return "nothing was run yet"
        stored = self._tally.stored + self._tally.done + self._tally.elsewhere
        return f"{stored} of {counted(self._tally.total, 'trial')} {be(stored)} stored; the same command goes on"


def line(tally: Tally, elapsed: float, since: float = 0.0) -> str:
    """Write a tally as one line; ``elapsed`` seconds of this session until the last news, ``since`` after it.

    >>> from subtx_toy.sweep.session import Tally
    >>> line(Tally(total=10, stored=2, done=4, failed=1), 8.0)
    '7 of 10 trials, 0.62 per second, about 0:05 left, 1 failed'
    """
    here = tally.done + tally.failed
    words = [f"{tally.total - tally.left} of {counted(tally.total, 'trial')}"]
    if here:
        words.append(_rate(here / elapsed))
        if tally.left:
            words.append(_left(tally, elapsed, since))
    if tally.failed:
        words.append(f"{tally.failed} failed")
    return ", ".join(words)


def _rate(per_second: float) -> str:
    """Write a rate in the unit that makes a number of at least one tenth.

    >>> _rate(0.5), _rate(0.05)
    ('0.50 per second', '3.0 per minute')
    """
    return f"{per_second:.2f} per second" if per_second >= 0.1 else f"{60 * per_second:.1f} per minute"


def _left(tally: Tally, elapsed: float, since: float) -> str:
    """Say how long the rest takes at the rate so far; it counts down until the next news."""
    from subtx_toy.results.presentation import clock

    left = tally.left * elapsed / (tally.done + tally.failed) - since
    return f"about {clock(left)} left" if left > 1 else "almost done"


def _table(tally: Tally, elapsed: float, since: float) -> Table:
    from rich import box
    from rich.progress_bar import ProgressBar
    from rich.table import Table

    from subtx_toy.results.presentation import clock

    here = tally.done + tally.failed
    columns: dict[str, RenderableType] = {
        "trials": f"{tally.total - tally.left} of {tally.total}",
        "": ProgressBar(total=max(tally.total, 1), completed=tally.total - tally.left, width=24),
        "this session": str(tally.done),
        "elsewhere": str(tally.elsewhere),
        "failed": str(tally.failed + tally.failed_before),
        "rate": _rate(here / elapsed) if here else "",
        "elapsed": clock(elapsed + since),
        "left": _left(tally, elapsed, since).removeprefix("about ").removesuffix(" left") if here else "",
    }
    table = Table(*columns, box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_row(*columns.values())
    return table
