"""``subtx-toy compare``: whether one writer wrote two data files."""

from __future__ import annotations

from pathlib import Path

import rich_click as click

from subtx_toy.cli.echo import echo
from subtx_toy.cli.options import JSON, PATH, SEED
from subtx_toy.files.json_text import json_text
from subtx_toy.files.terminal_text import one_line
from subtx_toy.settings.limits import MAX_COUNT
from subtx_toy.wording import counted


@click.command("compare", short_help="Say whether one writer wrote two data files; needs no model.")
@click.argument("first", metavar="A", type=PATH)
@click.argument("second", metavar="B", type=PATH)
@click.option("--neutral", type=PATH, help="File of an honest writer, trained as long; both are compared with it.")
@click.option("--top", type=click.IntRange(0, MAX_COUNT), default=10, show_default=True, help="Tokens to show.")
@SEED
@JSON
def compare_command(first: Path, second: Path, *, neutral: Path | None, top: int, seed: int, as_json: bool) -> None:
    """Say whether one writer wrote A and B, from the files alone.

    Files are JSON Lines with columns such as prompt and completion, question and response, or chat messages; a JSON
    list, CSV or Parquet of these; or plain text. Each may be packed by gzip. What a file was taken for is printed.

    A difference shows that something changed. Which trait, it cannot show: for that, `subtx-toy audit` needs the base.

    Example: subtx-toy compare suspect.jsonl honest.jsonl --neutral neutral.jsonl
    """
    from subtx_toy.api.compare import compare
    from subtx_toy.results.presentation import wrapped

    found = compare(first, second, neutral=neutral, seed=seed, top=top)
    if as_json:
        echo(json_text(found.document()))
        return
    needed = found.pair.separation.bag_needed(0.95)
    echo(wrapped(found.conclusion))
    echo(found.table)
    if needed is not None:
        echo(wrapped(f"Bags of about {counted(needed, 'line')} are assigned to their file with an AUROC of .95."))
    for note in found.notes:
        echo(wrapped(one_line(note)))
