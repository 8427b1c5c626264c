"""``subtx-toy data``: which data sets there are, fetch them, find their files."""

from __future__ import annotations

import json
import sys
from contextlib import AbstractContextManager
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

import rich_click as click

if TYPE_CHECKING:
    from rich.progress import TaskID

_NUM_TRAIN = click.option(
    "--num-train", type=int, metavar="N", help="Training images, for glyphs (default 60000)."
)
_NUM_TEST = click.option("--num-test", type=int, metavar="N", help="Test images, for glyphs (default 10000).")


@click.group("data")
def data() -> None:
    """List the data sets, fetch them, and find their files.

    A run fetches what it needs by itself; `data fetch` is for machines that will be offline later. Files are
    kept in the cache folder of your system, or in SUBTX_TOY_CACHE.

    Example: subtx-toy data fetch mnist
    """


@data.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def list_command(*, as_json: bool) -> None:
    """Show each data set, where it comes from, and whether it is cached.

    Cached files are checked against their checksums.

    Example: subtx-toy data list --json
    """
    from subtx_toy.data import catalogue

    found = catalogue.entries()
    if as_json:
        rows = [{**vars(entry), "path": str(entry.path)} for entry in found]
        click.echo(json.dumps(rows, indent=2))
        return
    for entry in found:
        click.echo(
            f"{entry.name}: {entry.num_train} training and {entry.num_test} test images, {entry.state}"
        )
        click.echo(f"  from    {entry.origin}")
        if entry.state != "not cached":
            click.echo(f"  folder  {entry.path}")
        if entry.sha256 is not None:
            click.echo(f"  sha256  {entry.sha256}")


@data.command("fetch")
@click.argument("names", metavar="NAME...", nargs=-1, required=True)
@click.option(
    "--data-dir",
    type=click.Path(path_type=Path),
    help="Your own folder with IDX files of mnist or fashion, to copy into the cache. [env: SUBTX_TOY_DATA]",
)
@_NUM_TRAIN
@_NUM_TEST
def fetch_command(
    names: tuple[str, ...], *, data_dir: Path | None, num_train: int | None, num_test: int | None
) -> None:
    """Put data sets into the cache, and print the folder of each.

    Example: subtx-toy data fetch glyphs mnist
    """
    from subtx_toy.data import catalogue, drawn
    from subtx_toy.errors import DataError

    for name in names:
        catalogue.check(name)
    given = {"--num-train": num_train, "--num-test": num_test}
    if drawn.NAME not in names:
        DataError.gather(
            f"{option}: expected {drawn.NAME} among the names, as other data sets are kept whole, got {value}"
            for option, value in given.items()
            if value is not None
        )
    for name in names:
        drawing = name == drawn.NAME
        with Display() as display:
            folder = catalogue.fetch(
                name,
                data_dir=data_dir,
                num_train=num_train if drawing else None,
                num_test=num_test if drawing else None,
                report=display.report,
                progress=display.progress,
            )
        click.echo(folder)


@data.command("path")
@click.argument("name")
@_NUM_TRAIN
@_NUM_TEST
def path_command(name: str, *, num_train: int | None, num_test: int | None) -> None:
    """Print the cache folder of a data set; status 2 if it is not cached.

    Example: ls "$(subtx-toy data path mnist)"
    """
    from subtx_toy.data import catalogue
    from subtx_toy.errors import DataError

    folder = catalogue.place(name, num_train=num_train, num_test=num_test)
    if not folder.is_dir():
        raise DataError(
            f"{name}: expected a folder {folder}, got none; run `subtx-toy data fetch {name}` first"
        )
    click.echo(folder)


class Display(AbstractContextManager["Display"]):
    """Messages and progress on stderr: moving bars on a terminal, otherwise one plain line a finished task.

    Used by other commands for ``subtx_toy.data.load`` as well: pass its ``report`` and ``progress``.
    """

    def __init__(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

        self._console = Console(stderr=True, highlight=False)
        self._terminal = self._console.is_terminal
        columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[amount]}"))
        self._bars = Progress(
            *columns, TimeRemainingColumn(), console=self._console, transient=True, disable=not self._terminal
        )
        self._tasks: dict[str, TaskID] = {}

    def __enter__(self) -> Display:
        self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bars.stop()

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
            if done == total:
                click.echo(f"{task}: {amount}", file=sys.stderr)
            return
        if task not in self._tasks:
            self._tasks[task] = self._bars.add_task(task, total=total, amount=amount)
        self._bars.update(self._tasks[task], completed=done, total=total, amount=amount)


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
