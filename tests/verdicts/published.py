"""The counts by verdict in the documentation."""

from __future__ import annotations

import re
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs" / "verify-your-own-model.md"
_COLUMNS = ("holds", "violated", "undecided", "not applicable", "refused at once")


def published(kind: str) -> dict[str, object]:
    """Return the number of cases of a kind, and its counts by verdict."""
    row = re.search(rf"^\| {kind} \|((?: \d+ \|)+)$", PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE)
    assert row is not None
    cases, *counts = (int(cell) for cell in row[1].strip("|").split("|"))
    return {"cases": cases, "verdicts": {name: count for name, count in zip(_COLUMNS, counts, strict=True) if count}}
