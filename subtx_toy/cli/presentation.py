"""What a run shows: a table for people, a document for programs, and a figure on demand."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from pathlib import Path


class Presentation(NamedTuple):
    """The results of one experiment, ready to be shown; ``document`` holds JSON values, ``draw`` writes the figure."""

    table: str
    document: dict[str, Any]
    draw: Callable[[Path], None]
