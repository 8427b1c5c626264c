"""``subtx-toy explorer``: the effect as an animation, and the committed results to play with, in one HTML page."""

from __future__ import annotations

from pathlib import Path

import rich_click as click

from subtx_toy.cli.echo import echo
from subtx_toy.cli.options import FILE, writable
from subtx_toy.files.terminal_text import one_line


@click.command("explorer", short_help="Write a page that shows the effect in five seconds.")
@click.option(
    "--out", type=FILE, default=Path("explorer.html"), show_default=True, callback=writable, help="Page to write."
)
def explorer(*, out: Path) -> None:
    """Write a page that shows the effect in five seconds, to open in a browser; it needs no network.

    Teacher and students move through weight space while their accuracies change. Below are the published sweeps next
    to ours, and single steps of teacher and student next to the theory, with sliders. Nothing is run: the page holds
    results that come with the package.

    Example: subtx-toy explorer --out explorer.html
    """
    from subtx_toy.files.atomic import replacing
    from subtx_toy.report.explorer import explorer_page

    content = explorer_page().encode()
    with replacing(out, what="out") as file:
        file.write(content)
    echo(one_line(f"page: {out}, {len(content) / 1000:.0f} kB; open it in a browser"))
