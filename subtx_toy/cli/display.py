"""Messages and progress on stderr: moving bars or a live table on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from types import TracebackType
from typing import TYPE_CHECKING, Any

import rich_click as click

from subtx_toy.cli.interrupts import interruptible
from subtx_toy.files.terminal_text import terminal_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import RenderableType
    from rich.live import Live
    from rich.progress import TaskID
    from rich.table import Table

    from subtx_toy.sweep.session import Tally
    from subtx_toy.sweep.trial import TrialOutcome


class Display(AbstractContextManager["Display"]):
    """Messages and progress on stderr: moving bars on a terminal, otherwise one plain line a finished task.

    ``report`` and ``progress`` are what the functions of the package take under these names.
    """

    def __init__(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

        self._console = Console(stderr=True, highlight=False)
        self.is_terminal = self._console.is_terminal
        columns = (TextColumn("{task.description}", markup=False), BarColumn(), TextColumn("{task.fields[amount]}"))
        times = (TimeElapsedColumn(), TextColumn("{task.fields[left]}"))
        self._bars = Progress(*columns, *times, console=self._console, transient=True, disable=not self.is_terminal)
        self._tasks: dict[str, TaskID] = {}
        self._live: Live | None = None

    def __enter__(self) -> Display:
        self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bars.stop()
        if self._live is not None:
            self._live.stop()

    def show(self, content: RenderableType) -> None:
        """Show something of one's own on the terminal, in the place of the bars."""
        from rich.live import Live

        if self._live is None:
            self._bars.stop()  # two live displays cannot share the terminal
            self._live = Live(console=self._console, refresh_per_second=4, transient=True)
            self._live.start()
        self._live.update(content)

    def report(self, message: str) -> None:
        """Show a line."""
        message = terminal_text(message)
        if self.is_terminal:
            self._console.print(message, markup=False, soft_wrap=True)
        else:
            click.echo(message, file=sys.stderr)

    def progress(self, task: str, done: int, total: int | None, unit: str) -> None:
        """Show how far a task is."""
        task = terminal_text(task)
        amount = _amount(done, total, unit)
        if not self.is_terminal:
            if done == 0 and total:
                click.echo(f"{task}: {total} {unit}", file=sys.stderr)
            elif done == total:
                click.echo(f"{task}: {amount}", file=sys.stderr)
            return
        if task not in self._tasks:
            self._tasks[task] = self._bars.add_task(task, total=total, amount=amount, left="")
        elapsed = self._bars.tasks[self._bars.task_ids.index(self._tasks[task])].elapsed
        left = _left(done, total, elapsed)
        self._bars.update(self._tasks[task], completed=done, total=total, amount=amount, left=left)


def _left(done: int, total: int | None, elapsed: float | None) -> str:
    """Say how long the rest takes at the mean rate so far; a rate over a short window jumps with each finished seed.

    >>> _left(2, 6, 15.0), _left(0, 6, 15.0)
    ('about 0:30 left', '')
    """
    from subtx_toy.results.presentation import clock

    if not done or total is None or done >= total or elapsed is None:
        return ""
    return f"about {clock(elapsed * (total - done) / done)} left"


def _amount(done: int, total: int | None, unit: str) -> str:
    """Write an amount for people.

    >>> _amount(1_500_000, 20_300_000, "bytes"), _amount(500, None, "images")
    ('1.5 of 20.3 MB', '500 images')
    """
    numbers = [done] if total is None or done == total else [done, total]
    if unit == "bytes":
        return " of ".join(f"{number / 1e6:.1f}" for number in numbers) + " MB"
    return " of ".join(map(str, numbers)) + f" {unit}"


@contextmanager
def working() -> Iterator[dict[str, Any]]:
    """Show messages and progress on stderr, and let SIGTERM end the work; yields the keywords that report them."""
    with interruptible(), Display() as display:
        yield {"report": display.report, "progress": display.progress}


_LINE_SECONDS = 10.0  # between plain lines


class SweepProgress:
    """Shows the tally of a sweep on a display; call it as often as there is news."""

    def __init__(self, display: Display) -> None:
        self._display = display
        self._start = self._last_line = time.monotonic()
        self._started = False
        self._failures: set[str] = set()
        self._others: set[object] = set()

    def __call__(self, tally: Tally, outcomes: Sequence[TrialOutcome]) -> None:
        """Show what there is to do, before anything is done; then how far it is, and each new kind of failure once."""
        from subtx_toy.api.run import failure_lines, waiting_lines

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
        for text in waiting_lines(tally, self._others):
            self._display.report(text)
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
    from subtx_toy.results.presentation import clock

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

    from subtx_toy.results.presentation import clock

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
