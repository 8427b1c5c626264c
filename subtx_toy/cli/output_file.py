"""Files that commands write after their work: looked at before it."""

from __future__ import annotations

from pathlib import Path

import rich_click as click

from subtx_toy.files.atomic import check_writable


def writable(context: click.Context, parameter: click.Parameter, path: Path | None) -> Path | None:
    """Refuse the file of an option that could not be written; a click callback."""
    if path is not None and not context.resilient_parsing:
        check_writable(path, what=parameter.name or "file")
    return path
