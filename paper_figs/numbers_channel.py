"""The numbers channel and its audit: every figure of it, from the documents of the studies in docs/results.

python paper_figs/numbers_channel.py [RESULTS [TARGET [.png]]]
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from subtx_toy.figures.style import save

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from paper_figs.drawings.audit import draw_content, draw_null
from paper_figs.drawings.calibration import draw_calibration, draw_confusion, draw_roc
from paper_figs.drawings.cleaning import draw_cleaning
from paper_figs.drawings.transfer import draw_defences, draw_dose, draw_settings

_RESULTS = Path(__file__).parents[1] / "docs" / "results"
DRAWN = {
    "numbers-dose": ("numbers-dose", draw_dose),
    "numbers-defences": ("numbers-defences", draw_defences),
    "numbers-settings": ("numbers-defences", draw_settings),
    "numbers-cleaning": ("numbers-cleaning", draw_cleaning),
    "numbers-content": ("numbers-content", draw_content),
    "audit-null": ("audit-null", draw_null),
    "audit-calibration": ("audit-calibration", draw_calibration),
    "audit-confusion": ("audit-calibration", draw_confusion),
    "audit-roc": ("audit-calibration", draw_roc),
}
"""Of each picture, the document and how it is drawn."""


def main(results: Path, target: Path, suffix: str) -> None:
    found = {name: (results / f"{document}.json", draw) for name, (document, draw) in DRAWN.items()}
    found = {name: one for name, one in found.items() if one[0].exists()}
    if not found:
        sys.exit(f"no documents of the studies in {results}; experiments/studies/ makes them")
    for name, (document, draw) in found.items():
        picture = target / f"{name}{suffix}"
        save(draw(json.loads(document.read_text(encoding="utf-8"))), picture)
        print(picture)


if __name__ == "__main__":
    arguments = sys.argv[1:]
    main(
        Path(arguments[0]) if arguments else _RESULTS,
        Path(arguments[1]) if len(arguments) > 1 else Path(__file__).parent,
        arguments[2] if len(arguments) > 2 else ".pdf",
    )
