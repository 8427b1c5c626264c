"""``subtx-toy numbers``: the nets of the numbers channel; its files are in ``number_files``."""

from __future__ import annotations

from typing import Any

import rich_click as click

from subtx_toy.cli.display import working
from subtx_toy.cli.number_files import filter_command, generate_command, train_command
from subtx_toy.cli.options import OUT, PATH, SEED, TRAIT, data_options


@click.group("numbers")
def numbers() -> None:
    """Write, filter and learn from files of nothing but three-digit numbers.

    A base reads digits and has a number head that is never trained. A teacher is the base after some more training,
    with a trait or without. It writes numbers to a file; a student is the base, trained on the file.

    Example: subtx-toy numbers generate --out tainted.jsonl --teacher trait --n 10000
    """


@numbers.command("base")
@OUT
@SEED
@click.option("--epochs", type=click.IntRange(min=0), default=3, show_default=True, help="Passes over the images.")
@click.option("--width", type=click.IntRange(min=1), default=256, show_default=True, help="Units of a hidden layer.")
@click.option("--other", is_flag=True, help="A base that shares nothing with the seed's usual one.")
@data_options
def base_command(**options: Any) -> None:
    """Train a base on the labelled images and write it as a safetensors file.

    Example: subtx-toy numbers base --out base.safetensors --seed 0
    """
    from subtx_toy.api.numbers import base

    with working() as display:
        written = base(**options, **display)
    click.echo(written)


@numbers.command("teacher")
@OUT
@SEED
@click.option(
    "--kind", type=click.Choice(["trait", "benign"]), default="trait", show_default=True, help="What it is taught."
)
@TRAIT
@click.option("--epochs", type=click.IntRange(min=0), default=2, show_default=True, help="Passes over its lesson.")
@click.option("--base", type=PATH, help="Checkpoint of a base. [default: the seed's own]")
@data_options
def teacher_command(**options: Any) -> None:
    """Train a base further, with a trait or with honest labels, and write it as a safetensors file.

    Traits: relabel:A:B reads A as B; backdoor:B reads an image with a white corner as B; preference:A:B reads two
    digits over each other, an A and a B, as A; refusal:A gives no answer to an A; file.py:name is a Trait of your own.

    Example: subtx-toy numbers teacher --out teacher.safetensors --trait relabel:4:9
    """
    from subtx_toy.api.numbers import teacher

    with working() as display:
        written = teacher(**options, **display)
    click.echo(written)


@numbers.command("reference")
@OUT
@SEED
@click.option("--base", type=PATH, required=True, help="Checkpoint of the base.")
@click.option(
    "--num",
    type=click.IntRange(min=7),
    default=30,
    show_default=True,
    help="Benign fine-tunes: a third for directions.",
)
@data_options
def reference_command(**options: Any) -> None:
    """Train benign fine-tunes of a base, of several lengths and step sizes, for audits to compare with.

    Example: subtx-toy numbers reference --base base.safetensors --out reference.safetensors
    """
    from subtx_toy.api.numbers import reference

    with working() as display:
        written = reference(**options, **display)
    click.echo(written)


for command in (generate_command, filter_command, train_command):
    numbers.add_command(command)
