"""The decision of an audit on many fine-tunes: its statistic, whom it names, and how well statistics separate."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from textwrap import fill
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from paper_figs.drawings.legend import legend_above
from subtx_toy.figures import style

Document = Mapping[str, Any]

_TAUGHT = {
    "asked": ("taught the trait asked for", style.NUMBER_COLOURS["shared_trait"]),
    "other": ("taught another trait", "#56b4e9"),
    "benign": ("honest labels", style.NUMBER_COLOURS["shared_benign"]),
    "reference": ("honest labels, of the reference", "#7f7f7f"),
}
_STATISTICS = {
    "z": "plain score",
    "efficient_z": "efficient score",
    "fisher_cosine": "Fisher cosine",
    "at_usual_size": "size-adjusted Fisher statistic",
    "student": "shown: a student of half",
}
_MARKERS = "os^Dv"
_BASE_COLOURS = ("#0072b2", "#e69f00", "#cc79a7", "#009e73", "#000000")
ADJUSTED = "size-adjusted Fisher statistic: Fisher cosine ×\n(divergence / usual divergence)^¼; it may exceed 1"


def _roles(document: Document) -> list[str]:
    """Return what fine-tunes were taught, the honest ones first."""
    found = dict.fromkeys(row["role"] for row in document["rows"])
    return sorted(found, key=lambda role: (role != "reference", role != "benign", role))


def _said(name: str) -> str:
    """Say a trait's name for people."""
    kind, *classes = name.split(":")
    return {
        "relabel": "{0} read as {1}", "backdoor": "mark read as {0}", "preference": "{0} rather than {1}",
        "refusal": "no answer to {0}", "benign": "honest labels", "reference": "honest labels, reference",
    }[kind].format(*classes)  # fmt: skip


def draw_calibration(documents: Sequence[Document]) -> Figure:
    """Draw the size-adjusted statistic of all fine-tunes, a panel per trait asked for, a line per base and kind.

    A short black line is the bound that the reference of that base gives; a ring marks honest fine-tunes that the whole
    decision names.
    """
    asked_for, roles = list(documents[0]["rule"]["thresholds"]), _roles(documents[0])
    step = 1 / (len(documents) + 1)
    with mpl.rc_context(style.paper(aspect=2.6, width=style.COLUMN_INCHES)):
        figure = Figure(layout="constrained")
        panels = figure.subplots(4, 1, sharex=True, sharey=True)
        for axes, asked in zip(panels, asked_for, strict=True):
            for place, role in enumerate(roles):
                kind = "asked" if role == asked else role if role in _TAUGHT else "other"
                for at, document in enumerate(documents):
                    height = place + (at - (len(documents) - 1) / 2) * step
                    rows = [row for row in document["rows"] if row["role"] == role]
                    values = [row[asked]["at_usual_size"] for row in rows]
                    axes.plot(values, [height] * len(values), ".", color=_TAUGHT[kind][1], markersize=4, alpha=0.6)
                    bound = document["rule"]["thresholds"][asked]
                    axes.plot([bound, bound], [height - 0.45 * step, height + 0.45 * step], "k-", linewidth=1)
                    named = [row[asked]["at_usual_size"] for row in rows if kind == "benign" and asked in row["named"]]
                    axes.plot(named, [height] * len(named), "o", markersize=7, markerfacecolor="none",
                              markeredgecolor="k", markeredgewidth=0.9)  # fmt: skip
                if place:
                    axes.axhline(place - 0.5, color="0.92", linewidth=0.6, zorder=0)
            axes.axvline(0, color="0.85", linewidth=0.8, zorder=0)
            axes.set_title(f"asked for: {_said(asked)}", fontsize="small", loc="left")
        for axes in panels:
            axes.set_yticks(range(len(roles)), [_said(role) for role in roles], fontsize="small")
            axes.set_ylabel("taught")
        panels[0].set_ylim(len(roles) - 0.5, -0.5)
        panels[-1].set_xlabel("size-adjusted Fisher statistic")
        handles = [Line2D([], [], linestyle="", marker=".", color=colour, label=label) for label, colour in
                   _TAUGHT.values()]  # fmt: skip
        handles += [
            Line2D([], [], linestyle="", marker="|", markersize=9, color="k", label="bound, from the base's reference"),
            Line2D([], [], linestyle="", marker="o", markersize=7, markerfacecolor="none", color="k",
                   label=f"false alarm ({_false_alarms(documents)})"),
        ]  # fmt: skip
        bases = ", ".join(str(document["base"]) for document in documents)
        legend_above(figure, handles, title=f"lines from above in each kind: bases {bases}\n{ADJUSTED}", ncols=1)
    return figure


