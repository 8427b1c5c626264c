"""What a run shows: plain tables for people, and a document for programs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from subtx_toy.files.content_key import finite
from subtx_toy.stats import Estimate
from subtx_toy.store.record import RunRecord


def align(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Lay out columns two spaces apart: the first and the last to the left, the others to the right.

    >>> print(align(["arm", "mean", "verdict"], [["teacher", "0.94", "agrees"]]))
    arm      mean  verdict
    teacher  0.94  agrees
    """
    widths = [max(map(len, column)) for column in zip(header, *rows, strict=True)]
    lines = []
    for row in (header, *rows):
        cells = [
            cell.ljust(width) if at in (0, len(row) - 1) else cell.rjust(width)
            for at, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)


def unless_nan(value: float, digits: str) -> str:
    """Write a number, or nothing for nan.

    >>> unless_nan(1.234, "+.2f"), unless_nan(float("nan"), "+.2f")
    ('+1.23', '')
    """
    return "" if math.isnan(value) else f"{value:{digits}}"


def clock(seconds: float) -> str:
    """Write a duration.

    >>> clock(5.0), clock(3725.0)
    ('0:05', '1:02:05')
    """
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


@dataclass(frozen=True)
class Table:
    """A header and rows of texts, all of one length."""

    header: Sequence[str]
    rows: Sequence[Sequence[str]]


@dataclass(frozen=True)
class Presentation:
    """The results of one experiment, ready to be shown.

    Attributes:
        heading: lines above the tables.
        tables: one after another.
        notes: lines below them.
        document: the same as JSON values.
    """

    heading: Sequence[str]
    tables: Sequence[Table]
    notes: Sequence[str]
    document: dict[str, Any]

    @property
    def text(self) -> str:
        """Everything as plain text."""
        return "\n".join([*self.heading, *(align(table.header, table.rows) for table in self.tables), *self.notes])


def diverged_notes(records: Sequence[RunRecord]) -> list[str]:
    """Say in a line how many trials of each arm diverged, and in which epochs; nothing if none did."""
    epochs: dict[str, list[int]] = {}
    for record in records:
        for arm, epoch in record.diverged.items():
            epochs.setdefault(arm, []).append(epoch)
    if not epochs:
        return []
    found = []
    for arm, those in epochs.items():
        last = f" to {max(those)}" if max(those) > min(those) else ""
        found.append(f"{arm} {len(those)} of {len(records)} (epoch {min(those)}{last})")
    return [f"diverged, and not in the means: {', '.join(found)}"]


def half_width(value: Estimate, digits: str) -> str:
    """Write the half-width of a 95 % interval; nothing where one seed gives none."""
    half = unless_nan(value.ci95, digits)
    return half and f"±{half}"


def mean_document(value: Estimate) -> dict[str, Any]:
    """Return what a document says of a mean; ``ci95`` is the half-width of its interval."""
    return {"mean": finite(value.mean), "ci95": finite(value.ci95), "n": value.n}
