"""The page's tables are what their documents say."""

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


def test_the_table_of_ratios_is_that_of_its_document() -> None:
    found = json.loads((DOCS / "results" / "protocol.json").read_text(encoding="utf-8"))
    page = (DOCS / "speed.md").read_text(encoding="utf-8")
    for name in ("fp32", "bf16", "einsum", "einsum_threads", "loop", "loop_threads", "loop_alone"):
        cells = [f"{found[key][name]['median']:.1f}" for key in ("cpu_seconds_a_model", "machine_seconds_a_model")]
        for fast in ("fp32", "bf16"):
            if ratio := found["machine_ratios"].get(f"{fast}_vs_{name}"):
                cells.append(f"{ratio['median']:.2f} ({ratio['min']:.2f} to {ratio['max']:.2f})")
        assert f" | {' | '.join(cells)} |" in page, f"expected the row of {name} as in docs/results"
