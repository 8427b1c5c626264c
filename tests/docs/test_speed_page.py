"""The page's table of what bfloat16 changes is what its document says."""

from __future__ import annotations

import json
from pathlib import Path

DOCS = Path(__file__).parents[2] / "docs"


def test_the_table_of_precision_is_that_of_its_document() -> None:
    found = json.loads((DOCS / "results" / "precision.json").read_text(encoding="utf-8"))["differences"]
    page = (DOCS / "speed.md").read_text(encoding="utf-8")
    for name, one in found.items():
        assert one["n"] == 30
        cells = [f"{arm['mean']:+.4f} ± {arm['ci95']:.4f}" for arm in one["arms"].values()]
        assert f"| {name} | {' | '.join(cells)} |" in page, f"expected the row of {name} as in docs/results"
