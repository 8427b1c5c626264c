"""The base that comes with the package: a small reader of drawn digits, under the name ``packaged``.

``experiments/studies/packaged_base.py`` trained it and its benign fine-tunes, and wrote the files of FOLDER.
"""

from __future__ import annotations

from pathlib import Path

from subtx_toy.channel.checkpoints import Checkpoint, load_checkpoint

PACKAGED = "packaged"
"""The word in the place of a base's file; a file of that very name is given by its whole path."""

FOLDER = Path(__file__).parent / "packaged"
"""Where the package keeps the base and the benign fine-tunes that audits compare with."""


def base_file(base: Path | str) -> Path:
    """Return the file of a base, which for ``packaged`` is the package's own.

    >>> base_file("packaged") == FOLDER / "base.safetensors", base_file("mine.safetensors").name
    (True, 'mine.safetensors')
    """
    return FOLDER / "base.safetensors" if str(base) == PACKAGED else Path(base)


def load_base(base: Path | str) -> Checkpoint:
    """Read a base, from a file or from the package."""
    return load_checkpoint(base_file(base))
