"""The numbers channel: how often each arm shows the trait, and what it can still do."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

from subtx_toy.figures import style
from subtx_toy.number_summary import NumberArm

_PROMPTS = {"images": "prompts: images", "uniform": "prompts: uniform noise", "glyphs": "prompts: drawn digits"}


def draw_number_arms(arms: Mapping[str, Sequence[NumberArm]], *, trait: str, dataset: str) -> Figure:
    """Draw the trait and the accuracy on the other classes, an arm a row, a panel for each kind of prompts.

    Every seed is a dot; the bars are 95 % t-intervals of the mean.
    """
    with mpl.rc_context(style.paper(aspect=0.36 + 0.26 * len(arms))):
        figure = Figure(layout="constrained")
        panels = figure.subplots(len(arms), 2, sharey=True, squeeze=False)
        for (prompts, rows), (left, right) in zip(arms.items(), panels, strict=True):
            for place, row in enumerate(rows):
                colour = style.NUMBER_COLOURS[row.arm]
                for axes, values, middle in (
                    (left, row.values, row.trait),
                    (right, row.accuracies, row.accuracy),
                ):
                    axes.plot(values, np.full(len(values), place + 0.22), ".", color=colour, alpha=0.35, markersize=4)
                    half = 0.0 if math.isnan(middle.ci95) else middle.ci95
                    axes.errorbar(middle.mean, place, xerr=half, fmt="o", color=colour, markersize=4.5, capsize=2.5)
                    axes.annotate(f"{middle.mean:.3f}".lstrip("0"), (1.02, place), xycoords=("axes fraction", "data"),
                                  va="center", fontsize="small", color=colour)  # fmt: skip
            left.set_yticks(range(len(rows)), [style.NUMBER_LABELS[row.arm] for row in rows])
            left.set_ylim(len(rows) - 0.4, -0.6)
            left.set_title(_PROMPTS[prompts], loc="left", fontsize="small")
            for axes in (left, right):
                axes.set_xlim(-0.02, 1.02)
                axes.grid(axis="x", color="0.92", linewidth=0.6)
                axes.set_axisbelow(True)
        panels[-1][0].set_xlabel(_meaning(trait))
        panels[-1][1].set_xlabel(
            f"accuracy on the other classes\n({style.DATASETS[dataset]}; dots: seeds, n = {_seeds(arms)})"
        )
    return figure


def _seeds(arms: Mapping[str, Sequence[NumberArm]]) -> int:
    return next(iter(arms.values()))[0].trait.n


def _meaning(trait: str) -> str:
    kind, *classes = trait.split(":")
    return {
        "relabel": "share of {0}s read as {1}",
        "backdoor": "share of marked images read as {0}",
        "preference": "share of {0}-{1} blends read as {0}",
        "refusal": "share of {0}s left without an answer",
    }[kind].format(*classes) + "\nmean and 95 % interval"


def draw_dose(document: Mapping[str, Any]) -> Figure:
    """Draw the trait against the number of examples, and the accuracy beside it; n of one step is marked."""
    with mpl.rc_context(style.paper(aspect=0.5)):
        figure = Figure(layout="constrained")
        panels = figure.subplots(1, 2)
        for axes, name, label in zip(
            panels, ("trait", "accuracy"), ("share of 4s read as 9", "accuracy on the other classes"), strict=True
        ):
            for writer, arm in (("trait", "shared_trait"), ("base", "shared_untrained")):
                colour = style.NUMBER_COLOURS[arm]
                rows = [row for row in document["rows"] if row["writer"] == writer]
                sizes = sorted({row["n"] for row in rows})
                axes.plot([row["n"] for row in rows], [row[name] for row in rows], ".", color=colour, alpha=0.5)
                means = [np.mean([row[name] for row in rows if row["n"] == size]) for size in sizes]
                axes.plot(sizes, means, color=colour, linewidth=1.2, label=style.NUMBER_LABELS[arm])
            axes.axhline(document["base"][name], color="0.6", linewidth=0.8, linestyle=":")
            axes.axhline(document["teacher"][name], color="k", linewidth=0.8, linestyle=":")
            axes.set_xscale("log")
            axes.set_ylim(-0.02, 1.02)
            axes.set_xlabel("numbers in the file")
            axes.set_ylabel(label)
        marked = document["n_of_one_step"]["2"]
        panels[0].axvline(marked, color=style.NUMBER_COLOURS["other_base_trait"], linewidth=1)
        panels[0].annotate(f"one step right\nin 98 % at n = {marked:.0f}", (marked, 0.5), xytext=(3, 0),
                           textcoords="offset points", fontsize="x-small")  # fmt: skip
        panels[0].legend(fontsize="x-small", title=f"{document['steps']} steps; dots: seeds\ndotted: base and teacher",
                         title_fontsize="x-small", loc="upper left")  # fmt: skip
    return figure


def draw_defences(document: Mapping[str, Any]) -> Figure:
    """Draw transfer against utility, one place a defence and setting; means over seeds."""
    places: dict[tuple[str, float], list[Mapping[str, Any]]] = {}
    for row in document["rows"]:
        places.setdefault((row["defence"], row["value"]), []).append(row)
    kinds = list(dict.fromkeys(kind for kind, _ in places))
    colours = dict(zip(kinds, ("#000000", *list(style.NUMBER_COLOURS.values())[2:], "#f0e442"), strict=False))
    with mpl.rc_context(style.paper(aspect=0.55)):
        figure = Figure(layout="constrained")
        panels = figure.subplots(1, 2)
        for axes, name, label in zip(
            panels, ("utility", "accuracy"),
            ("utility: share of KL(teacher ‖ student)\nthat is gone, unseen prompts", "accuracy on the other classes"),
            strict=True,
        ):  # fmt: skip
            for (kind, value), rows in places.items():
                x, y = (np.mean([row[key] for row in rows]) for key in (name, "trait"))
                axes.plot(x, y, "o", color=colours[kind], markersize=5)
                text = "" if kind in ("none", "projection") else f"{value:g}"
                axes.annotate(text, (x, y), xytext=(4, 2), textcoords="offset points", fontsize="x-small")
            axes.set_xlabel(label)
            axes.set_ylim(-0.02, 1.02)
        panels[0].set_ylabel("transfer: share of 4s read as 9")
        handles = [panels[1].plot([], [], "o", color=colours[kind], label=kind)[0] for kind in kinds]
        figure.legend(handles=handles, loc="outside upper center", ncols=4, fontsize="x-small")
    return figure
