"""Messages and progress on stderr: moving bars or a live table on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING, Any

import rich_click as click

from subtx_toy.cli.interrupts import interruptible
from subtx_toy.files.terminal_text import terminal_text

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.live import Live
    from rich.progress import ProgressColumn, Task, TaskID


LINE_SECONDS = 20.0  # between plain lines, where there is no terminal
_WITHIN = "epochs"  # the unit of what runs inside a trial: part of another task


@dataclass
class _Task:
    """How far a task is, when it began, and when it is expected to end; times by the monotonic clock."""

    done: int
    total: int | None
    unit: str
    start: float
    end: float | None = None

    def left(self, now: float) -> str:
        """Say how long the rest takes; it counts down until the next news.

        >>> _Task(2, 6, "trials", 0.0, end=45.0).left(15.0), _Task(0, 6, "trials", 0.0).left(15.0)
        ('about 0:30 left', '')
        """
        from subtx_toy.results.presentation import clock

        if self.end is None or self.total is None or self.done >= self.total:
            return ""
        return f"about {clock(self.end - now)} left" if self.end > now + 1 else "almost done"


class Display(AbstractContextManager["Display"]):
    """Messages and progress on stderr: moving bars on a terminal, elsewhere a plain line when there is news.

    ``report`` and ``progress`` are what the functions of the package take under these names. Without a terminal a line
    comes at least every 20 seconds.
    """

    def __init__(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

        self._console = Console(stderr=True, highlight=False)
        self.is_terminal = self._console.is_terminal
        description = TextColumn("{task.description}", markup=False)
        columns = (description, BarColumn(bar_width=24), TextColumn("{task.fields[amount]}"))
        times = (TimeElapsedColumn(), _left_column(self))
        self._bars = Progress(*columns, *times, console=self._console, transient=True)
        self._ids: dict[str, TaskID] = {}
        self._tasks: dict[str, _Task] = {}
        self._announced: set[str] = set()  # tasks of which a plain line has said how much there is
        self._live: Live | None = None
        self._begun = self._last_line = time.monotonic()
        self._closed = threading.Event()
        self.on_interrupt: Callable[[], str] | None = None  # says what is kept

    def __enter__(self) -> Display:
        if self.is_terminal:
            self._bars.start()
        else:
            threading.Thread(target=self._keep_talking, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closed.set()
        if self.is_terminal:  # elsewhere rich before 14.3 ends bars that were never shown with an empty line
            self._bars.stop()
        if self._live is not None:
            self._live.stop()
        if kind is KeyboardInterrupt and self.on_interrupt is not None:
            self.report(self.on_interrupt())

    def show(self, content: RenderableType) -> None:
        """Show something of one's own on the terminal, in the place of the bars."""
        from rich.live import Live

        if self._live is None:
            self._bars.stop()  # two live displays cannot share the terminal
            self._live = Live(console=self._console, refresh_per_second=4, transient=True)
            self._live.start()
        self._live.update(content)

    def report(self, message: str) -> None:
        """Show a line, on a terminal broken between words."""
        message = terminal_text(message)
        self._last_line = time.monotonic()
        if self.is_terminal:
            from subtx_toy.results.presentation import wrapped

            self._console.print(wrapped(message, width=self._console.width), markup=False, soft_wrap=True)
        else:
            click.echo(message, file=sys.stderr)

    def progress(self, task: str, done: int, total: int | None, unit: str) -> None:
        """Show how far a task is; one in epochs is part of a task in trials."""
        task = terminal_text(task)
        now, is_new = time.monotonic(), task not in self._tasks
        known = self._tasks.setdefault(task, _Task(done, total, unit, now))
        changed = known.done != done
        known.done, known.total, known.unit = done, total, unit
        for one in self._tasks.values():
            self._expect(one, now)
        if not self.is_terminal:
            self._plain(task, done, total, unit, is_news=is_new or changed)
        else:
            self._draw(task, known)
        if unit == _WITHIN and done == total:
            del self._tasks[task]

    def left(self, task: str) -> str:
        """Say how long the rest of a task takes."""
        return self._tasks[task].left(time.monotonic()) if task in self._tasks else ""

    def _expect(self, task: _Task, now: float) -> None:
        """Estimate the end by the mean rate so far; a rate over a short window jumps with each finished seed."""
        done: float = task.done
        if task.unit == "trials":
            inner = [one for one in self._tasks.values() if one.unit == _WITHIN and one.total]
            done += sum(one.done / one.total for one in inner if one.total)
        if task.total and done:
            task.end = task.start + (now - task.start) * task.total / min(done, task.total)

    def _plain(self, task: str, done: int, total: int | None, unit: str, *, is_news: bool) -> None:
        if unit == _WITHIN or not is_news:
            return
        if total and (done == 0 or done == total) and task not in self._announced:
            self._announced.add(task)
            self.report(f"{task}: {_amount(total, total, unit)}")

    def _draw(self, task: str, known: _Task) -> None:
        amount = _amount(known.done, known.total, known.unit)
        if task not in self._ids:
            self._ids[task] = self._bars.add_task(task, total=known.total, amount=amount, task=task)
        self._bars.update(self._ids[task], completed=known.done, total=known.total, amount=amount)
        if known.unit == _WITHIN and known.done == known.total:
            self._bars.remove_task(self._ids.pop(task))

    def _keep_talking(self) -> None:
        while not self._closed.wait(1.0):
            now = time.monotonic()
            if now - self._last_line > LINE_SECONDS:
                self.report(self._state(now))

    def _state(self, now: float) -> str:
        """Say in one line how far the unfinished tasks are."""
        from subtx_toy.results.presentation import clock

        words = []
        for name, task in list(self._tasks.items()):
            if task.total is None or task.done < task.total:
                left = task.left(now)
                words.append(f"{name}: {_amount(task.done, task.total, task.unit)}" + (left and f", {left}"))
        return "; ".join(words) or f"working, {clock(now - self._begun)} so far"


def _left_column(display: Display) -> ProgressColumn:
    """Return a column that counts the seconds down between two pieces of news."""
    from rich.progress import ProgressColumn
    from rich.table import Column
    from rich.text import Text

    class Left(ProgressColumn):
        def render(self, task: Task) -> Text:
            return Text(display.left(task.fields["task"]))

    return Left(table_column=Column(no_wrap=True))  # the bars get shorter instead


def _amount(done: int, total: int | None, unit: str) -> str:
    """Write an amount for people.

    >>> _amount(1_500_000, 20_300_000, "bytes"), _amount(500, None, "images"), _amount(0, 1, "problems")
    ('1.5 of 20.3 MB', '500 images', '0 of 1 problem')
    """
    numbers = [done] if total is None or done == total else [done, total]
    if unit == "bytes":
        return " of ".join(f"{number / 1e6:.1f}" for number in numbers) + " MB"
    return " of ".join(map(str, numbers)) + f" {unit.removesuffix('s') if numbers[-1] == 1 else unit}"


@contextmanager
def working() -> Iterator[dict[str, Any]]:
    """Show messages and progress on stderr, and let SIGTERM end the work; yields the keywords that report them."""
    with interruptible(), Display() as display:
        yield {"report": display.report, "progress": display.progress}
