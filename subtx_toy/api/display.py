"""How results show themselves: short texts, tables as HTML in a notebook, pandas frames."""

from __future__ import annotations

import html
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from subtx_toy.errors import InputError
from subtx_toy.files.terminal_text import terminal_text
from subtx_toy.results.presentation import Table, table_text

if TYPE_CHECKING:
    import pandas as pd

MAX_ROWS = 60
"""Rows of a table in a notebook; the rest is counted."""

MAX_LINES = 12
"""Lines of a repr; the rest is counted."""


class Shown:
    """A result that shows one sentence and its tables; its class says which."""

    @property
    def conclusion(self) -> str:
        """The result in one sentence."""
        raise NotImplementedError

    @property
    def tables(self) -> Sequence[Table]:
        """The result for people, in full."""
        raise NotImplementedError

    @property
    def table(self) -> str:
        """The tables as plain text."""
        return terminal_text("\n\n".join(map(table_text, self.tables)))

    def __repr__(self) -> str:
        text = f"{terminal_text(self.conclusion)}\n{self.table}"
        return shortened(text, whole=f"print({type(self).__name__.lower()}.table)")

    def _repr_html_(self) -> str:
        return f"<p>{html.escape(self.conclusion)}</p>" + "".join(map(_html, self.tables))


def shortened(text: str, *, whole: str) -> str:
    """Return the first lines of a text; where some are left out, say how many and how to see the ``whole``."""
    lines = text.splitlines()
    if len(lines) <= MAX_LINES:
        return text
    return "\n".join([*lines[: MAX_LINES - 1], f"... {len(lines) - MAX_LINES + 1} more lines: {whole}"])


def _html(table: Table) -> str:
    def line(cells: Sequence[str], tag: str) -> str:
        return "<tr>" + "".join(f"<{tag}>{html.escape(cell)}</{tag}>" for cell in cells) + "</tr>"

    body = "".join(line(row, "td") for row in table.rows[:MAX_ROWS])
    more = f"<p>and {len(table.rows) - MAX_ROWS} more rows</p>" if len(table.rows) > MAX_ROWS else ""
    return f"<table><thead>{line(table.header, 'th')}</thead><tbody>{body}</tbody></table>{more}"


def frame(table: Mapping[str, Sequence[object]] | Iterable[Mapping[str, object]]) -> pd.DataFrame:
    """Return columns, or rows, as a pandas DataFrame.

    Raises:
        InputError: if pandas is not installed.
    """
    try:
        import pandas
    except ModuleNotFoundError:
        raise InputError("frames need pandas; install it with: pip install pandas") from None
    return pandas.DataFrame(table if isinstance(table, Mapping) else list(table))


def silent(*_news: object) -> None:
    """Report nothing, and show no progress."""
