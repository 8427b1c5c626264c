"""Orders of the remainder, the criterion of trained teachers, shared parts of an init, and chains of students."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from subtx_toy.figures import style
from subtx_toy.stats import Estimate, estimate

Document = Mapping[str, Any]

_BLUE, _ORANGE, _GREEN, _SKY = "#0072b2", "#d55e00", "#009e73", "#56b4e9"
_KINDS = {"real": ("real networks", "-o", _ORANGE), "linear": ("linear ones", "--s", _BLUE)}
_PARTS = {
    "nothing": ("nothing", "-o", "#000000"),
    "class head": ("class head", "-s", _BLUE),
    "aux head": ("auxiliary head", "-^", _SKY),
    "first layer": ("first layer", "-v", _GREEN),
    "both hidden": ("both hidden layers", "-D", _ORANGE),
}
_CHECKS = {
    "order": ("as predicted", "o", _BLUE),
    "planted": ("control: prediction 1 % too long", "^", _ORANGE),
    "other_init": ("control: another initialisation", "s", _GREEN),
}


def draw_orders(document: Document) -> Figure:
    """Draw the remainder against the teacher's step for each K, and every network's fitted orders with controls."""
    lengths = np.array(document["lengths"])
    shown = next(row for row in document["rows"] if (row["loss"], row["reach"]) == ("kl", 1.0))
    steps = [one["num_steps"] for one in shown["seeds"][0]]
    with mpl.rc_context(style.paper(aspect=1.45, width=style.COLUMN_INCHES)):
        figure = Figure(layout="constrained")
        left, right = figure.subplots(2, 1)
        for at, num_steps in enumerate(steps):
            sizes = np.array([net[at]["remainder"] for net in shown["seeds"]])
            left.plot(lengths, np.median(sizes, axis=0), "-o", markersize=3, color=f"C{at}", label=f"K = {num_steps}")
        start = np.median([net[0]["remainder"][-1] for net in shown["seeds"]]) / 3
        left.plot(lengths, start * (lengths / lengths[-1]) ** 2, ":", color="0.5", label="slope 2")
        left.set(xscale="log", yscale="log", xlabel="length of the teacher's step ε‖dT‖")
        left.set_ylabel("‖Δ(K) − ε h(G) dT‖, median")
        left.legend(fontsize="small")
        for name, (label, marker, colour) in _CHECKS.items():
            for number, row in enumerate(document["rows"]):
                values = np.array([[one[name] for one in net] for net in row["seeds"]])
                place = np.arange(len(steps)) + 0.12 * (number - 2.5)
                right.plot(
                    np.broadcast_to(place, values.shape).ravel(), values.ravel(), marker, markersize=1.8, color=colour,
                    alpha=0.6, markeredgewidth=0, label=None if number else label,
                )  # fmt: skip
        right.set_xticks(range(len(steps)), [str(num) for num in steps])
        right.set(
            xlabel="steps K; from left, squared error, KL,\nwith student_lr λ_max = .5, 1, 1.9",
            ylabel="fitted order in ε",
        )
        right.set_ylim(-0.15, 2.9)
        right.legend(fontsize="small", markerscale=2, loc="upper left")
    return figure


def draw_criteria(document: Document) -> Figure:
    """Draw F(t) of trained teachers, over what it would be if no mode opposed another."""
    rows = [row for row in document["rows"] if row["teacher_steps"]]
    with mpl.rc_context(style.paper(aspect=0.95, width=style.COLUMN_INCHES)):
        figure = Figure(layout="constrained")
        panels = figure.subplots(2, 2, sharex=True, sharey=True)
        for axes, row in zip(panels.flat, rows, strict=True):
            for net in row["seeds"]:
                colour = _BLUE if net["holds"] else _ORANGE
                axes.plot(document["thresholds"], net["F"], color=colour, linewidth=0.7, alpha=0.6)
            held, num = sum(net["holds"] for net in row["seeds"]), len(row["seeds"])
            name = {"tanh": "tanh", "relu": "ReLU"}[row["activation"]]
            axes.set_title(f"{name}, {row['teacher_steps']} steps:\nF ≥ 0 for {held} of {num}", fontsize="small")
            axes.axhline(0, color="0.6", linewidth=0.8, linestyle=":", zorder=0)
            axes.set_xscale("log")
        figure.supxlabel("t / largest eigenvalue of G", fontsize="medium")
        figure.supylabel("F(t) / Σ |s| min(λ, t)", fontsize="medium")
        lines = [Line2D([], [], color=colour) for colour in (_BLUE, _ORANGE)]
        panels[0, 0].legend(lines, ["F ≥ 0 throughout", "F < 0 somewhere"], fontsize="small", loc="lower left")
    return figure


def accuracies(document: Document, row: Mapping[str, Any], kind: str, part: str) -> Estimate:
    """Return the accuracy over seeds of one kind of student with one part drawn again."""
    return estimate([one[kind][part] for one in row["seeds"]], num_images=document["num_images"])


def draw_parts(document: Document) -> Figure:
    """Draw accuracy against auxiliary logits by the part of the init drawn again, real and linear students."""
    widths = [row["num_aux"] for row in document["rows"]]
    with mpl.rc_context(style.paper(aspect=1.45, width=style.COLUMN_INCHES)):
        figure = Figure(layout="constrained")
        panels = figure.subplots(2, 1, sharey=True)
        for axes, kind, title in zip(panels, ("real", "linear"), ("real students", "linear students"), strict=True):
            for at, (part, (label, line, colour)) in enumerate(_PARTS.items()):
                found = [accuracies(document, row, kind, part) for row in document["rows"]]
                axes.errorbar(
                    np.array(widths) * 1.04 ** (at - 2), [one.mean for one in found], style.interval_bars(found),
                    fmt=line, color=colour, markersize=3.5, capsize=1.5, linewidth=1, elinewidth=0.8, label=label,
                )  # fmt: skip
            axes.axhline(0.1, color="0.75", linewidth=0.8, linestyle=":", zorder=0)
            axes.set_xscale("log")
            axes.set_xticks(widths, [str(num) for num in widths])
            axes.minorticks_off()
            axes.set(title=title, xlabel="auxiliary logits m", ylim=(0, 1))
            axes.set_ylabel("test accuracy of the student")
        panels[1].legend(fontsize="small", title="drawn again", title_fontsize="small", loc="upper left")
    return figure


def coefficients(document: Document, kind: str, of: str) -> list[Estimate]:
    """Return the coefficient of the teacher's change over seeds, by generation from the teacher on."""
    return [estimate(column) for column in zip(*(one[kind][of] for one in document["seeds"]), strict=True)]


