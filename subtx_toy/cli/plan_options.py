"""The arguments that name a plan, shared by the commands that run one and that read its results."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import rich_click as click

CommandT = TypeVar("CommandT", bound=Callable[..., Any])

STORE = click.option(
    "--store", "store_path", type=click.Path(path_type=Path), help="Results file. [env: SUBTX_TOY_STORE]"
)
DATA_DIR = click.option(
    "--data-dir", type=click.Path(path_type=Path), help="Folder of your own IDX files. [env: SUBTX_TOY_DATA]"
)


def plan_options(command: CommandT) -> CommandT:
    """Add the options of a plan that its words do not hold."""
    for option in (
        click.option("--sample-seed", type=click.IntRange(min=0), metavar="S", help="Of the draws. [default: 0]"),
        click.option("--sample", type=click.IntRange(min=1), metavar="N", help="Draws of the axes drawn at random."),
        click.option("--seeds", metavar="SEEDS", help="Seeds, such as 0:20 or 3,5. [default: the experiment's own]"),
    ):
        command = option(command)
    return command
