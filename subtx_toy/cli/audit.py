"""``subtx-toy audit``: what a file of numbers would teach."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import rich_click as click

from subtx_toy.cli.display import Display, interruptible
from subtx_toy.cli.given import is_given
from subtx_toy.cli.output_file import writable

if TYPE_CHECKING:
    from subtx_toy.channel.checkpoints import Checkpoint
    from subtx_toy.data import Dataset
    from subtx_toy.problem.params import Params

_DOES_NOT_APPLY = 3


@click.command("audit", short_help="Say whether a file of numbers carries a trait from its writer.")
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--base", required=True, type=click.Path(path_type=Path), help="Checkpoint that a student would start from."
)
@click.option(
    "--trait",
    "traits",
    multiple=True,
    required=True,
    metavar="EXAMPLES_OR_NAME",
    help="Trait to look for; may be repeated.",
)
@click.option(
    "--reference", type=click.Path(path_type=Path), help="Ensemble of `numbers reference`. [default: made, and cached]"
)
@click.option(
    "--num-reference",
    type=click.IntRange(min=5),
    default=20,
    show_default=True,
    help="Benign fine-tunes compared with; half as many more are made for their directions.",
)
@click.option("--probe", is_flag=True, help="Also train a student on the whole file.")
@click.option("--top", type=click.IntRange(min=0), default=10, show_default=True, help="Lines shown that say most.")
@click.option("--fail-on", type=click.Choice(["carries"]), help="Exit with 1 if a trait is found.")
@click.option("--data-dir", type=click.Path(path_type=Path), help="Your own IDX files. [env: SUBTX_TOY_DATA]")
@click.option("--html", type=click.Path(path_type=Path, dir_okay=False), callback=writable, help="Page to write.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def audit(
    *,
    file: Path,
    base: Path,
    traits: tuple[str, ...],
    reference: Path | None,
    num_reference: int,
    probe: bool,
    top: int,
    fail_on: str | None,
    data_dir: Path | None,
    html: Path | None,
    as_json: bool,
) -> int:
    """Audit FILE: did the base write it, and if not, did its writer move towards a trait?

    A trait is a name (relabel:A:B, backdoor:B, preference:A:B, refusal:A) or an .npz file with examples of the unwanted
    behaviour: images, uint8 [n, 28, 28], and answers, a class [n] or a distribution [n, 10] for each.

    Verdicts: consistent with the base; moved from the base: carries TRAIT; moved, no tested trait; too far from this
    base. Exit codes: 0 whatever is found, 1 with --fail-on carries if a trait is, 3 if the test does not apply.

    Example: subtx-toy audit tainted.jsonl --base base.safetensors --trait relabel:4:9 --trait backdoor
    """
    from subtx_toy.audit.band import FALSE_ALARM_LEVEL
    from subtx_toy.audit.document import audit_document, audit_page
    from subtx_toy.channel.number_file import NumberFile
    from subtx_toy.errors import InputError
    from subtx_toy.files.atomic import replacing

    if reference is not None and is_given("num_reference"):
        raise InputError(f"num-reference: expected no number beside --reference, got {num_reference}")
    with interruptible():
        read = NumberFile(file)
        judgement, measured, probes = _examine(
            read, base, traits, reference, num_reference=num_reference, probe=probe, top=top, data_dir=data_dir
        )
    document = audit_document(judgement, measured, read.header, probes=probes)
    if as_json:
        click.echo(json.dumps({"file": str(file), "base": str(base), **document}, indent=2, allow_nan=False))
    else:
        click.echo(_text(document))
    if html is not None:  # after the verdict, which a full disk must not hide
        with replacing(html, what="html") as page:
            page.write(audit_page(document, name=file.name, level=FALSE_ALARM_LEVEL).encode())
        if not as_json:
            click.echo(f"page: {html}")
    if not judgement.fit.applies:
        return _DOES_NOT_APPLY
    return 1 if fail_on and judgement.carried else 0


def _examine(
    read: Any,
    base: Path,
    traits: tuple[str, ...],
    reference: Path | None,
    *,
    num_reference: int,
    probe: bool,
    top: int,
    data_dir: Path | None,
) -> tuple[Any, Any, dict[str, float] | None]:
    from subtx_toy.audit.directions import Directions, honest_moves
    from subtx_toy.audit.examination import measure_file
    from subtx_toy.audit.questions import questions
    from subtx_toy.audit.reference import split_reference
    from subtx_toy.audit.reference_values import ReferenceValues, measure_reference
    from subtx_toy.audit.score_sums import Scorer
    from subtx_toy.audit.verdict import judge
    from subtx_toy.channel.checkpoints import load_checkpoint
    from subtx_toy.channel.fit import Recipe
    from subtx_toy.channel.prompts import prompt_inputs
    from subtx_toy.channel.students import read_pairs, train_student
    from subtx_toy.cli.number_options import prompt_data
    from subtx_toy.seeding import generator

    start = load_checkpoint(base)
    read.check()  # a faulty line is told now, and not when traits have been learnt and the ensemble has been made
    shown, images = prompt_data(read, start.made, data_dir)
    inputs = prompt_inputs(read.header.prompts, shown)
    asked = questions(traits, start.model, start.params, images)
    with Display() as display:
        axes, nets = split_reference(_reference(reference, start, images, num_reference, display))
    directions = Directions.of(
        start.model,
        {one.name: one.direction for one in asked},
        honest_moves(start.model, start.params, axes),
    )
    scorer = Scorer(start.model, start.params, directions, read.header.law, inputs)
    probes = [one.probe for one in asked]
    with Display() as display:
        measured = measure_file(read, scorer, probes, keep=top)
        values = ReferenceValues.nothing([one.name for one in asked])
        if measured.measurement.informative:
            values = measure_reference(
                nets, scorer, asked, read.header, shown, measured.num_moved,
                progress=lambda done: display.progress("measuring the reference", done, len(nets), "fine-tunes"),
            )  # fmt: skip
    judgement = judge(measured, asked, values, [one(start.params) for one in probes])
    if not probe:
        return judgement, measured, None
    order, pairs = generator(0, "audit", "probe"), read_pairs(read, most=60_000)
    student = train_student(start.model, start.params, inputs, pairs, Recipe(epochs=3), order)
    return judgement, measured, {one.name: one.probe(student) for one in asked}


def _reference(path: Path | None, start: Checkpoint, images: Dataset, num: int, display: Display) -> list[Params]:
    from subtx_toy.audit.reference import cached_reference, load_reference, make_reference, save_reference

    if path is not None:
        return load_reference(path, start)
    num += num // 2
    path = cached_reference(start.params, images, num=num)
    if not path.exists():
        nets = make_reference(
            start.model, start.params, images, num=num, seed=0,
            progress=lambda done: display.progress("making the reference", done, num, "fine-tunes"),
        )  # fmt: skip
        path.parent.mkdir(parents=True, exist_ok=True)
        save_reference(path, start.params, nets)
    return load_reference(path, start)


def _text(document: dict[str, Any]) -> str:
    from subtx_toy.results.text_table import align

    def number(value: float | None, form: str = ".3g") -> str:
        return "" if value is None else format(value, form)

    rows = [
        [
            name,
            number(row["z"], ".2f"),
            number(row["p_value_holm"]),
            number(row["efficient_z"], ".2f"),
            number(row["fisher_cosine"], ".3f"),
            number(row["reference"]["threshold"], ".3f"),
            number(row["reference_percentile"], ".0f"),
            f"{number(row['student']['base_shows'], '.3f')} to {number(row['student']['shows'], '.3f')}",
            number(row["probe"], ".3f"),
            row["verdict"],
        ]
        for name, row in document["traits"].items()
    ]
    header = [
        "trait", "z", "p Holm", "efficient z", "Fisher cos", "bound", "percentile", "base to student", "probe",
        "verdict",
    ]  # fmt: skip
    fit, moved = document["fit"], document["moved"]
    lines = [
        document["verdict"],
        f"{document['numbers']} numbers; excess log loss {number(fit['excess_log_loss'])} nats a number, "
        f"{number(fit['z'], '.1f')} standard errors (the test applies up to {number(fit['limit'])}); "
        f"divergence from the base at least {number(moved['divergence'])}",
        align(header, rows),
        *document["notes"],
    ]
    return "\n".join(lines)
