"""``subtx-toy data``: which data sets there are, fetch them, find their files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import rich_click as click

from subtx_toy.cli.display import working
from subtx_toy.cli.echo import echo
from subtx_toy.cli.options import JSON, PATH
from subtx_toy.files.json_text import json_text

_NUM_TRAIN = click.option("--num-train", type=int, metavar="N", help="Training images, for glyphs (default 60000).")
_NUM_TEST = click.option("--num-test", type=int, metavar="N", help="Test images, for glyphs (default 10000).")


@click.group("data")
def data() -> None:
    """List the data sets, fetch them, and find their files.

    A run fetches what it needs by itself; `data fetch` is for machines that will be offline later. Files are
    kept in the cache folder of your system, or in SUBTX_TOY_CACHE.

    Example: subtx-toy data fetch mnist
    """


@data.command("list")
@JSON
def list_command(*, as_json: bool) -> None:
    """Show each data set, where it comes from, and whether it is cached.

    Cached files are checked against their checksums. Other sizes of drawn digits stand on one line, as numbers of
    training and test images; --json has the folder and the checksum of each.

    Example: subtx-toy data list --json
    """
    from subtx_toy.data import catalogue
    from subtx_toy.results.presentation import wrapped

    found = catalogue.entries()
    if as_json:
        rows = [{**vars(entry), "path": str(entry.path)} for entry in found]
        echo(json_text(rows))
        return
    others = catalogue.other_sizes(found)
    for entry in found:
        if entry in others:
            continue
        echo(f"{entry.name}: {entry.num_train} training and {entry.num_test} test images, {entry.state}")
        echo(wrapped(f"  from    {entry.origin}", indent=10))
        if entry.state != "not cached":
            echo(f"  folder  {entry.path}")
        if entry.sha256 is not None:
            echo(f"  sha256  {entry.sha256}")
        if others and entry.name == others[0].name:
            echo(wrapped(f"  also    cached with fewer or more images: {catalogue.sizes_text(others)}", indent=10))
            others = ()


@data.command("fetch")
@click.argument("names", metavar="NAME...", nargs=-1, required=True)
@click.option(
    "--data-dir",
    type=PATH,
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
        sizes: dict[str, Any] = {"num_train": num_train, "num_test": num_test} if name == drawn.NAME else {}
        with working() as display:
            folder = catalogue.fetch(name, data_dir=data_dir, **sizes, **display)
        echo(folder)


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
        raise DataError(f"{name}: expected a folder {folder}, got none; run `subtx-toy data fetch {name}` first")
    echo(folder)
