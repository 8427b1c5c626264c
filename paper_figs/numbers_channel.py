"""The numbers channel and its audit: every figure of it, from the documents of the studies in docs/results."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from paper_figs.drawings.attribution import draw_attribution
from paper_figs.drawings.audit import draw_content, draw_null
from paper_figs.drawings.calibration import draw_areas, draw_calibration, draw_confusion
from paper_figs.drawings.cleaning import draw_cleaning
from paper_figs.drawings.number_arms import draw_numbers
from paper_figs.drawings.number_heads import draw_number_heads
from paper_figs.drawings.output import parser, write
from paper_figs.drawings.transfer import draw_defences, draw_dose, draw_settings

RESULTS = Path(__file__).parents[1] / "docs" / "results"


def _bases(draw: Callable[[Sequence[Any]], Figure]) -> Callable[..., Figure]:
    return lambda *documents: draw(documents)


CALIBRATIONS = tuple(f"audit-calibration-base-{seed}" for seed in range(10, 15))
DRAWN: dict[str, tuple[tuple[str, ...], Callable[..., Figure]]] = {
    "numbers": (("numbers-mnist",), draw_numbers),
    "numbers-digits": (("fewer-numbers",), draw_number_heads),
    "numbers-dose": (("numbers-dose",), draw_dose),
    "numbers-defences": (("numbers-defences",), draw_defences),
    "numbers-settings": (("numbers-defences",), draw_settings),
    "numbers-cleaning": (("numbers-cleaning",), draw_cleaning),
    "numbers-content": (("numbers-content",), draw_content),
    "attribution": (("attribution",), draw_attribution),
    "audit-null": (("audit-null",), draw_null),
    "audit-calibration": (CALIBRATIONS, _bases(draw_calibration)),
    "audit-confusion": (CALIBRATIONS, _bases(draw_confusion)),
    "audit-areas": (CALIBRATIONS, _bases(draw_areas)),
}
"""Of each picture, its documents and how it is drawn."""


def main(arguments: list[str] | None = None) -> None:
    options = parser(__doc__)
    options.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(DRAWN)} [default: all]")
    options.add_argument("--results", type=Path, default=RESULTS, help="folder with the studies' documents")
    chosen = options.parse_args(arguments)
    if unknown := [name for name in chosen.names if name not in DRAWN]:
        sys.exit(f"no picture {unknown[0]}; there are {', '.join(DRAWN)}")
    found = {name: one for name, one in DRAWN.items() if not chosen.names or name in chosen.names}
    found = {name: one for name, one in found.items() if all(_file(chosen.results, part).exists() for part in one[0])}
    if not found:
        sys.exit(f"no documents of the studies in {chosen.results}; experiments/studies/ makes them")
    for name, (documents, draw) in found.items():
        read = [json.loads(_file(chosen.results, part).read_text(encoding="utf-8")) for part in documents]
        write(draw(*read), name, chosen)


def _file(results: Path, document: str) -> Path:
    return results / f"{document}.json"


if __name__ == "__main__":
    main()
