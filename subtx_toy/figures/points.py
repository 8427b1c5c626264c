"""A sweep: what the students reach at every point, next to the published values."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure

from subtx_toy.figures import style
from subtx_toy.figures.axis_places import USUAL, arranged
from subtx_toy.figures.panel import fill_panel, fit_side_by_side, highest, lowest, set_places
from subtx_toy.figures.picture import Picture
from subtx_toy.figures.setting_list import draw_list
from subtx_toy.results.comparison import Comparison
from subtx_toy.settings.definitions import DistillationSweep
from subtx_toy.settings.distillation import RunConfig

_MAX_LINES = 10  # that one panel and its legend have room for


def draw_points(
    definition: DistillationSweep, rows: Sequence[Comparison], *, dataset: str, base: RunConfig | None = None
) -> Figure:
    """Draw every metric of a sweep against its axis: seeds as dots, means with 95 % intervals, published values.

    ``base`` holds the settings that all points share, from which the rows say how they differ; by default those of the
    definition.
    """
    places = arranged(definition, rows, base)
    if len({(row.metric, rest) for row, rest in zip(rows, places.rests, strict=True)}) > _MAX_LINES:
        return _draw_panels(definition, rows, places.rests, dataset=dataset, base=base)
    if not fit_side_by_side(places.names) and not places.is_numeric and not any(places.rests):
        return draw_list(definition, rows, places, dataset=dataset)
    with mpl.rc_context(style.paper(aspect=0.62)):
        figure = Picture(layout="constrained")
        axes = figure.add_subplot()
        fill_panel(axes, definition, rows, dataset=dataset, base=base)
        axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), fontsize="small", ncols=2)
    return figure


def _draw_panels(
    definition: DistillationSweep, rows: Sequence[Comparison], rests: Sequence[str], *, dataset: str,
    base: RunConfig | None,
) -> Figure:  # fmt: skip
    """Draw a panel for each combination of the settings that are not on the axis, with one legend."""
    parts: dict[str, list[Comparison]] = {}
    for rest, row in zip(rests, rows, strict=True):
        parts.setdefault(rest, []).append(row)
    places = arranged(definition, rows, base)
    with mpl.rc_context(style.paper(aspect=0.4 * (1 + -(-len(parts) // 2)))):
        figure = Picture(layout="constrained")
        panels = figure.subplots(-(-len(parts) // 2), 2, sharey=True, squeeze=False).ravel()
        marks: dict[str, Any] = {}
        for axes, (rest, part) in zip(panels, parts.items(), strict=False):
            fill_panel(axes, definition, part, dataset=dataset, base=base, all_share=rest)
            axes.set_title("\n".join(rest.split(", ")) or USUAL, fontsize="small")
            for handle, label in zip(*axes.get_legend_handles_labels(), strict=True):
                marks.setdefault(label, handle)
            if places.is_numeric:
                set_places(axes, [float(value) for value in places.values], log=definition.axis.scale == "log")
        figure.supxlabel(places.label, fontsize="medium")
        figure.supylabel(panels[0].get_ylabel(), fontsize="medium")
        panels[0].set_ylim(lowest(rows) - 0.02, highest(rows) + 0.02)
        for axes in panels:
            axes.set(xlabel="", ylabel="")
        for axes in panels[len(parts) :]:
            axes.remove()
        figure.legend(marks.values(), marks.keys(), loc="outside upper center", fontsize="small", ncols=2)
    return figure
