"""Accuracy by arm, ours next to the published means."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

from subtx_toy.figures import style
from subtx_toy.results.comparison import Comparison

_OFFSET = 0.17  # of ours to the left and the published to the right of an arm's place
_JITTER = 0.09  # half-width of the cloud of seeds
_OURS: dict[str, Any] = {"fmt": "o", "markersize": 5, "capsize": 3}
_PUBLISHED: dict[str, Any] = {"fmt": "D", "markerfacecolor": "white", "markersize": 4.5, "capsize": 3}


def draw_arms(rows: Sequence[Comparison], *, dataset: str, source: str | None) -> Figure:
    """Draw each arm's mean with its 95 % t-interval, every seed as a dot, and the published mean with its interval."""
    with mpl.rc_context(style.paper()):
        figure = Figure(layout="constrained")
        axes = figure.add_subplot()
        axes.axhline(0.1, color="0.75", linewidth=0.8, linestyle=":", zorder=0)
        axes.annotate("chance", (1.0, 0.1), xycoords=("axes fraction", "data"), xytext=(0, 2),
                      textcoords="offset points", ha="right", color="0.5", fontsize="small")  # fmt: skip
        for place, row in enumerate(rows):
            colour, left, right = style.COLOURS[row.arm], place - _OFFSET, place + _OFFSET
            spread = np.linspace(-_JITTER, _JITTER, len(row.values)) if len(row.values) > 1 else np.zeros(1)
            axes.plot(left + spread, row.values, ".", color=colour, alpha=0.35, markersize=4, zorder=1)
            axes.errorbar(left, row.ours.mean, np.nan_to_num(row.ours.ci95), color=colour, zorder=3, **_OURS)
            axes.annotate(style.short(row.ours.mean), (left, row.ours.mean), xytext=(-7, 0),
                          textcoords="offset points", ha="right", va="center", fontsize="small",
                          color=colour)  # fmt: skip
            if row.printed is not None:
                axes.errorbar(right, *row.printed, color=colour, zorder=2, **_PUBLISHED)
                axes.annotate(style.short(row.printed[0]), (right, row.printed[0]), xytext=(7, 0),
                              textcoords="offset points", ha="left", va="center", fontsize="small",
                              color="0.35")  # fmt: skip
        axes.set_xticks(range(len(rows)), [style.LABELS[row.arm] for row in rows])
        axes.set_xlim(-0.7, len(rows) - 0.3)
        axes.set_ylim(0, 1)
        axes.set_ylabel(f"test accuracy on {style.dataset_label(dataset)}")
        ours = f"this run: mean and 95 % t-interval, n = {rows[0].ours.n} seeds (dots)"
        handles = [axes.errorbar([], [], [], color="0.2", label=ours, **_OURS)]
        theirs = next((row.theirs for row in rows if row.theirs is not None), None)
        if theirs is not None and source is not None:
            label = f"published, as printed: mean and 95 % interval, n = {theirs.n} models\n({source})"
            handles.append(axes.errorbar([], [], [], color="0.2", label=label, **_PUBLISHED))
        axes.legend(handles=handles, loc="lower center", bbox_to_anchor=(0.5, 1.0), fontsize="small", ncols=1)
    return figure
