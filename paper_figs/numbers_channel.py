"""The numbers channel and its audit: every figure of it, from the documents of the studies in docs/results."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from subtx_toy.figures.audit import draw_calibration, draw_cleaning, draw_content, draw_null
from subtx_toy.figures.files import save
from subtx_toy.figures.numbers import draw_defences, draw_dose

_RESULTS = Path(__file__).parents[1] / "docs" / "results"
DRAWN = {
    "numbers-dose": draw_dose,
    "numbers-defences": draw_defences,
    "numbers-cleaning": draw_cleaning,
    "numbers-content": draw_content,
    "audit-null": draw_null,
    "audit-calibration": draw_calibration,
}


def main(results: Path, target: Path) -> None:
    found = [name for name in DRAWN if (results / f"{name}.json").exists()]
    if not found:
        sys.exit(f"no documents of the studies in {results}; experiments/studies/ makes them")
    for name in found:
        picture = target / f"{name}.pdf"
        save(DRAWN[name](json.loads((results / f"{name}.json").read_text(encoding="utf-8"))), picture)
        print(picture)


if __name__ == "__main__":
    arguments = sys.argv[1:]
    main(
        Path(arguments[0]) if arguments else _RESULTS,
        Path(arguments[1]) if len(arguments) > 1 else Path(__file__).parent,
    )
