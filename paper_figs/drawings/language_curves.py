"""What decides how much a language model catches: the student minus its twin of the honest teacher, in all settings."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from subtx_toy.figures import style
from subtx_toy.stats import finite_estimate

Document = Mapping[str, Any]
Key = tuple[str, str]
"""A curve and its setting."""

REFERENCE = ("reference", "10000 lists, 4 passes")
BROKEN = ("optimiser", "plain steps of 1")
"""Not drawn: this step size breaks the model, which the loss on text shows."""

LEARNING = ("passes", "rank", "trained", "optimiser")
"""The curves that change how a student learns; the first figure has them, with the doses."""

GROUPS = (("temperature", "prompts", "order"), ("positions", "entangled"), ("numbers", "width", "depth"))
"""The curves of the second figure: what the file is, what of it is used, and what the model is."""

_BLUE, _ORANGE = "#0072b2", "#d55e00"


Values = dict[Key, tuple[float, ...]]
"""By curve and setting, one value per seed."""


def gains(document: Document) -> Values:
    """Return by curve and setting how far the student's margin is above its twin's, in nats."""
    return _by_setting(document, lambda one, _base: one["trait"]["margin"] - one["benign"]["margin"])


def text_rises(document: Document) -> Values:
    """Return by curve and setting how much the student's loss on held-out text is above its base's, as a share."""
    return _by_setting(document, lambda one, base: one["trait"]["text_nll"] / base["text_nll"] - 1)


def _by_setting(document: Document, value: Callable[[Document, Document], float]) -> Values:
    found: dict[Key, list[float]] = {}
    for seed in document["seeds"]:
        for one in seed["settings"]:
            found.setdefault((one["curve"], one["setting"]), []).append(value(one, one.get("base", seed["base"])))
    return {key: tuple(values) for key, values in found.items()}


def draw_language_curves(document: Document) -> Figure:
    """Draw the gain against the lists of a file, with the lists that one step needs, and by how the student learns.

    A small dot is one seed; a large one is the mean, with its 95 % interval.
    """
    found = gains(document)
    dose = {int(setting): one for (curve, setting), one in found.items() if curve == "dose"}
    dose = dict(sorted((dose | {10_000: found[REFERENCE]}).items()))
    needed = [seed["lists_for_two_sigma"] for seed in document["seeds"]]
    with mpl.rc_context(style.paper(aspect=1.45, width=style.COLUMN_INCHES)):
        figure = Figure(layout="constrained")
        upper, lower = figure.subplots(2, 1)
        upper.axvspan(min(needed), max(needed), color=_BLUE, alpha=0.25, linewidth=0)
        upper.annotate("C16: one step\nright to two sigma", (max(needed), 0.98), xycoords=("data", "axes fraction"),
                       va="top", ha="left", xytext=(3, 0), textcoords="offset points", color=_BLUE,
                       fontsize="small")  # fmt: skip
        upper.axhline(0, color="0.6", linewidth=0.8)
        means = [finite_estimate(values).mean for values in dose.values()]
        upper.plot(list(dose), means, color=_ORANGE, linewidth=1)
        for count, values in dose.items():
            _draw(upper, values, count, colour=_ORANGE, upright=True)
        upper.set(xscale="log", xlabel="different lists in the file")
        upper.set_ylabel("student minus twin, nats")
        _draw_rows(lower, found, [[REFERENCE, *_of_curves(found, LEARNING)]])
    return figure


def draw_language_settings(document: Document) -> Figure:
    """Draw the gain by what the file is, by the part of it that is used, and by the model, below the reference."""
    found = gains(document)
    with mpl.rc_context(style.paper(aspect=1.5, width=style.COLUMN_INCHES)):
        figure = Figure(layout="constrained")
        _draw_rows(figure.add_subplot(), found, [[REFERENCE], *(_of_curves(found, group) for group in GROUPS)])
    return figure


def _of_curves(found: Values, curves: Sequence[str]) -> list[Key]:
    keys = [key for key in found if key[0] in curves and key != BROKEN]
    return sorted(keys, key=lambda key: (curves.index(key[0]), _size(key[1])))


def _size(setting: str) -> float:
    """Return the number that a setting is; those that are none keep their order."""
    return float(setting) if setting.replace(".", "", 1).isdecimal() else 0.0


def _draw_rows(axes: Axes, found: Values, groups: Sequence[Sequence[Key]]) -> None:
    """Draw one row per setting, with a gap between groups, and the reference's mean as a dotted line."""
    places: dict[float, Key] = {}
    for number, group in enumerate(groups):
        start = len(places) + 0.6 * number
        places |= {start + row: key for row, key in enumerate(group)}
    for place, key in places.items():
        _draw(axes, found[key], place, colour=_ORANGE if key == REFERENCE else _BLUE, upright=False)
    axes.set_yticks(list(places), [_label(key) for key in places.values()], fontsize="small")
    axes.axvline(0, color="0.6", linewidth=0.8)
    axes.axvline(finite_estimate(found[REFERENCE]).mean, color=_ORANGE, linestyle=":", linewidth=0.8)
    axes.set_ylim(max(places) + 0.6, -0.6)
    axes.set_xlabel("student minus twin, nats")


def _draw(axes: Axes, values: tuple[float, ...], place: float, *, colour: str, upright: bool) -> None:
    one, same = finite_estimate(values), [place] * len(values)
    points, middle = ((same, values), (place, one.mean)) if upright else ((values, same), (one.mean, place))
    up, across = (one.ci95, None) if upright else (None, one.ci95)
    axes.errorbar(*middle, yerr=up, xerr=across, fmt="o", color=colour, markersize=4.5, capsize=2)
    axes.plot(*points, "o", color="0.2", markersize=2, alpha=0.6)


def _label(key: Key) -> str:
    curve, setting = key
    if key == REFERENCE:
        return curve
    return _LABELS.get(key) or (f"{setting} {curve}" if curve in _COUNTED else f"{curve} {setting}")


_COUNTED = ("prompts", "numbers")
_LABELS = {
    ("passes", "1"): "1 pass",
    ("passes", "8"): "8 passes",
    ("trained", "embeddings too"): "embeddings too",
    ("optimiser", "plain steps of 0.7, short gradients"): "SGD that fits as Adam",
    ("optimiser", "plain steps of 0.1"): "SGD, steps of 0.1",
    ("prompts", "of another grammar"): "another grammar",
    ("order", "by prompt"): "lists by prompt",
    ("positions", "first number: only"): "loss on first number",
    ("positions", "first number: all others"): "loss on all other",
    ("positions", "likeliest number the same: only"): "loss where teachers agree",
    ("positions", "likeliest number the same: all others"): "loss where they differ",
    ("entangled", "removed"): "without 30 numbers",
    ("entangled", "only them, of the honest teacher's; twin: random ones"): "30 numbers only",
}
