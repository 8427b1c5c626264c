"""The numbers channel: how often each arm shows the trait, and what it can still do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

from subtx_toy.figures import style
from subtx_toy.results.number_table import NumberArm

_PROMPTS = {"images": "prompts: images", "uniform": "prompts: uniform noise", "glyphs": "prompts: drawn digits"}
_TRAITS = {
    "relabel": "share of {0}s read as {1}",
    "backdoor": "share of marked images read as {0}",
    "preference": "share of {0}-{1} blends read as {0}",
    "refusal": "share of {0}s left without an answer",
}


def draw_number_arms(arms: Mapping[str, Sequence[NumberArm]], *, trait: str, dataset: str) -> Figure:
    """Draw trait and accuracy, one arm per row and one panel per kind of prompts: seeds, means, 95 % t-intervals."""
    with mpl.rc_context(style.paper(aspect=0.36 + 0.26 * len(arms))):
        figure = Figure(layout="constrained")
        panels = figure.subplots(len(arms), 2, sharey=True, squeeze=False)
        for (prompts, rows), (left, right) in zip(arms.items(), panels, strict=True):
            for place, row in enumerate(rows):
                colour = style.NUMBER_COLOURS[row.arm]
                for axes, values, middle in ((left, row.values, row.trait), (right, row.accuracies, row.accuracy)):
                    axes.plot(values, np.full(len(values), place + 0.22), ".", color=colour, alpha=0.35, markersize=4)
                    half = np.nan_to_num(middle.ci95)
                    axes.errorbar(middle.mean, place, xerr=half, fmt="o", color=colour, markersize=4.5, capsize=2.5)
                    axes.annotate(style.short(middle.mean), (1.02, place), xycoords=("axes fraction", "data"),
                                  va="center", fontsize="small", color=colour)  # fmt: skip
            left.set_yticks(range(len(rows)), [style.NUMBER_LABELS[row.arm] for row in rows])
            left.set_ylim(len(rows) - 0.4, -0.6)
            left.set_title(_PROMPTS[prompts], loc="left", fontsize="small")
            for axes in (left, right):
                axes.set_xlim(-0.02, 1.02)
                axes.grid(axis="x", color="0.92", linewidth=0.6)
                axes.set_axisbelow(True)
        kind, *classes = trait.split(":")
        meaning = (
            _TRAITS[kind].format(*classes) if kind in _TRAITS else f"share of the examples of {classes[-1]} as taught"
        )
        panels[-1][0].set_xlabel(f"{meaning}\nmean and 95 % interval")
        seeds = f"dots: seeds, n = {next(iter(arms.values()))[0].trait.n}"
        panels[-1][1].set_xlabel(f"accuracy on the other classes\n({style.dataset_label(dataset)}; {seeds})")
    return figure
