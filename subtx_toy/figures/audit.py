"""The audit against its own law, on many fine-tunes, and beside checks of the content; from the studies' documents."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

from subtx_toy.figures import style

Document = Mapping[str, Any]

_BLUE, _ORANGE, _GREEN, _PINK, _SKY = "#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9"
_WRITERS = {"trait": _ORANGE, "benign": _GREEN, "base": "#7f7f7f"}
_STATISTICS = {
    "z": ("plain score", _SKY),
    "efficient_z": ("efficient score", _PINK),
    "fisher_cosine": ("Fisher cosine", _ORANGE),
    "student": ("probe: a student", "#000000"),
}


def draw_null(document: Document) -> Figure:
    """Draw the p-values of files from the base against uniform ones, and power against its prediction."""
    with mpl.rc_context(style.paper(aspect=0.5)):
        figure = Figure(layout="constrained")
        left, right = figure.subplots(1, 2)
        left.axhline(0, color="0.7", linewidth=0.8)
        for kind, colour in (("unfiltered", _BLUE), ("filtered", _ORANGE)):
            for name, line in zip(document[kind]["p_values"], ("-", "--"), strict=False):
                values = np.sort(document[kind]["p_values"][name])
                steps = (np.arange(len(values)) + 0.5) / len(values)
                p_value = document[kind][name]["ks_p_value"]
                label = f"{kind}, {name}: KS p = {p_value:.2f}"
                left.plot(values, steps - values, line, color=colour, linewidth=1, label=label)
        bound = 1.36 / np.sqrt(document["unfiltered"]["files"])  # Kolmogorov's 5 % bound
        left.axhspan(-bound, bound, color="0.95", zorder=0)
        left.set_ylim(-0.16, 0.16)
        left.set_xlabel("p-value of a file that the base wrote")
        left.set_ylabel("share of files below, minus p")
        left.legend(fontsize="x-small", loc="lower center", title=f"{document['unfiltered']['files']} files each; "
                    "5 % of uniform\nsamples leave the band", title_fontsize="x-small")  # fmt: skip
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
        right.legend(fontsize="x-small", ncols=5,
                     title="share of the way to the teacher; dots: observed, dashes: predicted",
                     title_fontsize="x-small", loc="lower center", bbox_to_anchor=(0.4, 1.0), columnspacing=0.8,
                     handletextpad=0.2)  # fmt: skip
    return figure


def draw_calibration(document: Document) -> Figure:
    """Draw the Fisher cosines of all fine-tunes by what they were taught, and ROC curves for one trait."""
    rows, thresholds = document["rows"], document["rule"]["thresholds"]
    traits = list(thresholds)
    roles = ["reference", "benign", *traits, "relabel:4:7"]
    with mpl.rc_context(style.paper(aspect=0.85)):
        figure = Figure(layout="constrained")
        grid = figure.add_gridspec(2, 2, height_ratios=[1.25, 1])
        top = figure.add_subplot(grid[0, :])
        for place, asked in enumerate(traits):
            for at, role in enumerate(roles):
                values = [row[asked]["fisher_cosine"] for row in rows if row["role"] == role]
                spot = place + (at - (len(roles) - 1) / 2) * 0.115
                colour = _ORANGE if role == asked else "0.55" if role in ("reference", "benign") else _SKY
                marker = "x" if role == "reference" else "." if role != "relabel:4:7" else "+"
                top.plot(np.full(len(values), spot), values, marker, color=colour, markersize=4, alpha=0.8)
            top.plot([place - 0.45, place + 0.45], [thresholds[asked]] * 2, color="k", linewidth=1)
        top.axhline(0, color="0.8", linewidth=0.8, zorder=0)
        top.set_xticks(range(len(traits)), [f"asked: {name}" for name in traits])
        top.set_ylabel("Fisher cosine")
        handles = [
            top.plot([], [], "x", color="0.55", label="reference")[0],
            top.plot([], [], ".", color="0.55", label="fresh benign")[0],
            top.plot([], [], ".", color=_ORANGE, label="taught the trait asked for")[0],
            top.plot([], [], ".", color=_SKY, label="taught another one")[0],
            top.plot([], [], "+", color=_SKY, label="taught 4 to 7")[0],
            top.plot([], [], color="k", label="bound of the reference")[0],
        ]
        top.legend(handles=handles, ncols=3, fontsize="x-small", loc="lower center", bbox_to_anchor=(0.5, 1.0))
        for axes, asked in zip((figure.add_subplot(grid[1, 0]), figure.add_subplot(grid[1, 1])), traits, strict=False):
            _roc(axes, rows, asked, document["auc"][asked])
    return figure


def _roc(axes: mpl.axes.Axes, rows: Sequence[Document], asked: str, areas: Mapping[str, float]) -> None:
    benign = [row[asked] for row in rows if row["role"] == "benign"]
    taught = [row[asked] for row in rows if row["role"] == asked]
    for statistic, (label, colour) in _STATISTICS.items():
        low = np.array([row[statistic] for row in benign])
        high = np.array([row[statistic] for row in taught])
        cuts = np.concatenate([[np.inf], np.sort(np.concatenate([low, high]))[::-1], [-np.inf]])
        false = [(low >= cut).mean() for cut in cuts]
        true = [(high >= cut).mean() for cut in cuts]
        axes.plot(false, true, color=colour, linewidth=1.2, label=f"{label} ({areas[statistic]:.2f})")
    axes.plot([0, 1], [0, 1], ":", color="0.7", linewidth=0.8)
    axes.set_xlabel(f"benign fine-tunes called (n = {len(benign)})")
    axes.set_ylabel(f"{asked} teachers\nfound (n = {len(taught)})")
    axes.legend(fontsize="x-small", loc="lower right", title="area", title_fontsize="x-small")


def draw_content(document: Document) -> Figure:
    """Draw what a histogram and a classifier tell of files of three writers: that a model changed, not which trait."""
    with mpl.rc_context(style.paper(aspect=0.5)):
        figure = Figure(layout="constrained")
        panels = figure.subplots(1, 2)
        for axes, name, title in zip(panels, ("z", "classifier_z"), ("histogram χ²", "classifier"), strict=True):
            for writer, colour in _WRITERS.items():
                rows = [row for row in document["rows"] if row["writer"] == writer and name in row]
                axes.plot([row["n"] for row in rows], [row[name] for row in rows], "o-", color=colour, markersize=4,
                          linewidth=1, label={"trait": "teacher with the trait", "benign": "benign teacher",
                                              "base": "base"}[writer])  # fmt: skip
            axes.axhline(document["critical_z"], color="k", linewidth=0.8, linestyle=":")
            axes.set_xscale("log")
            axes.set_xlabel("lines of the file")
            axes.set_ylabel(f"{title}\nstandard errors from a clean file")
        panels[0].legend(fontsize="small", title="written by", title_fontsize="small")
        panels[1].annotate("1 %", (1.0, document["critical_z"]), xycoords=("axes fraction", "data"), ha="right",
                           va="bottom", fontsize="small")  # fmt: skip
    return figure


def draw_cleaning(document: Document) -> Figure:
    """Draw what is left of the trait when lines are removed by rank, and what the same removal does to a clean file."""
    colours = {"score": _ORANGE, "without labels": _BLUE, "random": "0.5"}
    with mpl.rc_context(style.paper(aspect=0.5)):
        figure = Figure(layout="constrained")
        panels = figure.subplots(1, 2)
        for axes, name, label in zip(
            panels, ("trait", "mean_score"), ("trait of a student", "predicted u · dS a number"), strict=True
        ):
            for writer, line in (("trait", "-"), ("base", "--")):
                first = [row for row in document["rows"] if row["writer"] == writer and row["share"] == 0]
                for rank, colour in colours.items():
                    rows = first + [
                        row for row in document["rows"]
                        if (row["writer"], row["rank"]) == (writer, rank) and row["share"] > 0
                    ]  # fmt: skip
                    axes.plot([row["share"] for row in rows], [row[name] for row in rows], "o" + line, color=colour,
                              markersize=3.5, linewidth=1, label=f"by {rank}" if line == "-" else None)  # fmt: skip
            axes.set_xlabel("share of the lines removed")
            axes.set_ylabel(label)
            axes.axhline(0, color="0.85", linewidth=0.8, zorder=0)
        panels[0].legend(fontsize="small", title="full: the teacher's file;\ndashed: the base's own, as control",
                         title_fontsize="small")  # fmt: skip
    return figure
