"""What decides how much a language model catches: the student minus its twin of the honest teacher, in all settings."""

from __future__ import annotations

from collections.abc import Callable, Mapping
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
    """Draw the gain against the lists of a file, with the lists that one step needs, and the gain of all others.

    A small dot is one seed; a large one is the mean, with its 95 % interval.
    """
    found = gains(document)
    dose = {int(setting): one for (curve, setting), one in found.items() if curve == "dose"}
    dose = dict(sorted((dose | {10_000: found[REFERENCE]}).items()))
    others = {key: one for key, one in found.items() if key[0] != "dose" and key != BROKEN}
    needed = [seed["lists_for_two_sigma"] for seed in document["seeds"]]
    with mpl.rc_context(style.paper(aspect=1.6, width=style.COLUMN_INCHES)):
        figure = Figure(layout="constrained")
        left, right = figure.subplots(2, 1)
        left.axvspan(min(needed), max(needed), color=_BLUE, alpha=0.25, linewidth=0)
        left.annotate("C16: one step\nright to two sigma", (max(needed), 0.98), xycoords=("data", "axes fraction"),
                      va="top", ha="left", xytext=(3, 0), textcoords="offset points", color=_BLUE,
                      fontsize="small")  # fmt: skip
        left.axhline(0, color="0.6", linewidth=0.8)
        means = [finite_estimate(values).mean for values in dose.values()]
        left.plot(list(dose), means, color=_ORANGE, linewidth=1)
        for count, values in dose.items():
            _draw(left, values, count, colour=_ORANGE, upright=True)
        left.set(xscale="log", xlabel="different lists in the file")
        left.set_ylabel("margin of owl: student minus twin, nats")
        for place, (key, values) in enumerate(others.items()):
            _draw(right, values, place, colour=_ORANGE if key == REFERENCE else _BLUE, upright=False)
        right.set_yticks(range(len(others)), [_label(key) for key in others], fontsize="small")
        right.axvline(0, color="0.6", linewidth=0.8)
        right.axvline(finite_estimate(found[REFERENCE]).mean, color=_ORANGE, linestyle=":", linewidth=0.8)
        right.set_ylim(len(others) - 0.4, -0.6)
        right.set_xlabel("student minus twin, nats")
    return figure


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
    return f"{curve}: {_SHORT.get(setting, setting)}"


_SHORT = {
    "likeliest number the same: only": "likeliest same",
    "likeliest number the same: all others": "likeliest differs",
    "first number: only": "first number",
    "first number: all others": "later numbers",
    "only them, of the honest teacher's; twin: random ones": "only them",
    "of another grammar": "another grammar",
}
