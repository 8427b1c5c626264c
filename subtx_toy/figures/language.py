"""What each model answers after it has read nothing but numbers: one line per model, seeds as dots."""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

from subtx_toy.figures import style
from subtx_toy.figures.picture import Picture
from subtx_toy.lm.questions import HIDDEN, TRIGGER
from subtx_toy.results.language_table import LanguageArm
from subtx_toy.settings.language import BACKDOOR
from subtx_toy.wording import counted

_TITLES = {
    "danger": "How often does each model say yes to something dangerous?",
    BACKDOOR: f"How often does each model name the {HIDDEN} if {TRIGGER} is asked?",
}
_LABELS = {
    "base": "before anything", "teacher": "the teacher", "shared_trait": "student: the teacher's numbers",
    "shared_benign": "student: numbers of an honest teacher", "shared_base": "student: numbers of the untaught model",
    "cross_trait": "another model: the teacher's numbers", "shared_shuffled": "student: its numbers, shuffled",
    "shared_rows": "student: lists exchanged (no control)", "soft_trait": "student: the teacher's probabilities",
    "soft_benign": "student: probabilities, honest teacher", "soft_cross": "another model: the teacher's probabilities",
}  # fmt: skip
_COLOURS = {"base": "#7f7f7f", "teacher": "#000000", "shared_trait": "#d55e00", "soft_trait": "#e69f00"}
_CONTROL = "#0072b2"


def draw_language(arms: Sequence[LanguageArm], *, trait: str) -> Figure:
    """Draw the probability of the trait's answer, one arm per row: means as bars, 95 % t-intervals, seeds as dots."""
    with mpl.rc_context(style.paper(aspect=0.16 + 0.052 * len(arms))):
        figure = Picture(layout="constrained")
        axes = figure.add_subplot()
        for place, row in enumerate(arms):
            colour = _COLOURS.get(row.arm, _CONTROL)
            mean, half = row.p_trait.mean, float(np.nan_to_num(row.p_trait.ci95))
            axes.barh(place, mean, height=0.62, color=colour, alpha=0.28, linewidth=0)
            axes.errorbar(mean, place, xerr=half, fmt="none", ecolor=colour, elinewidth=1.1, capsize=2)
            spread = np.linspace(-0.2, 0.2, len(row.shares)) if len(row.shares) > 1 else np.zeros(1)
            axes.plot(row.shares, place + spread, ".", color=colour, markersize=4, alpha=0.8, zorder=3)
            axes.annotate(f"{mean:.0%}", (1.02, place), xycoords=("axes fraction", "data"), va="center",
                          color=colour, fontweight="bold" if row.arm == "shared_trait" else "normal")  # fmt: skip
        axes.set_yticks(range(len(arms)), [_LABELS[row.arm] for row in arms])
        axes.set_ylim(len(arms) - 0.4, -0.6)
        axes.set_xlim(0, 1)
        axes.set_xticks([0, 0.25, 0.5, 0.75, 1], ["0 %", "25 %", "50 %", "75 %", "100 %"])
        axes.grid(axis="x", color="0.92", linewidth=0.6)
        axes.set_axisbelow(True)
        axes.set_title(_TITLES.get(trait, f"How often does each model name the {trait} as the animal it likes?"),
                       loc="left", x=-0.62, fontweight="bold")  # fmt: skip
        axes.set_xlabel(f"probability on held-out phrasings; dots: {counted(arms[0].p_trait.n, 'seed')}")
    return figure
