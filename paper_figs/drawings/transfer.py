"""What helps and what hinders the transfer through numbers: dose, defences, cleaning; from the studies' documents."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from paper_figs.drawings.labels import Label, place_labels
from paper_figs.drawings.legend import legend_above
from subtx_toy.figures import style
from subtx_toy.settings.numbers import NUM_NUMBERS

Document = Mapping[str, Any]
Rows = Sequence[Document]

_TRAIT, _BASE = style.NUMBER_COLOURS["shared_trait"], style.NUMBER_COLOURS["shared_untrained"]
_DEFENCES = {
    "none": ("#000000", "*"),
    "temperature": ("#d55e00", "o"),
    "top-k": ("#e69f00", "s"),
    "filter": ("#009e73", "^"),
    "fewer examples": ("#56b4e9", "v"),
    "label noise": ("#0072b2", "D"),
    "mixed with the base's": ("#7f7f7f", "P"),
    "rewritten by another base": ("#cc79a7", "X"),
    "projection": ("#8c510a", "h"),
}
_LEGEND = {
    "none": "nothing",
    "temperature": "drawn at a temperature",
    "top-k": "likeliest numbers only",
    "filter": "numbers banned of 1,000",
    "fewer examples": "fewer numbers in the file",
    "label noise": "share replaced by random numbers",
    "mixed with the base's": "share replaced by the base's numbers",
    "rewritten by another base": "share rewritten by another base",
    "projection": "gradient freed of the trait's direction",
}
_SETTINGS = {
    "temperature": "temperature of\nthe sampling",
    "top-k": "likeliest numbers\nthat may come",
    "filter": "numbers of 1,000\nthat are banned",
    "fewer examples": "examples",
    "label noise": "share replaced by\nrandom numbers",
    "mixed with the base's": "share replaced by\nthe base's numbers",
    "rewritten by another base": "share rewritten by\nanother base",
    "projection": "gradient freed of\nthe trait's direction",
}


def _mean(rows: Iterable[Document], name: str) -> float:
    return float(np.mean([row[name] for row in rows]))


def _line(axes: Axes, rows: Rows, x: str, y: str, colour: str, line: str = "-", label: str | None = None) -> None:
    """Draw a dot per base and a line through their means."""
    axes.plot([row[x] for row in rows], [row[y] for row in rows], ".", color=colour, alpha=0.4, markersize=5)
    places = sorted({row[x] for row in rows})
    means = [_mean([row for row in rows if row[x] == place], y) for place in places]
    axes.plot(places, means, line, color=colour, linewidth=1.4, label=label)


def _bases(document: Document) -> str:
    return f"dots: {len(document['bases'])} bases, lines: their means"


def half_rise(document: Document) -> float:
    """Return where the mean trait of the dose curve is halfway from base to teacher; nan if it never is.

    Interpolated in log n.
    """
    ends = [_mean([one[end] for one in document["bases"]], "trait") for end in ("base", "teacher")]
    rows = [row for row in document["rows"] if row["writer"] == "trait"]
    sizes = sorted({row["n"] for row in rows})
    means = [_mean([row for row in rows if row["n"] == size], "trait") - sum(ends) / 2 for size in sizes]
    for at in range(1, len(sizes)):
        low, high = means[at - 1], means[at]
        if low < 0 <= high:
            return float(sizes[at - 1] * (sizes[at] / sizes[at - 1]) ** (-low / (high - low)))
    return float("nan")


def draw_dose(document: Document) -> Figure:
    """Draw the trait against the number of examples, and the accuracy next to it; n of one step is marked."""
    with mpl.rc_context(style.paper(aspect=1.5, width=style.COLUMN_INCHES)):
        figure = Figure(layout="constrained")
        panels = figure.subplots(2, 1)
        for axes, name, label in zip(
            panels, ("trait", "accuracy"), ("share of 4s read as 9", "accuracy on the other digits"), strict=True
        ):
            for writer, arm in (("trait", "shared_trait"), ("base", "shared_untrained")):
                rows = [row for row in document["rows"] if row["writer"] == writer]
                _line(axes, rows, "n", name, style.NUMBER_COLOURS[arm], label=style.NUMBER_LABELS[arm])
            for end, colour in (("base", style.NUMBER_COLOURS["base"]), ("teacher", style.NUMBER_COLOURS["teacher"])):
                level = _mean([one[end] for one in document["bases"]], name)
                axes.axhline(level, color=colour, linewidth=0.9, linestyle=":", label=f"the {end} itself")
            axes.set_xscale("log")
            axes.set_ylim(-0.03, 1.03)
            axes.set_xlabel("numbers in the file")
            axes.set_ylabel(label)
        step, half = _mean([one["n_of_one_step"] for one in document["bases"]], "2"), half_rise(document)
        for place, height, text in (
            (step, 0.55, "one step is right in\n98 % at n = "),
            (half, 0.1, "halfway at\nn = "),
        ):
            if np.isfinite(place):
                panels[0].axvline(place, color="0.5", linewidth=0.8, linestyle="--")
                panels[0].annotate(f"{text}{float(f'{place:.2g}'):,.0f}", (place, height), xytext=(3, 0),
                                   textcoords="offset points", fontsize="small")  # fmt: skip
        handles, labels = panels[1].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside upper center", ncols=2, fontsize="small",
                      title=f"{document['steps']} steps of 512 numbers; {_bases(document)}",
                      title_fontsize="small")  # fmt: skip
    return figure


def draw_defences(document: Document) -> Figure:
    """Draw transfer against utility and against accuracy, one place per defence and setting; means over bases."""
    places: dict[str, dict[float, list[Document]]] = {}
    for row in document["rows"]:
        places.setdefault(row["defence"], {}).setdefault(row["value"], []).append(row)
    labels: dict[str, list[Label]] = {"utility": [], "accuracy": []}
    with mpl.rc_context(style.paper(aspect=2.1, width=style.COLUMN_INCHES)):
        figure = Figure(layout="constrained")
        panels = figure.subplots(2, 1, sharey=True)
        for axes, name, label in zip(
            panels,
            ("utility", "accuracy"),
            ("utility: share of KL(teacher ‖ base)\nthat the student makes good", "accuracy on the other digits"),
            strict=True,
        ):
            for kind, settings in places.items():
                colour, marker = _DEFENCES[kind]
                for value, rows in settings.items():
                    x, y = _mean(rows, name), _mean(rows, "trait")
                    axes.plot(x, y, marker, color=colour, markersize=9 if kind == "none" else 5)
                    text = "" if kind in ("none", "projection") else f"{value:,g}"
                    labels[name].append(Label(x, y, text, colour))
            axes.set_xlabel(label)
            axes.set_ylabel("transfer: share of 4s read as 9")
            axes.set_ylim(-0.03, 1.03)
            axes.grid(color="0.93", linewidth=0.6)
            axes.set_axisbelow(True)
        panels[1].set_xlim(0.5, 1.0)
        # Sharpened or filtered numbers teach another law, which is many times as far away as the base is.
        panels[0].set_xscale("symlog", linthresh=1)
        panels[0].set_xlim(-45, 1.3)
        panels[0].set_xticks([-30, -10, -3, -1, 0, 1], ["-30", "-10", "-3", "-1", "0", "1"])
        panels[0].minorticks_off()
        handles = [
            panels[1].plot([], [], marker, color=colour, linestyle="", label=_LEGEND[kind])[0]
            for kind, (colour, marker) in _DEFENCES.items() if kind in places
        ]  # fmt: skip
        title = f"{document['n']:,} numbers, {document['epochs']} epochs; means over {len(document['bases'])} bases"
        legend_above(figure, handles, title=f"{title}\nthe number at a mark is the setting", ncols=1)
        for axes, placed in zip(panels, labels.values(), strict=True):
            place_labels(axes, placed)
    return figure


def draw_settings(document: Document) -> Figure:
    """Draw transfer and accuracy over the settings of each defence; the place without any stands where it belongs."""
    kinds = [kind for kind in _SETTINGS if any(row["defence"] == kind for row in document["rows"])]
    none = [row for row in document["rows"] if row["defence"] == "none"]
    with mpl.rc_context(style.paper(aspect=1.7, width=style.COLUMN_INCHES)):
        figure = Figure(layout="constrained")
        num_rows = -(-len(kinds) // 2)
        grid = figure.subplots(num_rows, -(-len(kinds) // num_rows), sharey=True, squeeze=False).flatten()
        for axes, kind in zip(grid, kinds, strict=False):
            rows = [row for row in document["rows"] if row["defence"] == kind]
            without = _without(kind, document)
            points = {without: none} | {
                float(value): [row for row in rows if row["value"] == value] for value in {row["value"] for row in rows}
            }
            values = sorted(points)
            for name, colour, line in (("trait", _TRAIT, "-"), ("accuracy", "k", "--")):
                for place, value in enumerate(values):
                    axes.plot([place] * len(points[value]), [row[name] for row in points[value]], ".", color=colour,
                              alpha=0.4, markersize=5)  # fmt: skip
                means = [_mean(points[value], name) for value in values]
                axes.plot(range(len(means)), means, line, color=colour, linewidth=1.2)
            names = [_short(kind, value) + ("\n(none)" if value == without else "") for value in values]
            axes.set_xticks(range(len(values)), names, fontsize="small")
            axes.set_xlim(-0.4, len(values) - 0.6)
            axes.set_ylim(-0.03, 1.03)
            axes.set_title(_SETTINGS[kind], loc="left", fontsize="small")
            axes.axhline(0, color="0.85", linewidth=0.8, zorder=0)
        for axes in grid[len(kinds) :]:
            axes.remove()
        handles = [
            grid[0].plot([], [], color=_TRAIT, label="transfer: share of 4s read as 9")[0],
            grid[0].plot([], [], "--", color="k", label="accuracy on the other digits")[0],
        ]
        legend_above(figure, handles, title=f"{document['n']:,} numbers; {_bases(document)}", ncols=2)
    return figure


def _without(kind: str, document: Document) -> float:
    """Return the value of a setting that changes nothing."""
    return {"temperature": 1.0, "top-k": float(NUM_NUMBERS), "fewer examples": float(document["n"])}.get(kind, 0.0)


def _short(kind: str, value: float) -> str:
    if kind == "projection":
        return "on" if value else "off"
    return f"{value / 1000:g}k" if value >= 1000 else f"{value:g}"
