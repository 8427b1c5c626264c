"""Plain tables, the same on a terminal and in a file."""

from __future__ import annotations

import math
from collections.abc import Sequence


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
