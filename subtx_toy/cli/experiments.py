"""``subtx-toy list``: the packaged experiments; and their names where a shell completes them."""

from __future__ import annotations

import rich_click as click
from click.shell_completion import CompletionItem

from subtx_toy.cli.echo import echo
from subtx_toy.cli.options import JSON
from subtx_toy.files.json_text import json_text


def complete_experiment(_context: click.Context, _parameter: click.Parameter, typed: str) -> list[CompletionItem]:
    """Return the experiments whose names begin with what was typed, else the files."""
    from subtx_toy.settings.packaged import experiments

    found = [CompletionItem(one.name, help=one.question) for one in experiments() if one.name.startswith(typed)]
    return found or [CompletionItem(typed, type="file")]


@click.command("list", short_help="List the packaged experiments: question, minutes, source.")
@JSON
def list_command(*, as_json: bool) -> None:
    """List the packaged experiments: name, minutes of a full run on two cores, question, published source.

    Every one of them has a quick version that takes seconds: `subtx-toy run NAME --quick`.

    Example: subtx-toy list
    """
    from subtx_toy.results.presentation import align, wrapped
    from subtx_toy.settings.packaged import experiments

    found = experiments()
    if as_json:
        echo(json_text({"experiments": [one._asdict() for one in found]}))
        return
    echo(
        wrapped(
            f"{len(found)} experiments. `subtx-toy run NAME` takes the minutes given, on two cores; "
            f"`subtx-toy run NAME --quick` answers in seconds, on drawn digits."
        )
    )
    rows = []
    for one in found:
        minutes = "" if one.minutes is None else f"{one.minutes:g}"
        source = "" if one.source is None else f" [{one.source.partition(',')[0]}]"
        rows.append([one.name, minutes, one.question + source])
    echo(align(["name", "minutes", "question [source]"], rows))
