"""Stored trials as a figure: means along a setting, a map over two settings, every configuration as a line."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

from subtx_toy.figures import style
from subtx_toy.figures.picture import Picture
from subtx_toy.results.cells import Cell, order
from subtx_toy.results.plot_data import Layout, heat_map, importance
from subtx_toy.results.presentation import setting_text

# Okabe and Ito's colours, told apart with any kind of colour vision.
_COLOURS = ("#d55e00", "#0072b2", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000", "#7f7f7f")
_MARKERS = "os^vDP*X"
_CROWDED = 6  # names that fit side by side
_MAX_WRITTEN = 150  # cells of a map in which a number still fits
_LEGEND_LETTERS = 80  # of a line of the legend that is as wide as the figure
_LEGEND_INCHES = 0.17  # the height of such a line
_LETTER_INCHES = 0.055  # the width of a letter of the smallest font, with some space


def draw_lines(layout: Layout, *, label: str) -> Figure:
    """Draw means with 95 % intervals along a setting, one line a combination of the others, published values on top.

    The limits of an axis of shares are 0 and 1; seeds that diverged are counted in the picture.
    """
    with mpl.rc_context(style.paper(aspect=0.62)):
        figure = Picture(layout="constrained")
        axes = figure.add_subplot()
        is_joined = layout.scale != "category"
        for number, line in enumerate(layout.lines):
            cells = [cell for cell in line.cells if cell.estimate.n]
            places = [layout.place(cell.axes[layout.x]) for cell in cells]
            shift = 0.0 if is_joined else 0.5 * ((number + 0.5) / len(layout.lines) - 0.5)
            means = np.array([cell.estimate.mean for cell in cells])
            ends = np.array([cell.estimate.interval for cell in cells]).reshape(-1, 2)
            bars = np.nan_to_num(np.stack([means - ends[:, 0], ends[:, 1] - means]))
            colour = _COLOURS[number % len(_COLOURS)]
            axes.errorbar(
                [place + shift for place in places], means, bars, color=colour, capsize=2, linewidth=1.2, markersize=4,
                fmt=_MARKERS[number % len(_MARKERS)], linestyle="-" if is_joined else "", label=line.label or None,
            )  # fmt: skip
            for place, cell in zip(places, cells, strict=True):
                if cell.diverged:
                    style.note_diverged(axes, place + shift, cell.diverged, colour)
        for value, mean, half in layout.published:
            axes.errorbar(
                layout.place(value), mean, 0.0 if math.isnan(half) else half, fmt="D", color="0.25",
                markerfacecolor="white", markersize=5, capsize=2, linewidth=0.8, zorder=4,
            )  # fmt: skip
        if layout.published:
            axes.plot([], [], "D", color="0.25", markerfacecolor="white", markersize=5, label="published")
        _finish(axes, layout, label)
    return figure


def _finish(axes: mpl.axes.Axes, layout: Layout, label: str) -> None:
    if layout.scale == "category":
        _name_ticks(axes, layout.values)
    else:
        axes.set_xscale(layout.scale)
        places = [layout.place(value) for value in layout.values]
        if len(places) <= 2 * _CROWDED:
            axes.set_xticks(places, [setting_text(value) for value in layout.values])
            axes.minorticks_off()
    if layout.metric.endswith("accuracy"):
        axes.set_ylim(-0.02, 1.02)
    axes.set_xlabel(layout.x)
    axes.set_ylabel(label)
    handles, names = axes.get_legend_handles_labels()
    if names:
        _name_lines(axes, handles, names)


def _name_lines(axes: mpl.axes.Axes, handles: Sequence[Any], names: Sequence[str]) -> None:
    """Write the names of the lines above the axes: side by side, or below one another; the figure grows with them."""
    ncols = 2 if max(map(len, names)) <= _LEGEND_LETTERS // 2 - 4 else 1
    texts = [textwrap.fill(name, _LEGEND_LETTERS) for name in names]
    height = sum(text.count("\n") + 1 for text in texts) / ncols
    figure = axes.figure
    assert isinstance(figure, Figure)
    width, whole = figure.get_size_inches()
    figure.set_size_inches(width, whole + _LEGEND_INCHES * max(0.0, height - _CROWDED / 2))
    axes.legend(handles, texts, loc="lower center", bbox_to_anchor=(0.5, 1.0), fontsize="small", ncols=ncols)


def _name_ticks(axes: mpl.axes.Axes, values: Sequence[object]) -> None:
    names = [setting_text(value) for value in values]
    axes.set_xticks(range(len(names)), names, rotation=90 if len(names) > _CROWDED else 0)
    axes.set_xlim(-0.5, len(names) - 0.5)


def draw_map(cells: Sequence[Cell], *, x: str | None, by: str | None, label: str) -> Figure:
    """Draw the means over two settings as a map; what was not run is left white."""
    column, row, columns, rows, found = heat_map(cells, x=x, by=by)
    values = np.full((len(rows), len(columns)), np.nan)
    for (first, second), cell in found.items():
        values[rows.index(second), columns.index(first)] = cell.estimate.mean if cell.estimate.n else np.nan
    with mpl.rc_context(style.paper(aspect=0.7)):
        figure = Picture(layout="constrained")
        axes = figure.add_subplot()
        is_share = cells[0].metric.endswith("accuracy")
        image = axes.imshow(
            values, origin="lower", aspect="auto", cmap="viridis", vmin=0 if is_share else None,
            vmax=1 if is_share else None,
        )  # fmt: skip
        figure.colorbar(image, ax=axes, label=label)
        axes.set_xticks(
            range(len(columns)), [setting_text(value) for value in columns], rotation=90 * (len(columns) > 8)
        )
        axes.set_yticks(range(len(rows)), [setting_text(value) for value in rows])
        axes.set(xlabel=column, ylabel=row)
        for at in np.ndindex(values.shape) if values.size <= _MAX_WRITTEN else ():
            if np.isfinite(values[at]):
                red, green, blue, _ = image.cmap(image.norm(values[at]))
                ink = "black" if 0.299 * red + 0.587 * green + 0.114 * blue > 0.5 else "white"
                axes.text(at[1], at[0], f"{values[at]:.2g}", ha="center", va="center", fontsize="x-small", color=ink)
    return figure


def draw_parallel(cells: Sequence[Cell], *, label: str) -> Figure:
    """Draw every configuration as a line through its settings to its mean; each setting has its share of the variance.

    Values stand in their order at equal distances. The colour is the mean. The figure is as wide as the names need.
    """
    kept = [cell for cell in cells if cell.estimate.n]
    shares = importance(kept)
    values = {name: sorted({cell.axes.get(name): None for cell in kept}, key=order) for name in shares}
    means = np.array([cell.estimate.mean for cell in kept])
    low, span = means.min(), max(np.ptp(means), 1e-300)
    names = [f"{name}\n{shares[name]:.0%} of variance" for name in values]
    ends = label.replace(" ", "\n", 1)
    written = [*(setting_text(value) for found in values.values() for value in found), *names, ends]
    letters = max(len(line) for text in written for line in text.split("\n"))
    width = max(style.WIDTH_INCHES, _LETTER_INCHES * letters * (len(values) + 1))
    with mpl.rc_context(style.paper(aspect=0.6 * style.WIDTH_INCHES / width, width=width)):
        figure = Picture(layout="constrained")
        axes = figure.add_subplot()
        for index in np.argsort(means):
            cell, height = kept[index], (means[index] - low) / span
            heights = [values[name].index(cell.axes.get(name)) / max(1, len(values[name]) - 1) for name in values]
            colour = mpl.colormaps["viridis"](height)
            axes.plot([*range(len(values)), len(values)], [*heights, height], color=colour, linewidth=1, alpha=0.8)
        for place, found in enumerate(values.values()):
            axes.axvline(place, color="0.8", linewidth=0.8, zorder=0)
            for index, value in enumerate(found if len(found) <= 2 * _CROWDED else [found[0], found[-1]]):
                height = index / max(1, min(len(found), 2 * _CROWDED) - 1) if len(found) <= 2 * _CROWDED else index
                axes.annotate(
                    setting_text(value), (place, height), xytext=(-3, 0), textcoords="offset points", ha="right",
                    va="center", fontsize="x-small", bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.5},
                )  # fmt: skip
        axes.axvline(len(values), color="0.3", linewidth=0.8)
        for height, value in ((0.0, means.min()), (1.0, means.max())):
            axes.annotate(
                f"{value:.3g}", (len(values), height), xytext=(4, 0), textcoords="offset points", va="center",
                fontsize="x-small",
            )  # fmt: skip
        axes.set_xticks(range(len(values) + 1), [*names, ends], fontsize="x-small")
        axes.set_yticks([])
        axes.spines["left"].set_visible(False)
        axes.margins(x=min(0.12, 0.5 / len(values)))
    return figure
