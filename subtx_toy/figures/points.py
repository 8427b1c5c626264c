"""A sweep: what the students reach at every point, beside the published values."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure

from subtx_toy.figures import style
from subtx_toy.results.sweep_comparison import PointComparison
from subtx_toy.settings.definitions import DistillationSweep

_MEASURES = {"accuracy": "test accuracy on {}", "hidden_cosine": "cosine with the teacher", "probe_accuracy": "probe"}
_MARKERS = "os^v"
_MOST_UPRIGHT = 6  # names that fit side by side
_OFFSET = 0.12  # of ours to the left and the published to the right of a place that is only a name
_PUBLISHED: dict[str, Any] = {
    "fmt": "D",
    "color": "0.25",
    "markerfacecolor": "white",
    "markersize": 5,
    "capsize": 2,
    "linewidth": 0.8,
    "zorder": 4,
}
_LINES = {"accuracy": "-", "hidden_cosine": "--", "probe_accuracy": ":"}


def draw_points(definition: DistillationSweep, rows: Sequence[PointComparison], *, dataset: str) -> Figure:
    """Draw every metric of a sweep against its axis: seeds as dots, means with 95 % t-intervals, published values.

    Args:
        definition: the experiment, with its axis and the source of its published values.
        rows: its points.
        dataset: what the accuracies were measured on, named on the axis.
    """
    with mpl.rc_context(style.paper(aspect=0.62)):
        figure = Figure(layout="constrained")
        axes = figure.add_subplot()
        fill_panel(axes, definition, rows, dataset=dataset)
        axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), fontsize="small", ncols=2)
    return figure


def fill_panel(
    axes: mpl.axes.Axes, definition: DistillationSweep, rows: Sequence[PointComparison], *, dataset: str
) -> None:
    """Draw a sweep into ``axes``, without a legend but with labels for one."""
    places = _places(definition, rows)
    axes.axhline(0.1, color="0.75", linewidth=0.8, linestyle=":", zorder=0)
    lines = list(dict.fromkeys((row.metric, _rest(definition, row)) for row in rows))
    rests = list(dict.fromkeys(rest for _metric, rest in lines))
    for metric, rest in lines:
        here = [
            (place, row)
            for place, row in zip(places, rows, strict=True)
            if (row.metric, _rest(definition, row)) == (metric, rest)
        ]
        here.sort(key=lambda one: one[0])  # a line goes along its axis, in whatever order the points were listed
        joined = definition.axis.setting is not None and definition.axis.scale != "category"
        _draw_line(axes, metric, rest, here, marker=_MARKERS[rests.index(rest) % len(_MARKERS)], joined=joined)
    seeds = sorted({row.ours.n for row in rows})
    _published_label(axes, definition)
    _scale(axes, definition, rows, places)
    axes.set_ylim(-0.02, 1.02)
    axes.set_ylabel(_MEASURES["accuracy"].format(style.dataset_label(dataset)))
    axes.plot(
        [], [], ".", color="0.4", markersize=4, label=f"seeds, n = {', '.join(map(str, seeds))}; bars: 95 % t-interval"
    )


def _rest(definition: DistillationSweep, row: PointComparison) -> str:
    """Name what tells points apart that stand at the same place of the axis."""
    if definition.axis.setting is None:
        return ""
    return ", ".join(f"{name}={value}" for name, value in row.at.items() if name != definition.axis.setting)


def _draw_line(
    axes: mpl.axes.Axes,
    metric: str,
    rest: str,
    rows: Sequence[tuple[float, PointComparison]],
    *,
    marker: str,
    joined: bool,
) -> None:
    arm, measure = metric.split(".")
    colour = style.COLOURS[arm]
    apart = 0.0 if joined else _OFFSET
    for place, row in rows:
        axes.plot([place - apart] * len(row.values), row.values, ".", color=colour, alpha=0.4, markersize=4, zorder=1)
        if row.theirs is not None:
            bar = 1.96 * row.theirs.standard_error
            axes.errorbar(place + apart, row.theirs.mean, bar, **_PUBLISHED)
    means = [row.ours.mean for _place, row in rows]
    bars = [0.0 if math.isnan(row.ours.ci95) else row.ours.ci95 for _place, row in rows]
    line = _LINES[measure] if joined else ""
    what = style.LABELS[arm].replace("\n", " ") + ("" if measure == "accuracy" else f": {_MEASURES[measure]}")
    what += f", {rest}" if rest else ""
    axes.errorbar(
        [place - apart for place, _row in rows],
        means,
        bars,
        fmt=marker,
        linestyle=line,
        color=colour,
        markersize=4,
        capsize=3,
        linewidth=1.2,
        label=what,
        zorder=3,
    )


def _places(definition: DistillationSweep, rows: Sequence[PointComparison]) -> list[float]:
    setting, scale = definition.axis.setting, definition.axis.scale
    points = list(dict.fromkeys(_text(definition, row) for row in rows))
    if setting is None or scale == "category":
        return [float(points.index(_text(definition, row))) for row in rows]
    return [float(row.at.get(setting, getattr(definition.config, setting))) for row in rows]


def _text(definition: DistillationSweep, row: PointComparison) -> str:
    setting = definition.axis.setting
    if setting is not None:
        return str(row.at.get(setting, getattr(definition.config, setting))).replace("_", "\n")
    return "\n".join(f"{name}={value}" for name, value in row.at.items()) or "base"


def _scale(
    axes: mpl.axes.Axes, definition: DistillationSweep, rows: Sequence[PointComparison], places: Sequence[float]
) -> None:
    axes.set_xlabel(definition.axis.label)
    if definition.axis.setting is None or definition.axis.scale == "category":
        named = dict(zip(places, (_text(definition, row) for row in rows), strict=True))
        if len(named) > _MOST_UPRIGHT:
            texts = [text.replace("\n", ", ") for text in named.values()]
            axes.set_xticks(list(named), texts, fontsize="x-small", rotation=90)
        else:
            axes.set_xticks(list(named), list(named.values()), fontsize="x-small")
        axes.set_xlim(-0.5, len(named) - 0.5)
        return
    if definition.axis.scale == "log":
        axes.set_xscale("log")
    ticks = sorted(set(places))
    axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    axes.minorticks_off()


def _published_label(axes: mpl.axes.Axes, definition: DistillationSweep) -> None:
    published = definition.published
    if published is not None:
        label = f"published (n = {published.n}), 95 %\n{published.source.partition(',')[0]}"
        axes.errorbar([], [], [], label=label, **_PUBLISHED)
