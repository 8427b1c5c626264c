"""What a run shows: plain tables for people, and a document for programs."""

from __future__ import annotations

import itertools
import math
import shutil
import sys
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from subtx_toy.files.content_key import finite
from subtx_toy.files.terminal_text import one_line
from subtx_toy.stats import Estimate
from subtx_toy.store.record import RunRecord


def terminal_width() -> int | None:
    """Return the columns of the terminal that prints; None where the output goes elsewhere."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def wrapped(text: str, *, width: int | None = None, indent: int = 0) -> str:
    """Break the lines of a text between words at the terminal's width, or at ``width``.

    What does not fit goes on ``indent`` columns from the left, in a line of its own.

    >>> print(wrapped("one  two three", width=9, indent=5))
    one  two
         three
    """
    width = width or terminal_width()
    if width is None:
        return text
    return "\n".join(part for line in text.split("\n") for part in _broken(line, width, indent=indent))


def _broken(text: str, width: int, *, indent: int = 0) -> list[str]:
    """Break one line between words only, so that paths and links stay whole."""
    parts = textwrap.wrap(
        text, max(width, 1), break_long_words=False, break_on_hyphens=False, subsequent_indent=" " * indent
    )
    return parts or [""]


_LAST_WIDTH = 20  # of the last column, at least, before the headers are broken too


def align(header: Sequence[str], rows: Sequence[Sequence[str]], *, width: int | None = None) -> str:
    """Lay out columns two spaces apart: the first and the last to the left, the others to the right.

    Columns without any content are left out. Where the lines do not fit into ``width``, by default the terminal's, the
    headers and the last column are broken between words, and then the first.

    >>> print(align(["arm", "mean", "p", "verdict"], [["teacher", "0.94", "", "agrees"]]))
    arm      mean  verdict
    teacher  0.94  agrees
    """
    kept = [at for at in range(len(header)) if at == 0 or not rows or any(row[at] for row in rows)]
    titles, *body = ([one_line(row[at]) for at in kept] for row in (header, *rows))
    widths = [max(map(len, column)) for column in zip(titles, *body, strict=True)]
    limit = width or terminal_width()
    if limit is not None and len(titles) > 1:
        rest = sum(widths[:-1]) + 2 * len(widths[:-1])
        if rest + min(widths[-1], _LAST_WIDTH) > limit:
            narrow = [max(map(len, column)) for column in zip(*body, strict=True)] if body else [0] * len(titles)
            words = [max(map(len, title.split()), default=0) for title in titles]
            widths[:-1] = [max(pair) for pair in zip(narrow[:-1], words[:-1], strict=True)]
            rest = sum(widths[:-1]) + 2 * len(widths[:-1])
        longest = max(len(word) for row in (titles, *body) for word in row[-1].split() or [""])
        if (over := rest + min(widths[-1], max(_LAST_WIDTH, longest)) - limit) > 0:
            name = max(len(word) for row in (titles, *body) for word in row[0].split() or [""])
            less = min(over, max(widths[0] - name, 0))
            widths[0], rest = widths[0] - less, rest - less
        widths[-1] = min(widths[-1], max(limit - rest, longest))
    lines = []
    for row in (titles, *body):
        cells = [[cell] if len(cell) <= size else _broken(cell, size) for cell, size in zip(row, widths, strict=True)]
        lines += [_line(line, widths) for line in itertools.zip_longest(*cells, fillvalue="")]
    return "\n".join(lines)


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    """Write one line: the first and the last cell to the left, the others to the right."""
    placed = [
        cell.ljust(width) if at in (0, len(cells) - 1) else cell.rjust(width)
        for at, (cell, width) in enumerate(zip(cells, widths, strict=True))
    ]
    return "  ".join(placed).rstrip()


def unless_nan(value: float, digits: str) -> str:
    """Write a number, or nothing for nan.

    >>> unless_nan(1.234, "+.2f"), unless_nan(float("nan"), "+.2f")
    ('+1.23', '')
    """
    return "" if math.isnan(value) else f"{value:{digits}}"


def setting_text(value: object) -> str:
    """Write the value of a setting for a table or an axis.

    >>> setting_text(0.001), setting_text(16), setting_text("relu")
    ('0.001', '16', 'relu')
    """
    return f"{value:g}" if isinstance(value, float) else str(value)


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
    """A header and rows of texts, all of one length; the first ``num_settings`` columns are settings."""

    header: Sequence[str]
    rows: Sequence[Sequence[str]]
    num_settings: int = 0


def table_text(table: Table) -> str:
    """Lay out a table; where its columns do not fit the terminal, the settings stand together in the last one."""
    text, num = align(table.header, table.rows), table.num_settings
    if not num or _fits(text):
        return text
    header = table.header[num:]
    settings = [
        " ".join(f"{name}={one}" for name, one in zip(table.header, row[:num], strict=False)) for row in table.rows
    ]
    apart = align([*header, "settings"], [[*row[num:], one] for row, one in zip(table.rows, settings, strict=True)])
    if _fits(apart):
        return apart
    joined = [[*row[num:-1], f"{row[-1]} at {one}"] for row, one in zip(table.rows, settings, strict=True)]
    return align([*header[:-1], f"{header[-1]} at settings"], joined)


def _fits(text: str) -> bool:
    width = terminal_width()
    return width is None or all(len(line) <= width for line in text.splitlines())


@dataclass(frozen=True)
class Presentation:
    """The results of one experiment, ready to be shown.

    Attributes:
        conclusion: the result in one sentence, in words.
        heading: lines above the tables.
        tables: one after another.
        notes: lines below them.
        document: the same as JSON values.
    """

    heading: Sequence[str]
    tables: Sequence[Table]
    notes: Sequence[str]
    document: dict[str, Any]
    conclusion: str = ""

    @property
    def text(self) -> str:
        """Everything as plain text, the conclusion first."""
        above = [wrapped(one_line(line)) for line in (self.conclusion, *self.heading) if line]
        tables = [align(table.header, table.rows) for table in self.tables]
        return "\n".join([*above, *tables, *map(wrapped, self.notes)])


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


def interval_text(value: Estimate, digits: str) -> str:
    """Write the ends of a 95 % interval; nothing where one seed gives none.

    >>> interval_text(Estimate(0.5, 0.01, 5), ".3f")
    '0.472 to 0.528'
    """
    low, high = value.interval
    return "" if math.isnan(low) else f"{low:{digits}} to {high:{digits}}"


def in_words(value: Estimate) -> str:
    """Write a share with the half-width of its 95 % interval, for a sentence.

    >>> in_words(Estimate(0.5281, 0.01, 5)), in_words(Estimate(0.943, 0.001, 5)), in_words(Estimate(0.5, math.nan, 1))
    ('.53 ± .03', '.943 ± .003', '.50')
    """
    if not value.n:
        return "no accuracy (every seed diverged)"
    low, high = value.interval
    half = (high - low) / 2
    digits = ".3f" if half < 0.01 else ".2f"
    parts = [value.mean] if math.isnan(half) else [value.mean, half]
    return " ± ".join(f"{part:{digits}}".replace("0.", ".", 1) for part in parts)


def mean_document(value: Estimate) -> dict[str, Any]:
    """Return what a document says of a mean.

    ``ci95`` is the half-width of Student's interval over seeds; ``interval`` has the ends of the one in the tables.
    """
    interval = [finite(end) for end in value.interval]
    return {"mean": finite(value.mean), "ci95": finite(value.ci95), "interval": interval, "n": value.n}
