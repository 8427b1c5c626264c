"""Where a page takes a table that is written by a script: between two marks."""

from __future__ import annotations


def between_marks(page: str, name: str, text: str) -> str:
    """Return a page with ``text`` between ``<!-- NAME -->`` and ``<!-- end of the NAME -->``.

    Raises:
        ValueError: if the page has no such marks.
    """
    start, end = f"<!-- {name} -->", f"<!-- end of the {name} -->"
    before, mark, rest = page.partition(start)
    if not mark or end not in rest:
        raise ValueError(f"page: expected the marks {start!r} and {end!r}")
    return f"{before}{start}\n\n{text.rstrip()}\n\n{end}{rest.partition(end)[2]}"
