"""The one way in which a command prints text."""

from __future__ import annotations

import time

import rich_click as click

from subtx_toy.files.terminal_text import terminal_text


def echo(message: object, *, err: bool = False, nl: bool = True) -> None:
    """Print a text to stdout, or to stderr; names and error texts in it cannot steer the terminal."""
    click.echo(terminal_text(str(message)), err=err, nl=nl)


def moment(seconds: float) -> str:
    """Write a time since 1970, of this machine's clock."""
    try:
        return time.strftime("%Y-%m-%d %H:%M", time.localtime(seconds))
    except (ValueError, OverflowError, OSError):  # not finite, or beyond what the system counts
        return "unknown"
