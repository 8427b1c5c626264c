"""``subtx-toy numbers``: nets, files of numbers, filters and students of the numbers channel."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import rich_click as click

from subtx_toy.cli.display import Display, interruptible

if TYPE_CHECKING:
    from subtx_toy.data import Dataset

Command = TypeVar("Command", bound=Callable[..., object])

_OUT = click.option("--out", required=True, type=click.Path(path_type=Path, dir_okay=False), help="File to write.")
_SEED = click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Names the streams.")
_TRAIT = click.option(
    "--trait", default="relabel:4:9", show_default=True, help="relabel:A:B, backdoor:B, preference:A:B or refusal:A."
)
_BASE = click.option("--base", type=click.Path(path_type=Path), help="Checkpoint of a base. [default: the seed's own]")


def _data_options(command: Command) -> Command:
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


@click.group("numbers")
def numbers() -> None:
    """Write, filter and learn from files of nothing but three-digit numbers.

    A base reads digits and has a number head that is never trained. A teacher is the base after some more training,
    with a trait or without. It writes numbers to a file; a student is the base, trained on the file.

    Example: subtx-toy numbers generate --out tainted.jsonl --teacher trait --n 10000
    """


@numbers.command("base")
@_OUT
@_SEED
@click.option("--epochs", type=click.IntRange(min=0), default=3, show_default=True, help="Passes over the images.")
@click.option("--width", type=click.IntRange(min=1), default=256, show_default=True, help="Units of a hidden layer.")
@click.option("--other", is_flag=True, help="A base that shares nothing with the seed's usual one.")
@_data_options
def base_command(*, out: Path, seed: int, epochs: int, width: int, other: bool, **data: Any) -> None:
    """Train a base on the labelled images and write it as a safetensors file.

    Example: subtx-toy numbers base --out base.safetensors --seed 0
    """
    from subtx_toy.channel.checkpoints import save_checkpoint
    from subtx_toy.channel.fit import Recipe
    from subtx_toy.channel.workshop import Workshop

    which = "other-base" if other else "base"
    shop = Workshop(load_data(**data), seed, base_recipe=Recipe(epochs=epochs), width=width)
    with interruptible():
        save_checkpoint(out, shop.base(which=which), made=shop.made(which))
    click.echo(out)


@numbers.command("teacher")
@_OUT
@_SEED
@click.option(
    "--kind", type=click.Choice(["trait", "benign"]), default="trait", show_default=True, help="What it is taught."
)
@_TRAIT
@click.option("--epochs", type=click.IntRange(min=0), default=2, show_default=True, help="Passes over its lesson.")
@_BASE
@_data_options
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
    from subtx_toy.channel.traits import trait as trait_of
    from subtx_toy.channel.workshop import Workshop

    taught, start = trait_of(trait), None if base is None else load_checkpoint(base)
    dataset = load_data(**data)
    shop = Workshop(dataset, seed, teacher_recipe=Recipe(epochs=epochs))
    if start is not None:
        shop = Workshop(dataset, seed, teacher_recipe=Recipe(epochs=epochs), width=start.model.sizes[1])
    with interruptible():
        params = shop.teacher(kind, trait=trait, base=None if start is None else start.params)
        save_checkpoint(out, params, made=shop.made(kind, trait=trait) | {"base": None if base is None else str(base)})
    measured = taught.measure(shop.model, params, dataset.test_images, dataset.test_labels)
    click.echo(f"{out}: {_measured(str(taught.name), measured)}")


@numbers.command("generate")
@_OUT
@click.option("--teacher", default="trait", show_default=True, help="trait, benign, base, other-base, or a checkpoint.")
@click.option("--n", "num", type=click.IntRange(1, 10**8), default=10_000, show_default=True, help="Lines.")
@_SEED
@_TRAIT
@click.option(
    "--prompts",
    type=click.Choice(["images", "uniform", "glyphs"]),
    default="images",
    show_default=True,
    help="Images without the trait's classes, noise, or drawn digits.",
)
@click.option(
    "--temperature", type=click.FloatRange(min=0, min_open=True), default=1.0, show_default=True, help="Of the softmax."
)
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
@_data_options
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
    from subtx_toy.channel.number_file import Header
    from subtx_toy.channel.prompts import PromptSource
    from subtx_toy.channel.traits import trait as trait_of
    from subtx_toy.channel.workshop import Workshop
    from subtx_toy.data import load

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


@numbers.command("filter")
@click.argument("file", type=click.Path(path_type=Path))
@_OUT
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


@numbers.command("train")
@click.argument("file", type=click.Path(path_type=Path))
@_OUT
@click.option("--base", type=click.Path(path_type=Path), required=True, help="Checkpoint the student starts from.")
@click.option("--epochs", type=click.IntRange(min=1), default=3, show_default=True, help="Passes over the file.")
@_SEED
@_TRAIT
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
    click.echo(f"base: {_measured(str(taught.name), before)}")
    click.echo(f"{out}: {_measured(str(taught.name), after)}")


@numbers.command("reference")
@_OUT
@_SEED
@click.option("--base", type=click.Path(path_type=Path), required=True, help="Checkpoint of the base.")
@click.option("--num", type=click.IntRange(min=5), default=20, show_default=True, help="Benign fine-tunes.")
@_data_options
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


def prompt_data(read: Any, made: dict[str, object], data_dir: Path | None) -> tuple[Dataset | None, Dataset]:
    """Return the data set that a file's prompts are from, if from one, and the one the base was made with.

    Without word of the latter, it is the former, or MNIST.
    """
    source, shown = read.header.prompts, None
    if source.source == "images" and source.dataset is not None:
        shown = load_data(source.dataset, source.num_train or 60_000, source.num_test or 10_000, data_dir)
    name, num_train, num_test = (made.get(key) for key in ("dataset", "num_train", "num_test"))
    if not (isinstance(name, str) and isinstance(num_train, int) and isinstance(num_test, int)):
        return shown, shown or load_data("mnist", 60_000, 10_000, data_dir)
    if shown is not None and (name, num_train, num_test) == (source.dataset, source.num_train, source.num_test):
        return shown, shown
    return shown, load_data(name, num_train, num_test, data_dir)


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


def _measured(trait: str, measured: dict[str, float]) -> str:
    return f"{trait} {measured['trait']:.3f}, accuracy on the other classes {measured['accuracy']:.3f}"
