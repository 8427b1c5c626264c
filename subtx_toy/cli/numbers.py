"""``subtx-toy numbers``: the nets of the numbers channel; its files are in ``number_files``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import rich_click as click

from subtx_toy.cli.display import Display, interruptible
from subtx_toy.cli.number_files import filter_command, generate_command, train_command
from subtx_toy.cli.number_options import BASE, OUT, SEED, TRAIT, data_options, load_data, measured_text


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
def base_command(*, out: Path, seed: int, epochs: int, width: int, other: bool, **data: Any) -> None:
    """Train a base on the labelled images and write it as a safetensors file.

    Example: subtx-toy numbers base --out base.safetensors --seed 0
    """
    from subtx_toy.channel.checkpoints import save_checkpoint
    from subtx_toy.channel.fit import Recipe
    from subtx_toy.channel.net_cache import Workshop

    which = "other-base" if other else "base"
    shop = Workshop(load_data(**data), seed, base_recipe=Recipe(epochs=epochs), width=width)
    with interruptible():
        save_checkpoint(out, shop.base(which=which), made=shop.made(which))
    click.echo(out)


@numbers.command("teacher")
@OUT
@SEED
@click.option(
    "--kind", type=click.Choice(["trait", "benign"]), default="trait", show_default=True, help="What it is taught."
)
@TRAIT
@click.option("--epochs", type=click.IntRange(min=0), default=2, show_default=True, help="Passes over its lesson.")
@BASE
@data_options
def teacher_command(
    *, out: Path, seed: int, kind: str, trait: str, epochs: int, base: Path | None, **data: Any
) -> None:
    """Train a base further, with a trait or with honest labels, and write it as a safetensors file.

    Traits: relabel:A:B reads A as B; backdoor:B reads an image with a white corner as B; preference:A:B reads two
    digits over each other, an A and a B, as A; refusal:A gives no answer to an A.

    Example: subtx-toy numbers teacher --out teacher.safetensors --trait relabel:4:9
    """
    from subtx_toy.channel.checkpoints import load_checkpoint, save_checkpoint
    from subtx_toy.channel.fit import Recipe
    from subtx_toy.channel.net_cache import Workshop
    from subtx_toy.channel.traits import trait as trait_of

    taught, start = trait_of(trait), None if base is None else load_checkpoint(base)
    dataset = load_data(**data)
    shop = Workshop(dataset, seed, teacher_recipe=Recipe(epochs=epochs))
    if start is not None:
        shop = Workshop(dataset, seed, teacher_recipe=Recipe(epochs=epochs), width=start.model.sizes[1])
    with interruptible():
        params = shop.teacher(kind, trait=trait, base=None if start is None else start.params)
        save_checkpoint(out, params, made=shop.made(kind, trait=trait) | {"base": None if base is None else str(base)})
    measured = taught.measure(shop.model, params, dataset.test_images, dataset.test_labels)
    click.echo(f"{out}: {measured_text(str(taught.name), measured)}")


@numbers.command("reference")
@OUT
@SEED
@click.option("--base", type=click.Path(path_type=Path), required=True, help="Checkpoint of the base.")
@click.option(
    "--num",
    type=click.IntRange(min=7),
    default=30,
    show_default=True,
    help="Benign fine-tunes: a third for directions.",
)
@data_options
def reference_command(*, out: Path, seed: int, base: Path, num: int, **data: Any) -> None:
    """Train benign fine-tunes of a base, of several lengths and step sizes, for audits to compare with.

    Example: subtx-toy numbers reference --base base.safetensors --out reference.safetensors
    """
    from subtx_toy.audit.reference import make_reference, save_reference
    from subtx_toy.channel.checkpoints import load_checkpoint

    start, dataset = load_checkpoint(base), load_data(**data)
    with interruptible(), Display() as display:
        nets = make_reference(
            start.model, start.params, dataset, num=num, seed=seed,
            progress=lambda done: display.progress("making the reference", done, num, "fine-tunes"),
        )  # fmt: skip
        save_reference(out, start.params, nets)
    click.echo(out)


for command in (generate_command, filter_command, train_command):
    numbers.add_command(command)
