"""Rankings of the lines of a file: how far the trait falls when the top of each is removed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

from subtx_toy.figures import style

_FALLS = {
    "fall": ("teacher's file", "o", style.NUMBER_COLOURS["shared_trait"]),
    "fall_of_clean": ("base's file", "s", style.NUMBER_COLOURS["shared_benign"]),
    "difference": ("difference", "D", "#000000"),
}
_APART = 0.22  # of the distance between two rankings


def draw_attribution(document: Mapping[str, Any]) -> Figure:
    """Draw the falls of both files and their difference, with 95 % intervals; the largest difference is on top."""
    table = {name: row for name, row in document["table"].items() if name != "none"}
    names = sorted(table, key=lambda name: table[name]["difference"]["mean"])
    places = np.arange(len(names))
    with mpl.rc_context(style.paper(aspect=1.2, width=style.COLUMN_INCHES)):
        figure = Figure(layout="constrained")
        axes = figure.add_subplot()
        for number, (key, (label, marker, colour)) in enumerate(_FALLS.items()):
            means = [table[name][key]["mean"] for name in names]
            widths = [table[name][key]["ci95"] for name in names]
            axes.errorbar(
                means,
                places + (1 - number) * _APART,
                xerr=widths,
                fmt=marker,
                color=colour,
                label=label,
                markersize=3.5,
            )
        axes.axvline(0, color="#7f7f7f", linewidth=0.8, zorder=0)
        axes.set_yticks(places, names)
        axes.set_ylim(-0.6, len(names) - 0.4)
        axes.set_xlabel(f"fall of the share of 4s read as 9,\ntop {document['share']:.0%} of the lines removed")
        figure.legend(loc="outside upper center", ncols=2, frameon=False)
    return figure
