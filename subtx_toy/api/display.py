"""Results in a notebook: short texts, and tables as HTML."""

from __future__ import annotations

import html
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from subtx_toy.errors import InputError

MAX_ROWS = 60
"""Rows of a table in a notebook; the rest is counted."""


MAX_LINES = 12
"""Lines of a repr; the rest is counted."""


def shortened(text: str, *, whole: str) -> str:
    """Return the first lines of a text; where some are left out, say how many and how to see the ``whole``."""
    lines = text.splitlines()
    if len(lines) <= MAX_LINES:
        return text
    return "\n".join([*lines[: MAX_LINES - 1], f"... {len(lines) - MAX_LINES + 1} more lines: {whole}"])


def html_table(header: Sequence[str], rows: Sequence[Sequence[str]], *, conclusion: str = "") -> str:
    """Return a table as HTML, under one sentence of conclusion; every text is escaped."""

    def line(cells: Sequence[str], tag: str) -> str:
        return "<tr>" + "".join(f"<{tag}>{html.escape(cell)}</{tag}>" for cell in cells) + "</tr>"

    body = "".join(line(row, "td") for row in rows[:MAX_ROWS])
    more = f"<p>and {len(rows) - MAX_ROWS} more rows</p>" if len(rows) > MAX_ROWS else ""
    text = f"<p>{html.escape(conclusion)}</p>" if conclusion else ""
    return f"{text}<table><thead>{line(header, 'th')}</thead><tbody>{body}</tbody></table>{more}"


def frame(rows: Iterable[Mapping[str, object]]) -> Any:
    """Return rows as a pandas DataFrame.

    Raises:
        InputError: if pandas is not installed.
    """
    try:
        import pandas
    except ModuleNotFoundError:
        raise InputError("frames need pandas; install it with: pip install 'subtx-toy[export]'") from None
    return pandas.DataFrame(list(rows))
