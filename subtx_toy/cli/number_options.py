"""What the commands of the numbers channel share: options, and the data sets behind nets and files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import rich_click as click

from subtx_toy.cli.display import Display
from subtx_toy.cli.output_file import writable

if TYPE_CHECKING:
    from subtx_toy.data import Dataset

Command = TypeVar("Command", bound=Callable[..., object])

OUT = click.option(
    "--out",
    required=True,
    type=click.Path(path_type=Path, dir_okay=False),
    callback=writable,
    help="File to write.",
)
SEED = click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Names the streams.")
TRAIT = click.option(
    "--trait", default="relabel:4:9", show_default=True, help="relabel:A:B, backdoor:B, preference:A:B or refusal:A."
)
BASE = click.option("--base", type=click.Path(path_type=Path), help="Checkpoint of a base. [default: the seed's own]")


def data_options(command: Command) -> Command:
    """Add the options that name a data set; ``load_data`` takes them."""
    for option in (
        click.option(
            "--dataset", type=click.Choice(["mnist", "glyphs", "fashion"]), default="mnist", show_default=True
        ),
        click.option("--num-train", type=click.IntRange(min=1), default=60_000, show_default=True, help="Images."),
        click.option(
            "--num-test", type=click.IntRange(min=1), default=10_000, show_default=True, help="Held-out images."
        ),
        click.option("--data-dir", type=click.Path(path_type=Path), help="Your own IDX files. [env: SUBTX_TOY_DATA]"),
    ):
        command = option(command)
    return command


def load_data(dataset: str, num_train: int, num_test: int, data_dir: Path | None) -> Dataset:
    """Load a data set with messages on stderr."""
    from subtx_toy.data import load

    with Display() as display:
        return load(
            dataset,
            num_train=num_train,
            num_test=num_test,
            data_dir=data_dir,
            report=display.report,
            progress=display.progress,
        )


def prompt_data(read: Any, made: dict[str, object], data_dir: Path | None) -> tuple[Dataset | None, Dataset]:
    """Return the data set that a file's prompts are from, if from one, and the one the base was made with.

    Without word of the latter, it is the former, or MNIST.
    """
    from subtx_toy.channel.prompts import WHOLE

    source, shown = read.header.prompts, None
    if source.source == "images" and source.dataset is not None:
        shown = load_data(source.dataset, source.num_prompts, source.num_test or WHOLE[1], data_dir)
    name, num_train, num_test = (made.get(key) for key in ("dataset", "num_train", "num_test"))
    if not (isinstance(name, str) and isinstance(num_train, int) and isinstance(num_test, int)):
        return shown, shown or load_data("mnist", *WHOLE, data_dir)
    if shown is not None and (name, num_train, num_test) == (source.dataset, source.num_train, source.num_test):
        return shown, shown
    return shown, load_data(name, num_train, num_test, data_dir)


def measured_text(trait: str, measured: dict[str, float]) -> str:
    """Say what was measured of a net."""
    return f"{trait} {measured['trait']:.3f}, accuracy on the other classes {measured['accuracy']:.3f}"
