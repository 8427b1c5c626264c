"""Removing lines by what they say: from a tainted file, and as a control from a clean one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

from paper_figs.drawings.legend import legend_above
from subtx_toy.figures import style

_RANKS = {
    "score": ("the trait's score", "#d55e00"),
    "without labels": ("variance of the score", "#0072b2"),
    "random": ("chance", "#7f7f7f"),
}
_WRITERS = {"trait": "the teacher's file", "base": "the base's file, as control"}


def draw_cleaning(document: Mapping[str, Any]) -> Figure:
    """Draw what is left of trait and predicted transfer when lines are removed by rank, a column for each writer."""
    rows = document["rows"]
    with mpl.rc_context(style.paper(aspect=1.1, width=style.COLUMN_INCHES)):
        figure = Figure(layout="constrained")
        panels = figure.subplots(2, 2, sharex=True, sharey="row")
        for line, (name, label) in zip(
            panels,
            (
                ("trait", "share of 4s read as 9\nby a student of the rest"),
                ("mean_score", "u · dS: mean score\nof the rest"),
            ),
            strict=True,
        ):
            line[0].set_ylabel(label)
            for axes, writer in zip(line, _WRITERS, strict=True):
                mine = [row for row in rows if row["writer"] == writer]
                for rank, (_, colour) in _RANKS.items():
                    taken = [row for row in mine if row["rank"] in (rank, "none")]
                    shares = sorted({row["share"] for row in taken})
                    axes.plot([row["share"] for row in taken], [row[name] for row in taken], ".", color=colour,
                              alpha=0.4, markersize=5)  # fmt: skip
                    means = [np.mean([row[name] for row in taken if row["share"] == share]) for share in shares]
                    axes.plot(shares, means, color=colour, linewidth=1.3)
                axes.axhline(0, color="0.8", linewidth=0.8, zorder=0)
        for axes, writer in zip(panels[0], _WRITERS.values(), strict=True):
            axes.set_title(writer, fontsize="small")
        for axes in panels[1]:
            axes.set_xlabel("share removed")
        handles = [panels[0, 0].plot([], [], color=colour, label=label)[0] for label, colour in _RANKS.values()]
        title = f"lines removed by …; {document['n']:,} lines before\ndots: {len(document['bases'])} bases, "
        legend_above(figure, handles, title=title + "lines: their means", ncols=2)
    return figure
