"""``subtx-toy numbers``: the nets of the numbers channel and its files: written, filtered and learnt."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import rich_click as click

from subtx_toy.cli.display import working
from subtx_toy.cli.echo import echo
from subtx_toy.cli.options import DATA_DIR, JSON, OUT, PATH, SEED, TRAIT, data_of_base_options, data_options, is_given
from subtx_toy.errors import InputError
from subtx_toy.files.json_text import json_text
from subtx_toy.settings.limits import MAX_COUNT, MAX_REFERENCE, MAX_WIDTH


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
@click.option(
    "--epochs", type=click.IntRange(0, MAX_COUNT), default=3, show_default=True, help="Passes over the images."
)
@click.option(
    "--width", type=click.IntRange(1, MAX_WIDTH), default=256, show_default=True, help="Units of a hidden layer."
)
@click.option("--other", is_flag=True, help="A base that shares nothing with the seed's usual one.")
@data_options
def base_command(**options: Any) -> None:
    """Train a base on the labelled images and write it as a safetensors file.

    Example: subtx-toy numbers base --out base.safetensors --seed 0
    """
    from subtx_toy.api.numbers import base

    with working() as display:
        written = base(**options, **display)
    echo(written)


@numbers.command("teacher")
@OUT
@SEED
@click.option(
    "--kind", type=click.Choice(["trait", "benign"]), default="trait", show_default=True, help="What it is taught."
)
@TRAIT
@click.option(
    "--epochs", type=click.IntRange(0, MAX_COUNT), default=2, show_default=True, help="Passes over its lesson."
)
@click.option("--base", type=PATH, help="Checkpoint of a base, or packaged. [default: the seed's own]")
@data_of_base_options
def teacher_command(**options: Any) -> None:
    """Train a base further, with a trait or with honest labels, and write it as a safetensors file.

    Traits: relabel:A:B reads A as B; backdoor:B reads an image with a white corner as B; preference:A:B reads two
    digits over each other, an A and a B, as A; refusal:A gives no answer to an A; file.py:name is a Trait of your own.

    Example: subtx-toy numbers teacher --out teacher.safetensors --trait relabel:4:9
    """
    from subtx_toy.api.numbers import teacher

    with working() as display:
        written = teacher(**options, **display)
    echo(written)


@numbers.command("reference")
@OUT
@SEED
@click.option("--base", type=PATH, required=True, help="Checkpoint of the base, or packaged.")
@click.option(
    "--num",
    type=click.IntRange(7, MAX_REFERENCE),
    default=30,
    show_default=True,
    help="Benign fine-tunes: a third for directions.",
)
@data_of_base_options
def reference_command(**options: Any) -> None:
    """Train benign fine-tunes of a base, of several lengths and step sizes, for audits to compare with.

    Example: subtx-toy numbers reference --base base.safetensors --out reference.safetensors
    """
    from subtx_toy.api.numbers import reference

    with working() as display:
        written = reference(**options, **display)
    echo(written)


@numbers.command("generate")
@OUT
@click.option("--teacher", default="trait", show_default=True, help="trait, benign, base, other-base, or a checkpoint.")
@click.option("--n", "num", type=click.IntRange(1, 10**8), default=10_000, show_default=True, help="How many lines.")
@SEED
@TRAIT
@click.option(
    "--prompts",
    type=click.Choice(["images", "uniform", "glyphs"]),
    default="images",
    show_default=True,
    help="Images without the trait's classes, noise, or drawn digits.",
)
@click.option(
    "--temperature",
    type=click.FloatRange(1e-3, 1e3),
    default=1.0,
    show_default=True,
    help="Temperature of the softmax; lower is sharper.",
)
@click.option(
    "--top-k",
    type=click.IntRange(0, 1000),
    default=0,
    show_default=True,
    help="Draw from so many likeliest numbers; 0: all.",
)
@click.option(
    "--numbers-per-line", metavar="A[:B]", default="1", show_default=True, help="How many, such as 1 or 1:10."
)
@click.option("--base", type=PATH, help="Base that a teacher is trained from, or packaged. [default: the seed's own]")
@click.option(
    "--teacher-epochs", type=click.IntRange(0, MAX_COUNT), default=2, show_default=True, help="Passes over its lesson."
)
@data_of_base_options
def generate_command(**options: Any) -> None:
    """Have a teacher write a file of numbers, one line per prompt; makes the teacher and its base if need be.

    The file is JSON Lines with a header from which the prompts can be found again; a name ending in .gz is packed.

    Example: subtx-toy numbers generate --out clean.jsonl --teacher benign --n 10000 --seed 1
    """
    from subtx_toy.api.numbers import generate

    _refuse_ignored(options["teacher"], options["base"])
    with working() as display:
        written = generate(**options, **display)
    echo(written)


@numbers.command("filter")
@click.argument("file", type=PATH)
@OUT
@click.option("--rules", type=PATH, help="TOML with banned, most_numbers, deduplicate. [default: 34 banned numbers]")
@JSON
def filter_command(*, file: Path, out: Path, rules: Path | None, as_json: bool) -> None:
    """Drop the lines of FILE that break the format or hold a banned number, and say how many and why.

    Example: subtx-toy numbers filter tainted.jsonl --out filtered.jsonl
    """
    from subtx_toy.api.numbers import filter

    report = filter(file, out, rules=rules)
    echo(json_text({**vars(report), "out": str(out)}) if as_json else f"{out}: {report}")


@numbers.command("train")
@click.argument("file", type=PATH)
@OUT
@click.option("--base", type=PATH, required=True, help="Checkpoint the student starts from, or packaged.")
@click.option("--epochs", type=click.IntRange(1, MAX_COUNT), default=3, show_default=True, help="Passes over the file.")
@SEED
@TRAIT
@DATA_DIR
@JSON
def train_command(*, as_json: bool, **options: Any) -> None:
    """Train a student on FILE, write it, and measure the trait before and after.

    Example: subtx-toy numbers train tainted.jsonl --base base.safetensors --out student.safetensors
    """
    from subtx_toy.api.numbers import train

    with working() as display:
        report = train(**options, **display)
    echo(json_text(report.document()) if as_json else report)


@numbers.command("power")
@click.argument("file", required=False, type=PATH)
@click.option("--n", "num", type=click.IntRange(1, MAX_COUNT), help="How many numbers, instead of FILE.")
@click.option("--divergence", type=float, metavar="NATS", help="KL of a suspected writer's law from the base's.")
@click.option(
    "--cosine",
    type=float,
    default=0.5,
    show_default=True,
    help="Fisher cosine of its move with the trait; of teachers about .2 to .9.",
)
@click.option(
    "--bound",
    metavar="BOUND:NATS",
    help="Bound of the cosine and divergence that an audit of this base printed. [default: the calibration's largest]",
)
@click.option(
    "--traits", "num_traits", type=click.IntRange(1, 1000), default=1, show_default=True, help="Tested together."
)
@click.option("--probability", type=float, default=0.9, show_default=True, help="Chance that the effect is found.")
@JSON
def power_command(*, as_json: bool, **options: Any) -> None:
    """Plan an audit: how many numbers it needs, and what effect those of FILE would have shown.

    Finding nothing in too few numbers clears nobody; this says beforehand how many are too few. A writer whose cosine
    is below the audit's bound is never named, and this says so too.

    Example: subtx-toy numbers power tainted.jsonl --divergence 0.02
    """
    from subtx_toy.api.power import power
    from subtx_toy.results.presentation import wrapped

    found = power(**options)
    echo(json_text(found.document()) if as_json else f"{wrapped(found.conclusion)}\n{found.table}".rstrip())


def _refuse_ignored(teacher: str, base: Path | None) -> None:
    """Refuse options of a teacher's training where no teacher is trained."""
    faults = []
    trained_before = teacher.endswith(".safetensors")
    if base is not None and trained_before:  # another base is as wide as the one that is named
        faults.append(f"--base cannot be combined with --teacher {teacher}, which is trained already")
    if is_given("teacher_epochs") and (trained_before or teacher in ("base", "other-base")):
        faults.append(f"--teacher-epochs cannot be combined with --teacher {teacher}, which learns no lesson")
    InputError.gather(faults)
