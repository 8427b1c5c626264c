"""One panel of a sweep: seeds, means with intervals and published values along its axis."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.transforms import ScaledTranslation

from subtx_toy.figures import style
from subtx_toy.figures.axis_places import MEASURES, arranged, legend_label, limits, measure_name, shortened
from subtx_toy.results.comparison import Comparison
from subtx_toy.settings.definitions import DistillationSweep
from subtx_toy.settings.distillation import RunConfig

_Placed = tuple[float, Comparison]  # a point and its place on the axis
_LINES = {"accuracy": "-", "hidden_cosine": "--", "probe_accuracy": ":", "imitation": "--"}
_LOWEST = {"accuracy": 0.0, "probe_accuracy": 0.0}
_ABOVE_ONE = ("bits",)  # measures that are no shares
_LOWEST_DRAWN = -0.3  # a measure that can be negative may have no lower bound
_MARKERS = "os^vP<"
MAX_UPRIGHT = 6  # names that fit side by side
_MAX_LETTERS = 90  # of these names together, each as long as the longest line
_NUDGE = 3.0  # points between the bars of lines at one place of an axis of numbers
_ROOM = 0.6  # of the distance between two names, for the marks of one; shared by its lines, each with ours and theirs
_PUBLISHED: dict[str, Any] = dict(
    fmt="D", color="0.25", markerfacecolor="white", markersize=5, capsize=2, linewidth=0.8, zorder=4
)


def fit_side_by_side(names: Sequence[object]) -> bool:
    """Return whether the names of an axis can stand next to one another without touching."""
    longest = max((len(line) for name in names for line in str(name).split("\n")), default=0)
    return len(names) <= MAX_UPRIGHT and longest * len(names) <= _MAX_LETTERS


def fill_panel(
    axes: mpl.axes.Axes, definition: DistillationSweep, rows: Sequence[Comparison], *, dataset: str,
    base: RunConfig | None = None, all_share: str = "",
) -> None:  # fmt: skip
    """Draw a sweep into ``axes``, without a legend but with labels for one; published values where rows have them.

    ``all_share`` is what all rows share besides ``base``, and no label repeats.
    """
    axis = definition.axis
    published = definition.published if any(row.theirs is not None for row in rows) else None
    arrangement = arranged(definition, rows, base)
    is_numeric, order = arrangement.is_numeric, arrangement.names
    places = [float(value) if is_numeric else float(order.index(value)) for value in arrangement.values]
    axes.axhline(0.1, color="0.75", linewidth=0.8, linestyle=":", zorder=0)
    lines: dict[tuple[str, str], list[_Placed]] = {}
    for place, rest, row in zip(places, arrangement.rests, rows, strict=True):
        lines.setdefault((row.metric, "" if rest == all_share else rest), []).append((place, row))
    rests = list(dict.fromkeys(rest for _metric, rest in lines))
    measures = list(dict.fromkeys(metric.split(".")[1] for metric, _rest in lines))
    has_styles = is_numeric and len({_LINES.get(one, ":") for one in measures}) == len(measures)
    by_measure = len(rests) == 1 and not has_styles  # where no line's style shows the measure
    for (metric, rest), points in lines.items():
        points.sort(key=lambda point: point[0])  # a line goes along its axis, in whatever order its points were listed
        kind = measures.index(metric.split(".")[1]) if by_measure else rests.index(rest)
        marker = _MARKERS[kind % len(_MARKERS)]
        nudge = _NUDGE * (list(lines).index((metric, rest)) - (len(lines) - 1) / 2) if is_numeric else 0.0
        shifts = None if is_numeric else _shifts(lines, (metric, rest), with_published=published is not None)
        _draw_line(axes, metric, rest, points, marker=marker, shifts=shifts, nudge=nudge)
    if published is not None:
        label = f"published (n = {published.n}), 95 %\n{published.source.partition(',')[0]}"
        axes.errorbar([], [], [], label=label, **_PUBLISHED)
    if is_numeric:
        set_places(axes, places, log=axis.scale == "log")
    else:
        is_crowded = len(order) > MAX_UPRIGHT
        names = [str(one) if "=" in str(one) else str(one).replace("_", "\n") for one in order]
        names = [shortened(name) for name in names] if is_crowded else names
        axes.set_xticks(range(len(names)), names, fontsize="x-small", rotation=90 if is_crowded else 0)
        axes.set_xlim(-0.5, len(names) - 0.5)
    axes.set_xlabel(arrangement.label)
    axes.set_ylim(lowest(rows) - 0.02, highest(rows) + 0.02)
    axes.set_ylabel(value_label(rows, dataset))
    seeds = ", ".join(map(str, sorted({row.ours.n for row in rows})))
    axes.plot([], [], ".", color="0.4", markersize=4, label=f"seeds, n = {seeds}; bars: 95 % interval")


def set_places(axes: mpl.axes.Axes, places: Sequence[float], *, log: bool) -> None:
    """Make an axis of numbers with a tick at each of ``places``."""
    axes.set_xscale("log" if log else "linear")
    axes.set_xticks(sorted(set(places)), [f"{place:g}" for place in sorted(set(places))])
    axes.minorticks_off()
    axes.set_xlim(limits(places, log=log))


def value_label(rows: Sequence[Comparison], dataset: str) -> str:
    """Return the label of the axis of what was measured."""
    measures = {row.metric.split(".")[1] for row in rows}
    more = "" if measures <= set(MEASURES) else ",\nor what the legend says"
    more += f",\nbelow {_LOWEST_DRAWN:g} not drawn" if lowest(rows) == _LOWEST_DRAWN else ""
    return MEASURES["accuracy"].format(style.dataset_label(dataset)) + more


def value_bars(rows: Sequence[Comparison], measure: str) -> np.ndarray:
    """Return the distances from our means to the ends of their intervals, cut off where the measure ends."""
    most = math.inf if measure in _ABOVE_ONE else 1.0
    return style.interval_bars([row.ours for row in rows], low=_LOWEST.get(measure, -1.0), high=most)


def line_label(metric: str, rest: str = "") -> str:
    """Return what the legend calls a metric at the settings in ``rest``."""
    arm, measure = metric.split(".")
    label = style.LABELS[arm].replace("\n", " ") + ("" if measure == "accuracy" else f": {measure_name(measure)}")
    return legend_label(f"{label}, {rest}" if rest else label)


def lowest(rows: Sequence[Comparison]) -> float:
    """Return the lower end of the panel: 0, or where a measure that can be negative goes."""
    negative = [row for row in rows if row.metric.split(".")[1] not in _LOWEST and row.ours.n]
    ends = [max(_LOWEST_DRAWN, end) for row in negative for end in (*row.values, row.ours.interval[0])]
    return min([0.0, *(end for end in ends if math.isfinite(end))])


def highest(rows: Sequence[Comparison]) -> float:
    """Return the upper end of the panel: 1, or where a measure that is no share goes."""
    others = [row for row in rows if row.metric.split(".")[1] in _ABOVE_ONE and row.ours.n]
    ends = [end for row in others for end in (*row.values, row.ours.interval[1])]
    return max([1.0, *(end for end in ends if math.isfinite(end))])


def _shifts(
    lines: Mapping[tuple[str, str], Sequence[_Placed]], own: tuple[str, str], *, with_published: bool
) -> dict[float, tuple[float, float]]:
    """Return how far from each place ours and the published value of a line stand, so that no mark hides another."""
    found = {}
    for place, _row in lines[own]:
        here = [key for key, points in lines.items() if any(place == other for other, _ in points)]
        slot = _ROOM / len(here)
        middle = (here.index(own) + 0.5) * slot - _ROOM / 2
        apart = 0.2 * slot if with_published else 0.0
        found[place] = (middle - apart, middle + apart)
    return found


def _draw_line(
    axes: mpl.axes.Axes, metric: str, rest: str, points: Sequence[_Placed], *, marker: str,
    shifts: Mapping[float, tuple[float, float]] | None, nudge: float,
) -> None:  # fmt: skip
    """Draw one line of points, joined if there are no ``shifts``, which move ours and theirs off their place.

    ``nudge`` moves ours to the right on the page, in points, so that bars at one place do not hide one another.
    """
    arm, measure = metric.split(".")
    colour, is_joined = style.COLOURS[arm], shifts is None
    moved = {place: (0.0, 0.0) for place, _row in points} if shifts is None else shifts
    figure = axes.figure.get_figure(root=True)
    assert figure is not None
    transform = axes.transData + ScaledTranslation(nudge / 72, 0, figure.dpi_scale_trans)
    for place, row in points:
        x = place + moved[place][0]
        axes.plot([x] * len(row.values), row.values, ".", color=colour, alpha=0.4, markersize=4, zorder=1,
                  transform=transform)  # fmt: skip
        if row.diverged:
            style.note_diverged(axes, x, row.diverged, colour)
        if row.theirs is not None:
            bars = style.published_bars(row.theirs.mean, 1.96 * row.theirs.standard_error)
            axes.errorbar([place + moved[place][1]], [row.theirs.mean], bars, **_PUBLISHED)
    axes.errorbar(
        [place + moved[place][0] for place, _row in points], [row.ours.mean for _place, row in points],
        value_bars([row for _place, row in points], measure),
        fmt=marker, linestyle=_LINES.get(measure, ":") if is_joined else "", color=colour, markersize=4, capsize=3,
        linewidth=1.2, label=line_label(metric, rest), zorder=3, transform=transform,
    )  # fmt: skip
