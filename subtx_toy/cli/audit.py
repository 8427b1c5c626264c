"""``subtx-toy audit``: what a file of numbers would teach."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import rich_click as click

from subtx_toy.cli.display import working
from subtx_toy.cli.echo import echo
from subtx_toy.cli.options import DATA_DIR, FILE, JSON, PATH, is_given, writable
from subtx_toy.errors import InputError
from subtx_toy.files.atomic import check_not_read
from subtx_toy.files.json_text import json_text
from subtx_toy.settings.limits import MAX_COUNT, MAX_REFERENCE

_DOES_NOT_APPLY = 3


@click.command("audit", short_help="Say whether a file of numbers carries a trait from its writer.")
@click.argument("file", type=PATH)
@click.option("--base", required=True, type=PATH, help="Checkpoint that a student would start from.")
@click.option(
    "--trait",
    "traits",
    multiple=True,
    required=True,
    metavar="EXAMPLES_OR_NAME",
    help="Trait to look for; may be repeated.",
)
@click.option("--reference", type=PATH, help="Ensemble of `numbers reference`. [default: made, and cached]")
@click.option(
    "--num-reference",
    type=click.IntRange(5, MAX_REFERENCE),
    default=20,
    show_default=True,
    help="Benign fine-tunes compared with; half as many more are made for their directions.",
)
@click.option("--probe", is_flag=True, help="Also train a student on the whole file.")
@click.option(
    "--top", type=click.IntRange(0, MAX_COUNT), default=10, show_default=True, help="Lines shown that say most."
)
@click.option("--fail-on", type=click.Choice(["carries"]), help="Exit with 1 if a trait is found.")
@DATA_DIR
@click.option("--html", type=FILE, callback=writable, help="Page to write.")
@JSON
def audit(*, fail_on: str | None, html: Path | None, as_json: bool, **options: Any) -> int:
    """Audit FILE: did the base write it, and if not, did its writer move towards a trait?

    A trait is a name (relabel:A:B, backdoor:B, preference:A:B, refusal:A), a Trait of your own (file.py:name) or an
    .npz file with examples of the unwanted behaviour: images, uint8 [n, 28, 28], and answers, a class [n] or a
    distribution [n, 10] for each.

    Verdicts: consistent with the base; moved from the base: carries TRAIT; moved, no tested trait; too far from this
    base. Exit codes: 0 whatever is found, 1 with --fail-on carries if a trait is, 3 if the test does not apply.

    Example: subtx-toy audit tainted.jsonl --base base.safetensors --trait relabel:4:9 --trait backdoor
    """
    from subtx_toy.api.audit import audit as audit_file

    if options["reference"] is not None and is_given("num_reference"):
        raise InputError("--num-reference cannot be combined with --reference")
    if html is not None:
        check_not_read(html, (*options["traits"], options["file"], options["base"], options["reference"]), what="html")
    with working() as display:
        found = audit_file(**options, **display)
    echo(json_text(found.document()) if as_json else found)
    if html is not None:  # after the verdict, which a full disk must not hide
        found.save_page(html)
        if not as_json:
            echo(f"page: {html}")
    if not found.applies:
        return _DOES_NOT_APPLY
    return 1 if fail_on and found.carried else 0
