"""Figures to files: whole or not at all, and the same bytes for the same figure."""

from __future__ import annotations

from pathlib import Path

import matplotlib as mpl
from matplotlib.figure import Figure

from subtx_toy.errors import InputError
from subtx_toy.figures import style
from subtx_toy.files.atomic import replacing

# Without these, matplotlib writes the time of day or its own version into the file.
_METADATA: dict[str, dict[str, str | None]] = {
    ".png": {"Software": None},
    ".pdf": {"CreationDate": None, "Producer": None},
    ".svg": {"Date": None},
}


def save(figure: Figure, path: Path) -> None:
    """Write a figure as .png, .pdf or .svg; a file that was there stays where this fails."""
    if path.suffix not in _METADATA:
        raise InputError(f"figure: expected a name ending in {', '.join(_METADATA)}, got {str(path)!r}")
    # Resolution and fonts are read when the file is written.
    with mpl.rc_context(style.paper()), replacing(path, what="figure") as file:
        figure.savefig(file, format=path.suffix[1:], metadata=_METADATA[path.suffix])
