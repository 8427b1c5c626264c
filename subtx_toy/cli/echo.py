"""The one way in which a command prints text."""

from __future__ import annotations

import rich_click as click

from subtx_toy.files.terminal_text import terminal_text


def echo(message: object, *, err: bool = False, nl: bool = True) -> None:
    """Print a text to stdout, or to stderr; names and error texts in it cannot steer the terminal."""
    click.echo(terminal_text(str(message)), err=err, nl=nl)
