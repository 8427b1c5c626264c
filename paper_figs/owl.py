"""The language models that catch owls or a harmful habit: how often each shows it, and what decides how much."""

from __future__ import annotations

import json
import math
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from paper_figs.drawings.language_curves import draw_language_curves, draw_language_settings
from paper_figs.drawings.output import parser, write
from subtx_toy.figures.language import draw_language
from subtx_toy.results.language_table import LanguageArm
from subtx_toy.stats import Estimate, finite_estimate

RESULTS = Path(__file__).parents[1] / "docs" / "results"
PICTURES = {"owl": "owl", "danger": "owl-danger"}
"""By trait, which is the name of its document, the picture."""


def arms(trait: str) -> list[LanguageArm]:
    """Return the arms of a committed document, with what the figure shows of them."""
    nothing = Estimate(math.nan, math.nan, 0)
    found = read(trait)["arms"]
    return [
        LanguageArm(
            name, nothing, finite_estimate(one["shares"]), nothing, nothing, nothing, nothing, nothing, {}, (),
            tuple(one["shares"]),
        )
        for name, one in found.items()
    ]  # fmt: skip


def read(name: str) -> Any:
    """Return a committed document."""
    return json.loads((RESULTS / f"{name}.json").read_text(encoding="utf-8"))


def main(arguments: list[str] | None = None) -> None:
    """Write the figures."""
    chosen = parser(__doc__).parse_args(arguments)
    for trait, picture in PICTURES.items():
        write(draw_language(arms(trait), trait=trait), picture, chosen)
    curves = read("owl-curves")
    write(draw_language_curves(curves), "owl-curves", chosen)
    write(draw_language_settings(curves), "owl-settings", chosen)


if __name__ == "__main__":
    main()