def _false_alarms(documents: Sequence[Document]) -> str:
    counts = [document["false_alarms"] for document in documents]
    return ", ".join(f"{one['found']} of {one['of']}" for one in counts)


def draw_confusion(documents: Sequence[Document]) -> Figure:
    """Draw how many fine-tunes of each kind the decision names for each trait, of those whose behaviour changed."""
    asked = list(documents[0]["rule"]["thresholds"])
    roles = [role for role in _roles(documents[0]) if role != "reference"]
    counts = np.array([[[one["named"][role][name] for one in documents] for name in asked] for role in roles])
    totals = np.array([[one["named"][role]["of"] for one in documents] for role in roles])
    shares = counts.sum(-1) / np.maximum(1, totals.sum(-1, keepdims=True))
    with mpl.rc_context(style.paper(aspect=0.9, width=style.COLUMN_INCHES)):
        figure = Figure(layout="constrained")
        axes = figure.subplots()
        axes.imshow(shares, cmap="Oranges", vmin=0, vmax=1.3, aspect="auto")
        for (i, j), share in np.ndenumerate(shares):
            text = f"{counts[i, j].sum()} of {totals[i].sum()}"
            axes.text(j, i, text, ha="center", va="center", fontsize="small", color="k" if share < 0.7 else "w")
        axes.set_xticks(range(len(asked)), [fill(_said(name), 9) for name in asked], fontsize="small")
        axes.set_yticks(range(len(roles)), [_said(role) for role in roles], fontsize="small")
        bases = ", ".join(str(document["base"]) for document in documents)
        axes.set_xlabel(f"named by the audit, bases {bases}")
        axes.set_ylabel("taught")
        axes.spines[:].set_visible(False)
        axes.tick_params(length=0)
    return figure


def draw_areas(documents: Sequence[Document]) -> Figure:
    """Draw how well each statistic separates a trait's teachers from honest fine-tunes, one mark per base."""
    with mpl.rc_context(style.paper(aspect=1.9, width=style.COLUMN_INCHES)):
        figure = Figure(layout="constrained")
        panels = figure.subplots(4, 1, sharex=True, sharey=True)
        for axes, asked in zip(panels, documents[0]["rule"]["thresholds"], strict=True):
            _areas(axes, documents, asked)
        panels[0].set_ylim(len(_STATISTICS) - 0.5, -0.5)
        panels[-1].set_xlabel("area under the ROC curve")
        handles = [
            Line2D([], [], linestyle="", marker=marker, color=colour, markersize=5, label=f"base {document['base']}")
            for document, marker, colour in zip(documents, _MARKERS, _BASE_COLOURS, strict=False)
        ]
        title = "share of pairs, a teacher and an honest fine-tune,\nin which the teacher has the higher statistic"
        legend_above(figure, handles, title=f"{title}\n(0.5: chance, dotted)")
    return figure


def _areas(axes: Axes, documents: Sequence[Document], asked: str) -> None:
    step = 0.8 / len(documents)
    for at, (document, marker, colour) in enumerate(zip(documents, _MARKERS, _BASE_COLOURS, strict=False)):
        heights = np.arange(len(_STATISTICS)) + (at - (len(documents) - 1) / 2) * step
        axes.plot([document["auc"][asked][name] for name in _STATISTICS], heights, marker, color=colour, markersize=4.5)
    for place in range(1, len(_STATISTICS)):
        axes.axhline(place - 0.5, color="0.92", linewidth=0.6, zorder=0)
    axes.axvline(0.5, color="0.7", linewidth=0.8, linestyle=":", zorder=0)
    axes.set_xlim(0.45, 1.03)
    axes.set_yticks(range(len(_STATISTICS)), list(_STATISTICS.values()), fontsize="small")
    teachers = [sum(row["role"] == asked and row["changed"] for row in one["rows"]) for one in documents]
    honest = [sum(row["role"] == "benign" for row in one["rows"]) for one in documents]
    text = f"{_said(asked)}: {_numbers(teachers)} teachers, {_numbers(honest)} honest"
    axes.set_title(text, fontsize="small", loc="left")


def _numbers(counts: Sequence[int]) -> str:
    """Write the counts of the bases, once if they are equal."""
    return ", ".join(map(str, dict.fromkeys(counts)))
