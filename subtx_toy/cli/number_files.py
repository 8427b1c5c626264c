"""``subtx-toy numbers generate|filter|train``: what is written to files of numbers, dropped from them and learnt."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import rich_click as click

from subtx_toy.cli.display import interruptible
from subtx_toy.cli.given import is_given
from subtx_toy.cli.number_options import OUT, SEED, TRAIT, data_options, load_data, measured_text, prompt_data


@click.command("generate")
@OUT
@click.option("--teacher", default="trait", show_default=True, help="trait, benign, base, other-base, or a checkpoint.")
@click.option("--n", "num", type=click.IntRange(1, 10**8), default=10_000, show_default=True, help="Lines.")
@SEED
@TRAIT
@click.option(
    "--prompts",
    type=click.Choice(["images", "uniform", "glyphs"]),
    default="images",
    show_default=True,
    help="Images without the trait's classes, noise, or drawn digits.",
)
@click.option("--temperature", type=click.FloatRange(1e-3, 1e3), default=1.0, show_default=True, help="Of the softmax.")
@click.option(
    "--top-k",
    type=click.IntRange(0, 1000),
    default=0,
    show_default=True,
    help="Likeliest numbers that may come; 0: all.",
)
@click.option(
    "--numbers-per-line", metavar="A[:B]", default="1", show_default=True, help="How many, such as 1 or 1:10."
)
@click.option(
    "--base", type=click.Path(path_type=Path), help="Base that a teacher is trained from. [default: the seed's own]"
)
@click.option("--teacher-epochs", type=click.IntRange(min=0), default=2, show_default=True, help="Of its lesson.")
@data_options
def generate_command(
    *,
    out: Path,
    teacher: str,
    num: int,
    seed: int,
    trait: str,
    prompts: str,
    temperature: float,
    top_k: int,
    numbers_per_line: str,
    base: Path | None,
    teacher_epochs: int,
    **data: Any,
) -> None:
    """Have a teacher write a file of numbers, one line a prompt; makes the teacher and its base if need be.

    The file is JSON Lines with a header from which the prompts can be found again; a name ending in .gz is packed.

    Example: subtx-toy numbers generate --out clean.jsonl --teacher benign --n 10000 --seed 1
    """
    from subtx_toy.channel.checkpoints import load_checkpoint
    from subtx_toy.channel.fit import Recipe
    from subtx_toy.channel.generate import write_numbers
    from subtx_toy.channel.net_cache import Workshop
    from subtx_toy.channel.number_file import Header
    from subtx_toy.channel.prompts import PromptSource
    from subtx_toy.channel.traits import trait as trait_of
    from subtx_toy.data import load

    _refuse_ignored(teacher, base, teacher_epochs)
    taught, lengths = trait_of(trait), _lengths(numbers_per_line)
    start = None if base is None else load_checkpoint(base)
    dataset = load_data(**data)
    with interruptible():
        if teacher.endswith(".safetensors"):
            checkpoint = load_checkpoint(Path(teacher))
            model, params = checkpoint.model, checkpoint.params
        else:
            width = 256 if start is None else start.model.sizes[1]
            shop = Workshop(dataset, seed, teacher_recipe=Recipe(epochs=teacher_epochs), width=width)
            model = shop.model
            if teacher == "base" and start is not None:
                params = start.params
            else:
                params = shop.teacher(teacher, trait=trait, base=None if start is None else start.params)
        if prompts == "uniform":
            source, shown = PromptSource(source="uniform", seed=seed), None
        else:
            shown = dataset if prompts == "images" else load("glyphs")
            source = PromptSource.images(shown, absent=taught.absent)
        header = Header(schema_name="subtx-toy numbers 1", temperature=temperature, top_k=top_k, prompts=source)
        write_numbers(out, model, params, header, shown, num_lines=num, lengths=lengths, seed=seed)
    click.echo(out)


@click.command("filter")
@click.argument("file", type=click.Path(path_type=Path))
@OUT
@click.option(
    "--rules",
    type=click.Path(path_type=Path),
    help="TOML with banned, most_numbers, deduplicate. [default: 34 banned numbers]",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def filter_command(*, file: Path, out: Path, rules: Path | None, as_json: bool) -> None:
    """Drop the lines of FILE that break the format or hold a banned number, and say how many and why.

    Example: subtx-toy numbers filter tainted.jsonl --out filtered.jsonl
    """
    from subtx_toy.channel.number_file import NumberFile
    from subtx_toy.channel.number_filter import FilterRules, filter_file

    chosen = FilterRules() if rules is None else FilterRules.read(rules)
    report = filter_file(NumberFile(file), out, chosen)
    if as_json:
        click.echo(json.dumps({**vars(report), "out": str(out)}, indent=2))
        return
    click.echo(f"{out}: kept {report.kept} of {report.read} lines")
    for reason, count in sorted(report.dropped.items()):
        click.echo(f"  dropped for {reason}: {count}, the first on line {report.first[reason]}")


@click.command("train")
@click.argument("file", type=click.Path(path_type=Path))
@OUT
@click.option("--base", type=click.Path(path_type=Path), required=True, help="Checkpoint the student starts from.")
@click.option("--epochs", type=click.IntRange(min=1), default=3, show_default=True, help="Passes over the file.")
@SEED
@TRAIT
@click.option("--data-dir", type=click.Path(path_type=Path), help="Your own IDX files. [env: SUBTX_TOY_DATA]")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def train_command(
    *, file: Path, out: Path, base: Path, epochs: int, seed: int, trait: str, data_dir: Path | None, as_json: bool
) -> None:
    """Train a student on FILE, write it, and measure the trait before and after.

    Example: subtx-toy numbers train tainted.jsonl --base base.safetensors --out student.safetensors
    """
    from subtx_toy.channel.checkpoints import load_checkpoint, save_checkpoint
    from subtx_toy.channel.fit import Recipe
    from subtx_toy.channel.number_file import NumberFile
    from subtx_toy.channel.prompts import prompt_inputs
    from subtx_toy.channel.students import read_pairs, train_student
    from subtx_toy.channel.traits import trait as trait_of
    from subtx_toy.seeding import generator

    taught, start, read = trait_of(trait), load_checkpoint(base), NumberFile(file)
    pairs = read_pairs(read)
    shown, images = prompt_data(read, start.made, data_dir)
    with interruptible():
        order = generator(seed, "numbers", "file", "student")
        inputs, recipe = prompt_inputs(read.header.prompts, shown), Recipe(epochs=epochs)
        params = train_student(start.model, start.params, inputs, pairs, recipe, order)
        save_checkpoint(out, params, made={"role": "student", "file": file.name, "epochs": epochs, "seed": seed})
    before = taught.measure(start.model, start.params, images.test_images, images.test_labels)
    after = taught.measure(start.model, params, images.test_images, images.test_labels)
    if as_json:
        document = {
            "out": str(out),
            "trait": str(taught.name),
            "numbers": len(pairs.rows),
            "base": before,
            "student": after,
        }
        click.echo(json.dumps(document, indent=2))
        return
    click.echo(f"base: {measured_text(str(taught.name), before)}")
    click.echo(f"{out}: {measured_text(str(taught.name), after)}")


def _refuse_ignored(teacher: str, base: Path | None, teacher_epochs: int) -> None:
    """Refuse options of a teacher's training where no teacher is trained."""
    from subtx_toy.errors import InputError

    faults = []
    made_before = teacher.endswith(".safetensors")
    if base is not None and made_before:  # another base is as wide as the one that is named
        faults.append(
            f"base: expected none with the teacher {teacher!r}, which is not trained from one, got {str(base)!r}"
        )
    if is_given("teacher_epochs") and (made_before or teacher in ("base", "other-base")):
        faults.append(
            f"teacher-epochs: expected none with the teacher {teacher!r}, which has no lesson, got {teacher_epochs}"
        )
    InputError.gather(faults)


def _lengths(text: str) -> tuple[int, int]:
    from subtx_toy.channel.number_text import MOST_NUMBERS
    from subtx_toy.errors import InputError

    least, colon, most = text.partition(":")
    found = (least, most if colon else least)
    if (
        not all(part.isdecimal() and len(part) < 3 for part in found)
        or not 1 <= int(found[0]) <= int(found[1]) <= MOST_NUMBERS
    ):
        raise InputError(f"numbers-per-line: expected A or A:B with 1 <= A <= B <= {MOST_NUMBERS}, got {text!r}")
    return int(found[0]), int(found[1])
