"""Messages and progress on stderr: bars on a terminal, plain lines elsewhere."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from types import TracebackType
from typing import TYPE_CHECKING

import rich_click as click

if TYPE_CHECKING:
    from rich.progress import TaskID


class Display(AbstractContextManager["Display"]):
    """Messages and progress on stderr: moving bars on a terminal, otherwise one plain line a finished task.

    Used by other commands for ``subtx_toy.data.load`` as well: pass its ``report`` and ``progress``.
    """

    def __init__(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

        self._console = Console(stderr=True, highlight=False)
        self._terminal = self._console.is_terminal
        columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[amount]}"))
        times = (TimeElapsedColumn(), TextColumn("{task.fields[left]}"))
        self._bars = Progress(*columns, *times, console=self._console, transient=True, disable=not self._terminal)
        self._tasks: dict[str, TaskID] = {}

    def __enter__(self) -> Display:
        self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """Leave the terminal to another display; messages still come."""
        self._bars.stop()

    def start(self, task: str, total: int, unit: str) -> None:
        """Announce a task before its first step is done."""
        if self._terminal:
            self.progress(task, 0, total, unit)
        else:
            click.echo(f"{task}: {total} {unit}", file=sys.stderr)

    def report(self, message: str) -> None:
        """Show a line."""
        if self._terminal:
            self._console.print(message, markup=False, soft_wrap=True)
        else:
            click.echo(message, file=sys.stderr)

    def progress(self, task: str, done: int, total: int | None, unit: str) -> None:
        """Show how far a task is."""
        amount = _amount(done, total, unit)
        if not self._terminal:
            if done == 0 and total:
                self.start(task, total, unit)
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
    if not done or total is None or done >= total or elapsed is None:
        return ""
    seconds = round(elapsed * (total - done) / done)
    minutes, seconds = divmod(seconds, 60)
    return f"about {minutes}:{seconds:02d} left"


def _amount(done: int, total: int | None, unit: str) -> str:
    """Write an amount for people.

    >>> _amount(1_500_000, 20_300_000, "bytes"), _amount(500, None, "images")
    ('1.5 of 20.3 MB', '500 images')
    """
    if unit == "bytes":
        of = "" if total is None or done == total else f" of {total / 1e6:.1f}"
        return f"{done / 1e6:.1f}{of} MB"
    of = "" if total is None or done == total else f" of {total}"
    return f"{done}{of} {unit}"


@contextmanager
def interruptible() -> Iterator[None]:
    """Let SIGTERM end the work as Ctrl-C does: what is finished is kept, and the exit code is 130."""
    if threading.current_thread() is not threading.main_thread():  # only there may handlers be set
        yield
        return

    def interrupt(_number: int, _frame: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
