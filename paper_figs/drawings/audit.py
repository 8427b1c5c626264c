"""The audit against its own law, and checks of the content beside it; from the studies' documents."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

from subtx_toy.figures import style

Document = Mapping[str, Any]

_BLUE, _ORANGE, _GREEN, _PINK, _SKY = "#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9"
_WRITERS = {
    "trait": ("a teacher with the trait", _ORANGE),
    "benign": ("a benign teacher", _GREEN),
    "base": ("the base", "#7f7f7f"),
}


def draw_null(document: Document) -> Figure:
    """Draw the p-values of files from the base against uniform ones, and power against its prediction."""
    with mpl.rc_context(style.paper(aspect=1.5, width=style.COLUMN_INCHES)):
        figure = Figure(layout="constrained")
        left, right = figure.subplots(2, 1)
        left.axhline(0, color="0.7", linewidth=0.8)
        for kind, colour in (("unfiltered", _BLUE), ("filtered", _ORANGE)):
            scores = [name for name in document[kind]["p_values"] if "plain score" not in name]
            for name, line in zip(scores, ("-", "--"), strict=True):
                values = np.sort(document[kind]["p_values"][name])
                steps = (np.arange(len(values)) + 0.5) / len(values)
                p_value = document[kind][name]["ks_p_value"]
                label = f"{kind}, {name}: KS p = {p_value:.2f}"
                left.plot(values, steps - values, line, color=colour, linewidth=1, label=label)
        bound = 1.36 / np.sqrt(document["unfiltered"]["files"])  # Kolmogorov's 5 % bound
        left.axhspan(-bound, bound, color="0.95", zorder=0)
        left.set_ylim(-0.26, 0.12)
        left.set_xlabel("p-value of a file that the base wrote")
        left.set_ylabel("share of files below, minus p")
        note = f"{document['unfiltered']['files']} files each, efficient score;\n5 % of uniform samples leave the band"
        left.legend(fontsize="small", loc="lower center", title=note, title_fontsize="small")
        shares = sorted({row["share"] for row in document["power"]})
        for share, colour in zip(shares, (_SKY, _BLUE, _GREEN, _PINK, _ORANGE), strict=False):
            rows = sorted((row for row in document["power"] if row["share"] == share), key=lambda row: row["n"])
            sizes = [row["n"] for row in rows]
            right.plot(sizes, [row["predicted"] for row in rows], "--", color=colour, linewidth=1)
            right.plot(
                sizes, [row["observed"] for row in rows], "o", color=colour, markersize=4, label=f"ε = {share:g}"
            )
        right.set_xscale("log")
        right.set_ylim(-0.03, 1.08)
        right.set_xlabel("lines of the file")
        right.set_ylabel("share of files found at 1 %")
        right.legend(fontsize="small", ncols=3,
                     title="share of the way to the teacher\ndots: observed, dashes: predicted",
                     title_fontsize="small", loc="lower center", bbox_to_anchor=(0.5, 1.0), columnspacing=0.8,
                     handletextpad=0.2)  # fmt: skip
    return figure


_UNITS = "histogram: χ², in standard\ndeviations above its mean", "classifier: area, in standard\nerrors above .5"


def draw_content(document: Document) -> Figure:
    """Draw what a histogram and a classifier tell of files of three writers: that a model changed, not which trait."""
    with mpl.rc_context(style.paper(aspect=1.5, width=style.COLUMN_INCHES)):
        figure = Figure(layout="constrained")
        panels = figure.subplots(2, 1)
        for axes, name, title in zip(panels, ("z", "classifier_z"), _UNITS, strict=True):
            for writer, (label, colour) in _WRITERS.items():
                rows = [row for row in document["rows"] if row["writer"] == writer and name in row]
                sizes = sorted({row["n"] for row in rows})
                means = [np.mean([row[name] for row in rows if row["n"] == size]) for size in sizes]
                axes.plot([row["n"] for row in rows], [row[name] for row in rows], ".", color=colour, alpha=0.4)
                axes.plot(sizes, means, color=colour, linewidth=1.4, label=label)
            axes.axhline(document["critical_z"], color="k", linewidth=0.8, linestyle=":")
            axes.set_xscale("log")
            axes.set_xlabel("numbers in the file")
            axes.set_ylabel(title, fontsize="small")
            axes.annotate("1 % level", (1.0, document["critical_z"]), xycoords=("axes fraction", "data"), ha="right",
                          va="bottom", fontsize="small")  # fmt: skip
        panels[0].legend(
            fontsize="small",
            title=f"written by … (dots: {len(document['bases'])} bases,\nlines: their means)",
            title_fontsize="small",
        )
    return figure
