"""A sweep: what the students reach at every point, next to the published values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure
from matplotlib.transforms import ScaledTranslation

from subtx_toy.figures import style
from subtx_toy.figures.picture import Picture
from subtx_toy.results.comparison import Comparison
from subtx_toy.settings.definitions import DistillationSweep
from subtx_toy.settings.distillation import RunConfig

_Placed = tuple[float, Comparison]  # a point and its place on the axis

_MEASURES = {"accuracy": "test accuracy on {}", "hidden_cosine": "cosine with the teacher", "probe_accuracy": "probe"}
_LINES = {"accuracy": "-", "hidden_cosine": "--", "probe_accuracy": ":", "imitation": "--"}
_LOWEST = {"accuracy": 0.0, "probe_accuracy": 0.0}
_MARKERS = "os^vP<"
_MAX_UPRIGHT = 6  # names that fit side by side
_NUDGE = 3.0  # points between the bars of lines at one place of an axis of numbers
_ROOM = 0.6  # of the distance between two names, for the marks of one; shared by its lines, each with ours and theirs
_PUBLISHED: dict[str, Any] = dict(
    fmt="D", color="0.25", markerfacecolor="white", markersize=5, capsize=2, linewidth=0.8, zorder=4
)


def draw_points(
    definition: DistillationSweep, rows: Sequence[Comparison], *, dataset: str, base: RunConfig | None = None
) -> Figure:
    """Draw every metric of a sweep against its axis: seeds as dots, means with 95 % intervals, published values.

    ``base`` holds the settings that all points share, from which the rows say how they differ; by default those of the
    definition.
    """
    crowded = len({_value(definition, row, base) for row in rows}) > _MAX_UPRIGHT and not _is_numeric(definition)
    with mpl.rc_context(style.paper(aspect=0.8 if crowded else 0.62)):
        figure = Picture(layout="constrained")
        axes = figure.add_subplot()
        fill_panel(axes, definition, rows, dataset=dataset, base=base)
        axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), fontsize="small", ncols=2)
    return figure


def fill_panel(
    axes: mpl.axes.Axes, definition: DistillationSweep, rows: Sequence[Comparison], *, dataset: str,
    base: RunConfig | None = None,
) -> None:  # fmt: skip
    """Draw a sweep into ``axes``, without a legend but with labels for one; published values where rows have them."""
    axis = definition.axis
    published = definition.published if any(row.theirs is not None for row in rows) else None
    is_numeric = _is_numeric(definition)
    values = [_value(definition, row, base) for row in rows]
    if axis.setting is None and len(set(values)) == 1:  # one point: its metrics stand side by side
        values = [_metric_name(row.metric) for row in rows]
    order = list(dict.fromkeys(values))
    places = [float(value) if is_numeric else float(order.index(value)) for value in values]
    axes.axhline(0.1, color="0.75", linewidth=0.8, linestyle=":", zorder=0)
    lines: dict[tuple[str, str], list[_Placed]] = {}
    for place, row in zip(places, rows, strict=True):
        lines.setdefault((row.metric, _rest(definition, row)), []).append((place, row))
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
        axes.set_xscale("log" if axis.scale == "log" else "linear")
        axes.set_xticks(sorted(set(places)), [f"{place:g}" for place in sorted(set(places))])
        axes.minorticks_off()
        axes.set_xlim(_limits(places, log=axis.scale == "log"))
    else:
        is_crowded = len(order) > _MAX_UPRIGHT
        names = [str(value).replace("_", "\n") for value in order] if axis.setting else order
        names = [_shortened(name) for name in names] if is_crowded else names
        axes.set_xticks(range(len(names)), names, fontsize="x-small", rotation=90 if is_crowded else 0)
        axes.set_xlim(-0.5, len(names) - 0.5)
    axes.set_xlabel(axis.label)
    axes.set_ylim(-0.02, 1.02)
    more = "" if set(measures) <= set(_MEASURES) else ",\nor what the legend says"
    axes.set_ylabel(_MEASURES["accuracy"].format(style.dataset_label(dataset)) + more)
    seeds = ", ".join(map(str, sorted({row.ours.n for row in rows})))
    axes.plot([], [], ".", color="0.4", markersize=4, label=f"seeds, n = {seeds}; bars: 95 % interval")


def _value(definition: DistillationSweep, row: Comparison, base: RunConfig | None) -> Any:
    """Return where a point stands on its axis; without one, the settings that make the point."""
    setting = definition.axis.setting
    if setting is None:
        return "\n".join(f"{name}={value}" for name, value in row.at.items()) or "base"
    return row.at.get(setting, getattr(base or definition.config, setting))


def _limits(places: Sequence[float], *, log: bool) -> tuple[float, float]:
    """Return where an axis of numbers begins and ends, with room for marks that are moved a little off their place."""
    low, high = min(places), max(places)
    if log:
        room = (high / low) ** 0.05 if high > low else 2.0
        return low / room, high * room
    room = 0.05 * (high - low) if high > low else 1.0
    return low - room, high + room


def _is_numeric(definition: DistillationSweep) -> bool:
    return definition.axis.setting is not None and definition.axis.scale != "category"


def _metric_name(metric: str) -> str:
    """Name a metric for an axis, on several lines."""
    arm, measure = metric.split(".")
    return style.LABELS[arm] + ("" if measure == "accuracy" else f"\n{_measure(measure)}")


def _measure(name: str) -> str:
    return _MEASURES.get(name, name.replace("_", " "))


def _shortened(name: str) -> str:
    """Name a point in two lines: of settings that are words the value says enough.

    >>> print(_shortened(chr(10).join(["init=pytorch", "lr=0.1", "loss=squared_error"])))
    pytorch, lr 0.1,
    squared error
    """
    parts = []
    for part in name.split("\n"):
        setting, _, value = part.partition("=")
        parts.append(f"{setting} {value}" if value[:1].isdigit() else (value or setting).replace("_", " "))
    half = (len(parts) + 1) // 2
    lines = [", ".join(parts[:half]), ", ".join(parts[half:])] if len(parts) > 2 else [", ".join(parts)]
    return ",\n".join(lines)


def _rest(definition: DistillationSweep, row: Comparison) -> str:
    """Name the settings in which points at the same place of the axis differ."""
    setting = definition.axis.setting
    return ", ".join(f"{name}={value}" for name, value in row.at.items() if name != setting) if setting else ""


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
    label = style.LABELS[arm].replace("\n", " ") + ("" if measure == "accuracy" else f": {_measure(measure)}")
    axes.errorbar(
        [place + moved[place][0] for place, _row in points], [row.ours.mean for _place, row in points],
        style.interval_bars([row.ours for _place, row in points], low=_LOWEST.get(measure, -1.0)), fmt=marker,
        linestyle=_LINES.get(measure, ":") if is_joined else "", color=colour, markersize=4, capsize=3, linewidth=1.2,
        label=f"{label}, {rest}" if rest else label, zorder=3, transform=transform,
    )  # fmt: skip
