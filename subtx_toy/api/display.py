"""Results in a notebook: tables as HTML."""

from __future__ import annotations

import html
from collections.abc import Sequence

MAX_ROWS = 60
"""Rows of a table in a notebook; the rest is counted."""


def html_table(header: Sequence[str], rows: Sequence[Sequence[str]], *, conclusion: str = "") -> str:
    """Return a table as HTML, under one sentence of conclusion; every text is escaped."""

    def line(cells: Sequence[str], tag: str) -> str:
        return "<tr>" + "".join(f"<{tag}>{html.escape(cell)}</{tag}>" for cell in cells) + "</tr>"

    body = "".join(line(row, "td") for row in rows[:MAX_ROWS])
    more = f"<p>and {len(rows) - MAX_ROWS} more rows</p>" if len(rows) > MAX_ROWS else ""
    text = f"<p>{html.escape(conclusion)}</p>" if conclusion else ""
    return f"{text}<table><thead>{line(header, 'th')}</thead><tbody>{body}</tbody></table>{more}"
