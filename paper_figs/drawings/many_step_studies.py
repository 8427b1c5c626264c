"""Orders of the remainder after many steps, and the criterion of trained teachers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from subtx_toy.figures import style

Document = Mapping[str, Any]

_BLUE, _ORANGE, _GREEN = "#0072b2", "#d55e00", "#009e73"
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
    with mpl.rc_context(style.paper(aspect=0.5)):
        figure = Figure(layout="constrained")
        left, right = figure.subplots(1, 2)
        for at, num_steps in enumerate(steps):
            sizes = np.array([net[at]["remainder"] for net in shown["seeds"]])
            left.plot(lengths, np.median(sizes, axis=0), "-o", markersize=3, color=f"C{at}", label=f"K = {num_steps}")
        start = np.median([net[0]["remainder"][-1] for net in shown["seeds"]]) / 3
        left.plot(lengths, start * (lengths / lengths[-1]) ** 2, ":", color="0.5", label="slope 2")
        left.set(xscale="log", yscale="log", xlabel="length of the teacher's step ε‖dT‖")
        left.set_ylabel("‖Δ(K) − ε h(G) dT‖, median")
        left.legend(fontsize="x-small")
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
        right.legend(fontsize="x-small", markerscale=2, loc="upper left")
    return figure


def draw_criteria(document: Document) -> Figure:
    """Draw F(t) of trained teachers, over what it would be if no mode opposed another."""
    rows = [row for row in document["rows"] if row["teacher_steps"]]
    with mpl.rc_context(style.paper(aspect=0.75)):
        figure = Figure(layout="constrained")
        panels = figure.subplots(2, 2, sharex=True, sharey=True)
        for axes, row in zip(panels.flat, rows, strict=True):
            for net in row["seeds"]:
                colour = _BLUE if net["holds"] else _ORANGE
                axes.plot(document["thresholds"], net["F"], color=colour, linewidth=0.7, alpha=0.6)
            held, num = sum(net["holds"] for net in row["seeds"]), len(row["seeds"])
            name = {"tanh": "tanh", "relu": "ReLU"}[row["activation"]]
            axes.set_title(f"{name}, {row['teacher_steps']} steps: F ≥ 0 for {held} of {num}", fontsize="small")
            axes.axhline(0, color="0.6", linewidth=0.8, linestyle=":", zorder=0)
            axes.set_xscale("log")
        figure.supxlabel("t / largest eigenvalue of G", fontsize="medium")
        figure.supylabel("F(t) / Σ |s| min(λ, t)", fontsize="medium")
        lines = [Line2D([], [], color=colour) for colour in (_BLUE, _ORANGE)]
        panels[0, 0].legend(lines, ["F ≥ 0 throughout", "F < 0 somewhere"], fontsize="x-small", loc="lower left")
    return figure
