"""A sweep of many named settings as a list: one line a setting, accuracies from left to right."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure

from subtx_toy.figures import style
from subtx_toy.figures.axis_places import Arrangement
from subtx_toy.figures.panel import highest, line_label, lowest, value_bars, value_label
from subtx_toy.figures.picture import Picture
from subtx_toy.results.comparison import Comparison
from subtx_toy.settings.definitions import DistillationSweep

_NAME_INCHES, _METRIC_INCHES = 0.19, 0.11  # the height of a setting: at least that of its name, or of its metrics
_LETTERS_PER_INCH = 12  # of an axis label
_AROUND_INCHES = 1.0  # the axis and the legend
_THEIRS_BELOW = 0.28  # of the distance of two lines: published values hide none of ours
_MARKERS = "os^vP<"
_PUBLISHED: dict[str, Any] = dict(
    fmt="D", color="0.25", markerfacecolor="white", markersize=4, capsize=2, linewidth=0.8
)


def draw_list(
    definition: DistillationSweep, rows: Sequence[Comparison], places: Arrangement, *, dataset: str
) -> Figure:
    """Draw every metric of every setting: seeds as dots, means with 95 % intervals, published values.

    ``places`` says for each row which setting it is of; rows of one setting share a line of the figure.
    """
    order, metrics = places.names, list(dict.fromkeys(row.metric for row in rows))
    height = max(_NAME_INCHES, _METRIC_INCHES * len(metrics)) * len(order) + _AROUND_INCHES
    width = style.paper()["figure.figsize"][0]
    with mpl.rc_context(style.paper(aspect=height / width)):
        figure = Picture(layout="constrained")
        axes = figure.add_subplot()
        axes.axvline(0.1, color="0.75", linewidth=0.8, linestyle=":", zorder=0)
        placed = [(order.index(name), row) for name, row in zip(places.values, rows, strict=True)]
        for metric in metrics:
            _draw_metric(axes, metric, metrics, placed)
        axes.set_yticks(range(len(order)), [_written(str(name)) for name in order])
        axes.set_ylim(len(order) - 0.5, -0.5)
        axes.tick_params(axis="y", length=0)
        axes.grid(axis="y", color="0.92", linewidth=0.6)
        axes.set_axisbelow(True)
        axes.set_xlim(lowest(rows) - 0.02, highest(rows) + 0.02)
        letters = round(_LETTERS_PER_INCH * (height - _AROUND_INCHES))  # that stand along the list
        axes.set_ylabel("\n".join(textwrap.wrap(places.label, letters)))
        axes.set_xlabel(value_label(rows, dataset))
        seeds = ", ".join(map(str, sorted({row.ours.n for row in rows})))
        axes.plot([], [], ".", color="0.4", markersize=4, label=f"seeds, n = {seeds}; bars: 95 % interval")
        if definition.published is not None and any(row.theirs is not None for row in rows):
            label = f"published (n = {definition.published.n}), 95 %\n{definition.published.source.partition(',')[0]}"
            axes.errorbar([], [], [], label=label, **_PUBLISHED)
        figure.legend(loc="outside upper center", fontsize="small", ncols=2)
    return figure


def _written(name: str) -> str:
    """Write the settings of a name on one line.

    >>> _written(chr(10).join(["init=pytorch", "loss=squared_error", "lr=0.1"]))
    'pytorch, squared error, lr 0.1'
    """
    parts = [part.partition("=") for part in name.split("\n")]
    return ", ".join(
        f"{setting.replace('_', ' ')} {value}" if value[:1].isdigit() else (value or setting).replace("_", " ")
        for setting, _, value in parts
    )


def _draw_metric(
    axes: mpl.axes.Axes, metric: str, metrics: Sequence[str], placed: Sequence[tuple[int, Comparison]]
) -> None:
    """Draw one metric of every setting, a little below the ones before it."""
    arm, measure = metric.split(".")
    colour, index = style.COLOURS[arm], metrics.index(metric)
    own = [(place + 0.6 * ((index + 0.5) / len(metrics) - 0.5), row) for place, row in placed if row.metric == metric]
    for place, row in own:
        axes.plot(row.values, [place] * len(row.values), ".", color=colour, alpha=0.4, markersize=4, zorder=1)
        if row.theirs is not None:
            bars = style.published_bars(row.theirs.mean, 1.96 * row.theirs.standard_error)
            axes.errorbar([row.theirs.mean], [place + _THEIRS_BELOW], xerr=bars, zorder=4, **_PUBLISHED)
    axes.errorbar(
        [row.ours.mean for _place, row in own], [place for place, _row in own],
        xerr=value_bars([row for _place, row in own], measure),
        fmt=_MARKERS[index % len(_MARKERS)], color=colour, markersize=4, capsize=2, linewidth=1.2,
        label=line_label(metric), zorder=3,
    )  # fmt: skip
