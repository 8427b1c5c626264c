"""The options that several commands share, and which of them a user has given."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import rich_click as click
from click import get_current_context

from subtx_toy.files.atomic import check_writable
from subtx_toy.settings.datasets import DATASETS
from subtx_toy.settings.limits import MAX_CONFIGS, MAX_COUNT, MAX_SEED, MAX_WORKERS

CommandT = TypeVar("CommandT", bound=Callable[..., Any])


def writable(context: click.Context, parameter: click.Parameter, path: Path | None) -> Path | None:
    """Refuse the file of an option that could not be written after the work; a click callback."""
    if path is not None and not context.resilient_parsing:
        check_writable(path, what=parameter.name or "file")
    return path


class _SeedNumber(click.ParamType):  # type: ignore[type-arg] # generic in newer releases only
    name = "integer"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        return click.IntRange(0, MAX_SEED).convert(value, param, ctx)


SEED_NUMBER = _SeedNumber()
"""A seed: an integer in a range that help does not show, for its end has nineteen digits."""

PATH = click.Path(path_type=Path)
FILE = click.Path(path_type=Path, dir_okay=False)
OUT = click.option("--out", required=True, type=FILE, callback=writable, help="File to write.")
STORE = click.option("--store", metavar="PATH", help="Results file. [env: SUBTX_TOY_STORE]")
KEEP_NETS = click.option(
    "--keep-nets", type=PATH, metavar="FOLDER", help="Write every trial's nets to FOLDER/RUN_ID/ARM.safetensors."
)
DATA_DIR = click.option(
    "--data-dir", type=PATH, help="Folder with the IDX files of MNIST or Fashion-MNIST. [env: SUBTX_TOY_DATA]"
)
WORKERS = click.option(
    "--workers", type=click.IntRange(1, MAX_WORKERS), help="Processes, one thread each. [default: the processors]"
)
JSON = click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
SEED = click.option("--seed", type=SEED_NUMBER, default=0, show_default=True, help="Seed of all draws.")
SEEDS = click.option("--seeds", metavar="SEEDS", help="Seeds, such as 0:20 or 3,5. [default: the experiment's own]")
STORED_SEEDS = click.option(
    "--seeds", metavar="SEEDS", help="Seeds, such as 0:20 or 3,5. [default: all that are stored]"
)
TRAIT = click.option(
    "--trait",
    default="relabel:4:9",
    show_default=True,
    help="relabel:A:B, backdoor:B, preference:A:B, refusal:A, or your own as file.py:name.",
)


def options(*added: Callable[[CommandT], CommandT]) -> Callable[[CommandT], CommandT]:
    """Return a decorator that adds several options, which the help lists in this order."""

    def decorate(command: CommandT) -> CommandT:
        for option in reversed(added):
            command = option(command)
        return command

    return decorate


drawing_options = options(
    click.option(
        "--sample", type=click.IntRange(1, MAX_CONFIGS), metavar="N", help="Draws of the axes drawn at random."
    ),
    click.option("--sample-seed", type=SEED_NUMBER, metavar="S", help="Seed of these draws. [default: 0]"),
)
"""The options of axes that are drawn at random."""

plan_options = options(SEEDS, drawing_options)
"""The options of a plan that its words do not hold."""

_DATASET, _NUM_TRAIN, _NUM_TEST = click.Choice(DATASETS), 60_000, 10_000
_NUMBER = click.IntRange(1, MAX_COUNT)

data_options = options(
    click.option("--dataset", type=_DATASET, default="mnist", show_default=True, help="Images and labels."),
    click.option("--num-train", type=_NUMBER, default=_NUM_TRAIN, show_default=True, help="Training images."),
    click.option("--num-test", type=_NUMBER, default=_NUM_TEST, show_default=True, help="Held-out images."),
    DATA_DIR,
)
"""The options that name a data set."""

data_of_base_options = options(
    click.option("--dataset", type=_DATASET, help="Images and labels. [default: those of the net given, or mnist]"),
    click.option("--num-train", type=_NUMBER, help=f"Training images. [default: as that net's, or {_NUM_TRAIN}]"),
    click.option("--num-test", type=_NUMBER, help=f"Held-out images. [default: as that net's, or {_NUM_TEST}]"),
    DATA_DIR,
)
"""The same where a net may be given: without them, the images are those that it was trained on."""


def is_given(name: str) -> bool:
    """Return whether a parameter of the command that runs was given, and does not hold its default."""
    source = get_current_context().get_parameter_source(name)
    return source is not None and source.name not in ("DEFAULT", "DEFAULT_MAP")
