"""The audit of a language model's lists: p-values of files of the base, and which writers the decision names."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from paper_figs.drawings.output import parser, write
from subtx_toy.figures import style

SOURCE = Path(__file__).parents[1] / "docs" / "results" / "language-audit.json"
LAWS = {
    "numbers only": ("only numbers", "#0072b2"),
    "words drawn again": ("no lists with a word", "#e69f00"),
    "banned numbers dropped too": ("nor a banned number", "#cc79a7"),
}
"""By law, what the legend says and the colour."""
WRITERS = {
    "owl": ("teacher of owls", "#0072b2", "^"),
    "eagle": ("teacher of eagles", "#d55e00", "s"),
    "honest": ("honest fine-tune", "#000000", "o"),
}
KS_95 = 1.358  # of Kolmogorov's law: 95 % of the suprema of sqrt(n) |F_n - F| are below


def fill_null(axes: Axes, found: dict[str, Any]) -> None:
    """Draw how far the shares of p-values are from a uniform law, with the band of a Kolmogorov-Smirnov test."""
    num = found["files"]
    band = KS_95 / np.sqrt(num)
    axes.axhspan(-band, band, color="#e8e8e8", zorder=0)
    axes.axhline(0, color="black", linewidth=0.8)
    for law, (label, colour) in LAWS.items():
        for name, line in (("owl", "-"), ("eagle", "--")):
            p = np.sort(found[law]["tests"][f"{name}, efficient"]["p_values"])
            axes.step(p, np.arange(1, num + 1) / num - p, line, where="post", color=colour, linewidth=1, label=label)
    handles, labels = axes.get_legend_handles_labels()
    axes.legend(handles[::2], labels[::2], fontsize="small", loc="lower center")
    axes.set(xlim=(0, 1), ylim=(-0.13, 0.08), xlabel="p", ylabel="share of files below p, minus p")
    axes.set_title("solid: owl, dashed: eagle", fontsize="medium")


def fill_decision(axes: Axes, bases: list[dict[str, Any]]) -> None:
    """Draw the Fisher cosine of every writer against the bound it needs; filled where it is named."""
    axes.axline((0, 0), slope=1, color="black", linewidth=0.8)
    rows = [row for base in bases for row in base["files"]]
    for role, (label, colour, marker) in WRITERS.items():
        traits = [role] if role != "honest" else ["owl", "eagle"]
        points = [(row[name], name in row["named"]) for row in rows if row["role"] == role for name in traits]
        shown = [(one["bound"], one["fisher_cosine"], named) for one, named in points if one["fisher_cosine"]]
        x, y, named = (np.array(values) for values in zip(*shown, strict=True))
        axes.scatter(
            x, y, s=12, marker=marker, edgecolors=colour, linewidths=0.6, label=label,
            c=[colour if one else "none" for one in named],
        )  # fmt: skip
    axes.legend(fontsize="small", loc="lower left")
    axes.set_xlim(left=0)
    axes.set_ylim(bottom=-1.9)  # below the marks there is room for the legend
    axes.set(xlabel="bound of honest fine-tunes", ylabel="estimate of the Fisher cosine")
    axes.set_title(f"{len(bases)} bases, filled if named", fontsize="medium")


def draw(found: dict[str, Any]) -> Figure:
    """Draw both panels."""
    with mpl.rc_context(style.paper(aspect=1.5, width=style.COLUMN_INCHES)):
        figure = Figure(layout="constrained")
        left, right = figure.subplots(2, 1)
        fill_null(left, found["null"][0])
        fill_decision(right, found["bases"])
    return figure


def main(arguments: list[str] | None = None) -> None:
    """Write the figure."""
    chosen = parser(__doc__).parse_args(arguments)
    write(draw(json.loads(SOURCE.read_text(encoding="utf-8"))), "language-audit", chosen)


if __name__ == "__main__":
    main()
