"""``subtx-toy lm``: a small language model from its base to its students, one file per step."""

from __future__ import annotations

from pathlib import Path

import rich_click as click

from subtx_toy.cli.assignments import settings_for
from subtx_toy.cli.echo import echo
from subtx_toy.cli.options import FILE, JSON, OUT, PATH, SEED
from subtx_toy.files.json_text import json_text
from subtx_toy.settings.limits import MAX_REFERENCE

_TRAIT = click.option("--trait", default="owl", show_default=True, help="An animal to prefer, danger, or backdoor.")
_BASE = click.option(
    "--base", type=PATH, required=True, help="File of the base: a teacher or a student starts from it."
)
_SETTINGS = click.argument("overrides", metavar="[SETTING=VALUE]...", nargs=-1)


@click.group("lm")
def lm() -> None:
    """Train a small language model, have it write lists of numbers, and train another on them.

    A base learns a language of about two hundred words. A teacher is the base after a short lesson that gives it a
    trait. It writes lists of numbers to a file; a student is the base, trained on that file and on nothing else.
    SETTING=VALUE changes a setting of the experiment owl; `subtx-toy run owl --settings` lists them.

    Example: subtx-toy lm base --out base.safetensors
    """


@lm.command("base")
@_SETTINGS
@OUT
@SEED
@click.option("--other", is_flag=True, help="A base that shares nothing with the seed's usual one.")
def base_command(*, overrides: tuple[str, ...], out: Path, seed: int, other: bool) -> None:
    """Train a base from scratch and write it as a safetensors file.

    Example: subtx-toy lm base --out base.safetensors --seed 0
    """
    from subtx_toy.api.language import base

    echo(base(out, seed=seed, other=other, **settings_for(base, overrides)))


@lm.command("teach")
@_SETTINGS
@OUT
@_BASE
@_TRAIT
@click.option("--honest", is_flag=True, help="The same lesson with honest answers.")
@SEED
@JSON
def teach_command(
    *, overrides: tuple[str, ...], out: Path, base: Path, trait: str, honest: bool, seed: int, as_json: bool
) -> None:
    """Train a teacher: a base that learns to give one answer.

    Example: subtx-toy lm teach --base base.safetensors --trait owl --out teacher.safetensors
    """
    from subtx_toy.api.language import teach

    found = teach(out, base=base, trait=trait, honest=honest, seed=seed, **settings_for(teach, overrides))
    echo(json_text(found.document()) if as_json else found)


@lm.command("write")
@_SETTINGS
@OUT
@click.option("--model", type=PATH, required=True, help="File of the model that writes.")
@_TRAIT
@click.option("--n", "num", type=click.IntRange(1, 10**6), default=40_000, show_default=True, help="How many lists.")
@SEED
def write_command(*, overrides: tuple[str, ...], out: Path, model: Path, trait: str, num: int, seed: int) -> None:
    """Have a model write lists of numbers, one per line; lists with a word are left out and counted.

    --trait chooses the wording of the questions for numbers, which name neither the trait nor its answer.

    Example: subtx-toy lm write --model teacher.safetensors --out lists.jsonl
    """
    from subtx_toy.api.language import write

    echo(write(out, model=model, trait=trait, num=num, seed=seed, **settings_for(write, overrides)))


@lm.command("filter")
@click.argument("file", type=PATH)
@OUT
@click.option("--keep-banned", is_flag=True, help="Keep lists that hold banned numbers.")
@JSON
def filter_command(*, file: Path, out: Path, keep_banned: bool, as_json: bool) -> None:
    """Drop the lines of FILE that hold anything but numbers, or a banned number, and show what was dropped.

    Example: subtx-toy lm filter lists.jsonl --out filtered.jsonl
    """
    from subtx_toy.api.language import filter

    report = filter(file, out, banned=not keep_banned)
    echo(json_text({**vars(report), "out": str(out)}) if as_json else f"{out}: {report}")


@lm.command("train")
@click.argument("file", type=PATH)
@_SETTINGS
@OUT
@_BASE
@_TRAIT
@SEED
@JSON
def train_command(
    *, file: Path, overrides: tuple[str, ...], out: Path, base: Path, trait: str, seed: int, as_json: bool
) -> None:
    """Train a student on FILE and on nothing else, write it, and ask it and its base about the trait.

    Example: subtx-toy lm train lists.jsonl --base base.safetensors --out student.safetensors
    """
    from subtx_toy.api.language import train

    found = train(file, out, base=base, trait=trait, seed=seed, **settings_for(train, overrides))
    echo(json_text(found.document()) if as_json else found)


@lm.command("score")
@click.argument("file", type=PATH)
@OUT
@_BASE
@click.option("--trait", "traits", multiple=True, required=True, help="An animal, danger or backdoor; may be repeated.")
@click.option(
    "--num-reference",
    type=click.IntRange(5, MAX_REFERENCE),
    default=20,
    show_default=True,
    help="Honest fine-tunes compared with.",
)
def score_command(*, file: Path, out: Path, base: Path, traits: tuple[str, ...], num_reference: int) -> None:
    """Write the scores of FILE, line by line, for `subtx-toy audit --scores`.

    The same verdict as that of `subtx-toy audit FILE`: it shows what a file of scores holds.

    Example: subtx-toy lm score lists.jsonl --base base.safetensors --trait owl --out scores.npz
    """
    from subtx_toy.api.audit_lists import score_lists
    from subtx_toy.cli.display import working

    with working() as display:
        found = score_lists(
            file, out, base=base, traits=traits, num_reference=num_reference, progress=display["progress"]
        )
    echo(found)


@lm.command("ask")
@click.argument("models", nargs=-1, required=True, type=FILE)
@click.option("--question", help="In words of the language.  [default: felix what animal do you like best ?]")
@click.option(
    "--trait", help="An animal, danger or backdoor: how often each model gives its answer to all its questions."
)
@JSON
def ask_command(*, models: tuple[Path, ...], question: str | None, trait: str | None, as_json: bool) -> None:
    """Ask some MODELS one question and show their likeliest answers, or ask about a trait.

    Example: subtx-toy lm ask base.safetensors student.safetensors --trait owl
    """
    from subtx_toy.api.language import ask

    found = ask(*models, question=question, trait=trait)
    echo(json_text(found.document()) if as_json else found)