def ratios(document: Document, kind: str, of: str) -> list[Estimate]:
    """Return what each generation keeps of the one before, over seeds."""
    chains = np.array([one[kind][of] for one in document["seeds"]])
    return [estimate(column.tolist()) for column in (chains[:, 1:] / chains[:, :-1]).T]


def draw_generations(document: Document) -> Figure:
    """Draw the coefficient of the teacher's change by generation, and its successive ratios, real and linear."""
    with mpl.rc_context(style.paper(aspect=1.45, width=style.COLUMN_INCHES)):
        figure = Figure(layout="constrained")
        left, right = figure.subplots(2, 1)
        for kind, (label, line, colour) in _KINDS.items():
            _by_generation(left, coefficients(document, kind, "outputs"), 0, line, colour, label)
            _by_generation(right, ratios(document, kind, "outputs"), 1, line, colour, label)
        left.set_yscale("log")
        left.set_yticks([0.05, 0.1, 0.2, 0.5, 1.0], ["0.05", "0.1", "0.2", "0.5", "1"])
        left.minorticks_off()
        left.set(xlabel="generation; 0 is the teacher", ylabel="coefficient of the teacher's change")
        right.set(xlabel="generation", ylabel="what it keeps of the one before", ylim=(0, 1.05))
        left.legend(fontsize="small")
    return figure


def _by_generation(axes: Axes, found: list[Estimate], first: int, line: str, colour: str, label: str) -> None:
    bars = style.interval_bars(found, low=-np.inf, high=np.inf)
    places = np.arange(first, first + len(found))
    axes.errorbar(places, [one.mean for one in found], bars, fmt=line, color=colour, markersize=3.5, capsize=2,
                  linewidth=1.2, elinewidth=0.8, label=label)  # fmt: skip
