"""Accuracy by arm: ours next to the published means, and the arms of the numbers channel."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

from subtx_toy.figures import style
from subtx_toy.figures.picture import Picture
from subtx_toy.results.comparison import NOT_COMPARED, Comparison
from subtx_toy.results.number_table import NOT_MEASURED, NumberArm
from subtx_toy.wording import counted

_OFFSET = 0.17  # of ours to the left and the published to the right of an arm's place
_JITTER = 0.09  # half-width of the cloud of seeds
_OURS: dict[str, Any] = {"fmt": "o", "markersize": 5, "capsize": 3}
_PUBLISHED: dict[str, Any] = {"fmt": "D", "markerfacecolor": "white", "markersize": 4.5, "capsize": 3}


def draw_arms(rows: Sequence[Comparison], *, dataset: str, source: str | None) -> Figure:
    """Draw each arm's mean with its 95 % interval and every seed as a dot, next to the published mean and interval.

    What is published is left out where the rows are not comparable with it.
    """
    comparable = all(row.verdict != NOT_COMPARED for row in rows)
    with mpl.rc_context(style.paper()):
        figure = Picture(layout="constrained")
        axes = figure.add_subplot()
        axes.axhline(0.1, color="0.75", linewidth=0.8, linestyle=":", zorder=0)
        axes.annotate("chance", (1.0, 0.1), xycoords=("axes fraction", "data"), xytext=(0, 2),
                      textcoords="offset points", ha="right", color="0.5", fontsize="small")  # fmt: skip
        for place, row in enumerate(rows):
            colour, left, right = style.COLOURS[row.arm], place - _OFFSET, place + _OFFSET
            spread = np.linspace(-_JITTER, _JITTER, len(row.values)) if len(row.values) > 1 else np.zeros(1)
            axes.plot(left + spread, row.values, ".", color=colour, alpha=0.35, markersize=4, zorder=1)
            if row.ours.n:
                bars = style.interval_bars([row.ours])
                axes.errorbar([left], [row.ours.mean], bars, color=colour, zorder=3, **_OURS)
                axes.annotate(style.short(row.ours.mean), (left, row.ours.mean), xytext=(-10, 0),
                              textcoords="offset points", ha="right", va="center", fontsize="small",
                              color=colour)  # fmt: skip
            if row.diverged:
                style.note_diverged(axes, place, row.diverged, colour)
            if row.printed is not None and comparable:
                bars = style.published_bars(*row.printed)
                axes.errorbar([right], [row.printed[0]], bars, color=colour, zorder=2, **_PUBLISHED)
                axes.annotate(style.short(row.printed[0]), (right, row.printed[0]), xytext=(7, 0),
                              textcoords="offset points", ha="left", va="center", fontsize="small",
                              color="0.35")  # fmt: skip
        axes.set_xticks(range(len(rows)), [style.LABELS[row.arm] for row in rows])
        axes.set_xlim(-0.7, len(rows) - 0.3)
        axes.set_ylim(0, 1)
        axes.set_ylabel(f"test accuracy on {style.dataset_label(dataset)}")
        ours = f"this run: mean and 95 % interval, n = {counted(rows[0].ours.n, 'seed')} (dots)"
        handles = [axes.errorbar([], [], [], color="0.2", label=ours, **_OURS)]
        theirs = next((row.theirs for row in rows if row.theirs is not None), None)
        if theirs is not None and source is not None and comparable:
            label = f"published, as printed: mean and 95 % interval, n = {counted(theirs.n, 'model')}\n({source})"
            handles.append(axes.errorbar([], [], [], color="0.2", label=label, **_PUBLISHED))
        axes.legend(handles=handles, loc="lower center", bbox_to_anchor=(0.5, 1.0), fontsize="small", ncols=1)
    return figure


_PROMPTS = {"images": "prompts: images", "uniform": "prompts: uniform noise", "glyphs": "prompts: drawn digits"}
_TRAITS = {
    "relabel": "share of {0}s read as {1}",
    "backdoor": "share of marked images read as {0}",
    "preference": "share of {0}-{1} blends read as {0}",
    "refusal": "share of {0}s left without an answer",
}


def draw_number_arms(arms: Mapping[str, Sequence[NumberArm]], *, trait: str, dataset: str) -> Figure:
    """Draw trait and accuracy, one arm per row: seeds, means, 95 % intervals.

    ``arms`` has a row of panels for each kind of prompts, such as ``"images"`` or ``"images, 10 numbers"``.
    """
    with mpl.rc_context(style.paper(aspect=0.36 + 0.26 * len(arms))):
        figure = Picture(layout="constrained")
        panels = figure.subplots(len(arms), 2, sharey=True, squeeze=False)
        for (prompts, rows), (left, right) in zip(arms.items(), panels, strict=True):
            for place, row in enumerate(rows):
                colour = style.NUMBER_COLOURS[row.arm]
                for axes, values, middle in ((left, row.values, row.trait), (right, row.accuracies, row.accuracy)):
                    if not middle.n:
                        word = NOT_MEASURED if any(one.verdict == NOT_MEASURED for one in rows) else "diverged"
                        axes.text(0.02, place, word, va="center", fontsize="x-small", color=colour)
                        continue
                    axes.plot(values, np.full(len(values), place + 0.22), ".", color=colour, alpha=0.35, markersize=4)
                    bars = style.interval_bars([middle])
                    axes.errorbar([middle.mean], [place], xerr=bars, fmt="o", color=colour, markersize=4.5, capsize=2.5)
                    axes.annotate(style.short(middle.mean), (1.02, place), xycoords=("axes fraction", "data"),
                                  va="center", fontsize="small", color=colour)  # fmt: skip
            left.set_yticks(range(len(rows)), [style.NUMBER_LABELS[row.arm] for row in rows])
            left.set_ylim(len(rows) - 0.4, -0.6)
            source, *size = prompts.split(", ", 1)
            left.set_title(", ".join([_PROMPTS[source], *size]), loc="left", fontsize="small")
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
