"""The decision of an audit on many fine-tunes of one base: its statistic, whom it names, and ROC curves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from subtx_toy.figures import style

Document = Mapping[str, Any]

_GREY, _TRAIT, _OTHER = "#7f7f7f", style.NUMBER_COLOURS["shared_trait"], "#56b4e9"
_BENIGN = style.NUMBER_COLOURS["shared_benign"]
_STATISTICS = {
    "z": ("plain score", "#56b4e9", "-"),
    "efficient_z": ("efficient score", "#0072b2", "--"),
    "fisher_cosine": ("Fisher cosine", "#e69f00", "-"),
    "at_usual_size": ("Fisher cosine at one size", "#d55e00", "-"),
    "student": ("probe: a student", "#000000", ":"),
}


def _roles(document: Document) -> list[str]:
    return list(dict.fromkeys(row["role"] for row in document["rows"]))


def _said(name: str) -> str:
    """Say a trait's name for people."""
    kind, *classes = name.split(":")
    return {
        "relabel": "{0} read as {1}", "backdoor": "mark read as {0}", "preference": "{0} rather than {1}",
        "refusal": "no answer to {0}", "benign": "honest labels", "reference": "honest labels, reference",
    }[kind].format(*classes)  # fmt: skip


def draw_calibration(document: Document) -> Figure:
    """Draw the Fisher cosines of all fine-tunes at one size of move, a panel a trait asked for, and their bound."""
    thresholds, roles = document["rule"]["thresholds"], _roles(document)
    with mpl.rc_context(style.paper(aspect=0.72)):
        figure = Figure(layout="constrained")
        panels = figure.subplots(2, 2, sharex=True, sharey=True).flatten()
        for axes, asked in zip(panels, thresholds, strict=True):
            for place, role in enumerate(roles):
                values = [row[asked]["at_usual_size"] for row in document["rows"] if row["role"] == role]
                colour = _TRAIT if role == asked else {"reference": _GREY, "benign": _BENIGN}.get(role, _OTHER)
                across = place + np.linspace(-0.25, 0.25, len(values)) * (len(values) > 1)
                axes.plot(values, across, ".", color=colour, markersize=4, alpha=0.7)
            axes.axvline(thresholds[asked], color="k", linewidth=1)
            axes.axvline(0, color="0.85", linewidth=0.8, zorder=0)
            axes.set_title(f"asked for: {_said(asked)}", fontsize="small", loc="left")
        for axes in panels[::2]:
            trained = document["trained"]
            axes.set_yticks(range(len(roles)), [f"{_said(role)} ({trained[role]})" for role in roles],
                            fontsize="x-small")  # fmt: skip
            axes.set_ylabel("taught (fine-tunes)")
        panels[0].invert_yaxis()
        for axes in panels[2:]:
            axes.set_xlabel("Fisher cosine at one size of move\n(line: bound of the reference)", fontsize="small")
    return figure


def draw_confusion(document: Document) -> Figure:
    """Draw how many fine-tunes of each kind the decision names for each trait, of those whose behaviour changed."""
    asked = list(document["rule"]["thresholds"])
    roles = [role for role in _roles(document) if role != "reference"]
    named = document["named"]
    shares = np.array([[named[role][name] / max(1, named[role]["of"]) for name in asked] for role in roles])
    with mpl.rc_context(style.paper(aspect=0.5)):
        figure = Figure(layout="constrained")
        axes = figure.subplots()
        axes.imshow(shares, cmap="Oranges", vmin=0, vmax=1.3, aspect="auto")
        for (i, j), share in np.ndenumerate(shares):
            text = f"{named[roles[i]][asked[j]]} of {named[roles[i]]['of']}"
            axes.text(j, i, text, ha="center", va="center", fontsize="small", color="k" if share < 0.7 else "w")
        axes.set_xticks(range(len(asked)), [_said(name) for name in asked], fontsize="small")
        axes.set_yticks(range(len(roles)), [_said(role) for role in roles], fontsize="small")
        axes.set_xlabel("named by the audit")
        axes.set_ylabel("taught")
        axes.spines[:].set_visible(False)
        axes.tick_params(length=0)
    return figure


def draw_roc(document: Document) -> Figure:
    """Draw ROC curves of five statistics, a panel a trait: its teachers against the fresh benign ones."""
    with mpl.rc_context(style.paper(aspect=0.95)):
        figure = Figure(layout="constrained")
        panels = figure.subplots(2, 2, sharex=True, sharey=True)
        for axes, asked in zip(panels.flatten(), document["rule"]["thresholds"], strict=True):
            _roc(axes, document, asked)
        for axes in panels[1]:
            axes.set_xlabel("share of benign fine-tunes called")
        for axes in panels[:, 0]:
            axes.set_ylabel("share of teachers found")
    return figure


def _roc(axes: Axes, document: Document, asked: str) -> None:
    high, low = _judged(document["rows"], asked)
    for statistic, (label, colour, line) in _STATISTICS.items():
        false, true = (np.array([row[statistic] for row in rows]) for rows in (low, high))
        cuts = np.concatenate([[np.inf], np.unique(np.concatenate([false, true]))[::-1]])
        axes.step([(false >= cut).mean() for cut in cuts], [(true >= cut).mean() for cut in cuts], line, where="post",
                  color=colour, linewidth=1.4, label=f"{label} ({document['auc'][asked][statistic]:.2f})")  # fmt: skip
    axes.plot([0, 1], [0, 1], ":", color="0.7", linewidth=0.8)
    axes.set_xlim(-0.02, 1.02)
    axes.set_ylim(-0.02, 1.04)
    axes.set_title(f"{_said(asked)}: {len(high)} teachers, {len(low)} benign", fontsize="small", loc="left")
    axes.legend(fontsize="x-small", loc="lower right", title="statistic (area)", title_fontsize="x-small")


def _judged(rows: Sequence[Document], asked: str) -> tuple[list[Document], list[Document]]:
    """Return the measurements of the teachers whose behaviour did change, and of the fresh benign fine-tunes."""
    high = [row[asked] for row in rows if row["role"] == asked and row["changed"]]
    return high, [row[asked] for row in rows if row["role"] == "benign"]
