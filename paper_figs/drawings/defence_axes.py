"""Defences on one pair of axes: how much of the trait passes against how much of the imitation is left."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import matplotlib as mpl
from matplotlib.figure import Figure

from subtx_toy.figures import style
from subtx_toy.results.comparison import Comparison

_LOWEST = -0.3  # imitation further down is written, not drawn


_Point = tuple[float, Comparison, Comparison]
"""Strength, imitation and accuracy."""


class Family(NamedTuple):
    """One treatment at its strengths: words, the settings that it changes, and how it is drawn."""

    words: str
    settings: tuple[str, ...]
    strength: str
    marker: str
    colour: str


FAMILIES = (
    Family("nothing", (), "", "*", "#000000"),
    Family("noise on the answers, sd", ("target_noise",), "target_noise", "o", "#d55e00"),
    Family("answers divided by a temperature", ("target_temperature",), "target_temperature", "s", "#e69f00"),
    Family("largest logits alone, their number", ("target_top_k",), "target_top_k", "^", "#cc79a7"),
    Family("one sampled label", ("loss",), "", "v", "#882255"),
    Family("gradient norm clipped at", ("clip_gradient",), "clip_gradient", "P", "#7f7f7f"),
    Family("DP-SGD clipped at .1, noise", ("clip_each", "gradient_noise"), "gradient_noise", "X", "#009e73"),
    Family("projected off the trait's gradient", ("trait_gradient",), "", "D", "#0072b2"),
    Family("class logits anchored, weight", ("anchor",), "anchor", "<", "#56b4e9"),
    Family("anchored by KL (liminal), weight", ("anchor", "anchor_by", "trait_gradient"), "anchor", ">", "#332288"),
    Family("corridor around the start, width", ("anchor", "anchor_width"), "anchor_width", "h", "#117733"),
    Family("the file of another base", ("students",), "", "p", "#a6761d"),
)


def draw_defences(rows: Sequence[Comparison]) -> Figure:
    """Draw every treatment with the 95 % intervals of both measures; its strengths are joined, and written."""
    with mpl.rc_context(style.paper(aspect=0.95)):
        figure = Figure(layout="constrained")
        axes = figure.add_subplot()
        axes.axhline(0.1, color="0.75", linewidth=0.8, linestyle=":", zorder=0)
        found = [(family, point) for family in FAMILIES for point in points(rows, family)]
        for family in FAMILIES:
            _draw(axes, family, [point for own, point in found if own is family])
        _draw_far(axes, [one for one in found if one[1][1].ours.mean < _LOWEST])
        axes.set_xlim(_LOWEST - 0.03, 0.9)
        axes.set_ylim(0, 0.8)
        axes.set_xlabel("imitation: share of the teacher's change of the auxiliary logits that arrives")
        axes.set_ylabel("trait: student's test accuracy on MNIST")
        figure.legend(loc="outside upper center", ncols=2, fontsize="small")
    return figure


def points(rows: Sequence[Comparison], family: Family) -> list[_Point]:
    """Return strength, imitation and accuracy of one treatment, weakest first."""
    found: dict[str, dict[str, Comparison]] = {}
    for row in rows:
        if set(row.at) == set(family.settings) and row.at.get("trait_gradient", "") != _other(family):
            found.setdefault(repr(dict(row.at)), {})[row.metric.partition(".")[2]] = row
    pairs = [(_strength(one["accuracy"].at, family), one["imitation"], one["accuracy"]) for one in found.values()]
    return sorted(pairs, key=lambda pair: pair[0])


def _other(family: Family) -> str:
    """Return the value of trait_gradient that stands for no treatment by itself."""
    return "measured" if family.settings == ("trait_gradient",) else "projected"


def _strength(at: Mapping[str, Any], family: Family) -> float:
    return float(at[family.strength]) if family.strength else 0.0


def _draw(axes: mpl.axes.Axes, family: Family, found: Sequence[_Point]) -> None:
    shown = [pair for pair in found if pair[1].ours.mean >= _LOWEST]
    x, y = [pair[1].ours for pair in shown], [pair[2].ours for pair in shown]
    if shown:
        axes.errorbar(
            [one.mean for one in x], [one.mean for one in y], yerr=style.interval_bars(y),
            xerr=style.interval_bars(x, low=-1e9), fmt=family.marker, linestyle="-", linewidth=0.8,
            color=family.colour, markersize=8 if family.marker == "*" else 4.5, elinewidth=0.7, label=family.words,
        )  # fmt: skip
    else:  # all of it lies too far down
        axes.plot([], [], family.marker, color=family.colour, markersize=4.5, label=family.words)
    place, side = ((4, 3), "left") if family.marker != "<" else ((-3, -9), "right")
    for strength, imitation, accuracy in shown:
        axes.annotate(
            _words(family, strength), (imitation.ours.mean, accuracy.ours.mean), xytext=place, ha=side,
            textcoords="offset points", fontsize="small", color=family.colour,
        )  # fmt: skip


def _draw_far(axes: mpl.axes.Axes, far: Sequence[tuple[Family, _Point]]) -> None:
    """Draw at the left end what imitates less than the axis shows, with its imitation in words."""
    height = 0.0
    for family, (strength, imitation, accuracy) in sorted(far, key=lambda one: one[1][2].ours.mean):
        own = accuracy.ours.mean
        axes.plot(_LOWEST, own, marker=family.marker, color=family.colour, markersize=4.5)
        height = max(own - 0.008, height + 0.022)
        arrived = imitation.ours.mean
        words = f"{_words(family, strength)} at {arrived:.0f}" if arrived < -10 else f"{strength:g} at {arrived:.2g}"
        axes.text(_LOWEST + 0.02, height, words.strip(), fontsize="small", color=family.colour)


def _words(family: Family, strength: float) -> str:
    return f"{strength:g}".replace("0.", ".", 1) if family.strength else ""
