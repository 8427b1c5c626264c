"""The options that commands of the numbers channel and ``audit`` share, and the display of their progress."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import rich_click as click

from subtx_toy.cli.display import Display, interruptible
from subtx_toy.cli.output_file import writable

Command = TypeVar("Command", bound=Callable[..., object])

PATH = click.Path(path_type=Path)
OUT = click.option(
    "--out", required=True, type=click.Path(path_type=Path, dir_okay=False), callback=writable, help="File to write."
)
SEED = click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Names the streams.")
TRAIT = click.option(
    "--trait",
    default="relabel:4:9",
    show_default=True,
    help="relabel:A:B, backdoor:B, preference:A:B, refusal:A, or your own as file.py:name.",
)
JSON = click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
DATA_DIR = click.option("--data-dir", type=PATH, help="Your own IDX files. [env: SUBTX_TOY_DATA]")
_DATA = (
    click.option("--dataset", type=click.Choice(["mnist", "glyphs", "fashion"]), default="mnist", show_default=True),
    click.option("--num-train", type=click.IntRange(min=1), default=60_000, show_default=True, help="Images."),
    click.option("--num-test", type=click.IntRange(min=1), default=10_000, show_default=True, help="Held-out images."),
    DATA_DIR,
)


def data_options(command: Command) -> Command:
    """Add the options that name a data set."""
    for option in _DATA:
        command = option(command)
    return command


@contextmanager
def display_of_work() -> Iterator[dict[str, Any]]:
    """Show messages and progress on stderr, and let SIGTERM end the work; yields the keywords that report them."""
    with interruptible(), Display() as display:
        yield {"report": display.report, "progress": display.progress}
