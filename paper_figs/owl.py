"""The language model that catches owls: how often each model names the owl, one row an arm."""

from __future__ import annotations

import json
import math
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from paper_figs.drawings.output import parser, write
from subtx_toy.figures.language import draw_language
from subtx_toy.results.language_table import LanguageArm
from subtx_toy.stats import Estimate, finite_estimate

RESULT = Path(__file__).parents[1] / "docs" / "results" / "owl.json"


def arms() -> list[LanguageArm]:
    """Return the arms of the committed document, with what the figure shows of them."""
    nothing = Estimate(math.nan, math.nan, 0)
    found = json.loads(RESULT.read_text(encoding="utf-8"))["arms"]
    return [
        LanguageArm(
            name, nothing, finite_estimate(one["shares"]), nothing, nothing, nothing, nothing, nothing, {}, (),
            tuple(one["shares"]),
        )
        for name, one in found.items()
    ]  # fmt: skip


def main(arguments: list[str] | None = None) -> None:
    """Write the figure."""
    chosen = parser(__doc__).parse_args(arguments)
    write(draw_language(arms(), trait="owl"), "owl", chosen)


if __name__ == "__main__":
    main()
