"""Where the scripts write: into the folder of ``--out``, which has no default, so that no checkout is written into."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from matplotlib.figure import Figure

from subtx_toy.figures.style import save

FORMATS = ("png", "svg", "pdf")


def parser(description: str | None) -> argparse.ArgumentParser:
    """Return a parser with the options that all scripts share."""
    found = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    found.add_argument("--out", type=Path, required=True, metavar="FOLDER", help="where the pictures are written")
    found.add_argument(
        "--formats", type=_formats, default=FORMATS[:2], metavar="png,svg,pdf", help="[default: png,svg]"
    )
    return found


def _formats(text: str) -> Sequence[str]:
    names = text.split(",")
    unknown = [name for name in names if name not in FORMATS]
    if unknown:
        raise argparse.ArgumentTypeError(f"expected some of {','.join(FORMATS)}, got {unknown[0]!r}")
    return names


def write(figure: Figure, name: str, options: argparse.Namespace) -> None:
    """Write one figure in every format asked for, and print the files."""
    options.out.mkdir(parents=True, exist_ok=True)
    for ending in options.formats:
        target = options.out / f"{name}.{ending}"
        save(figure, target)
        print(target)
