"""The counts by truth and verdict in the documentation."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

_PAGE = Path(__file__).parents[2] / "docs" / "verify-your-own-model.md"
_VERDICTS = ("holds", "violated", "undecided", "not applicable")


def published(kind: str) -> Counter[tuple[str, str]]:
    """Return how often each truth met each verdict, of modules, losses or bounds."""
    rows = re.findall(rf"^\| {kind} \| ([^|]+) \|((?: \d+ \|)+)$", _page(), flags=re.MULTILINE)
    assert rows
    return Counter(
        {
            (truth, verdict): int(count)
            for truth, counts in rows
            for verdict, count in zip(_VERDICTS, counts.strip(" |").split("|"), strict=True)
            if int(count)
        }
    )


def num_cases(kind: str) -> int:
    """Return the number of cases."""
    found = re.search(rf"(\d+) {kind}\b", _page())
    assert found is not None
    return int(found[1])


def _page() -> str:
    return _PAGE.read_text(encoding="utf-8")
