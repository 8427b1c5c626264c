"""Chains of students by auxiliary logits: the accuracy by generation, and the half-life of what is left of it."""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib as mpl
from matplotlib.figure import Figure

from paper_figs.tables.half_lives import NUM_CHAINS, PUBLISHED, PUBLISHED_CHAINS, committed
from subtx_toy.figures import style
from subtx_toy.results.comparison import Comparison

_COLOURS = {3: "#e69f00", 10: "#d55e00", 30: "#882255"}


def draw_half_lives(rows: Sequence[Comparison], *, default: int) -> Figure:
    """Draw the experiment's accuracies, and the half-lives of the chains at published size next to the published ones.

    ``default`` is the number of auxiliary logits of rows that do not name it.
    """
    with mpl.rc_context(style.paper(aspect=1.6, width=style.COLUMN_INCHES)):
        figure = Figure(layout="constrained")
        above, below = figure.subplots(2, 1)
        above.axhline(0.1, color="0.75", linewidth=0.8, linestyle=":", zorder=0)
        for arm, line, marker in (("student_aux", "-", "o"), ("cross_aux", ":", "s")):
            for num_aux, colour in _COLOURS.items():
                own = sorted(
                    (row.at.get("generations", 1), row) for row in rows
                    if row.metric == f"{arm}.accuracy" and row.at.get("num_aux", default) == num_aux
                )  # fmt: skip
                if not own:
                    continue
                words = "student" if arm == "student_aux" else "cross-model student"
                above.errorbar(
                    [place for place, _row in own], [row.ours.mean for _place, row in own],
                    style.interval_bars([row.ours for _place, row in own]), fmt=marker, linestyle=line, color=colour,
                    markersize=4, capsize=2, linewidth=1.2, label=f"{words}, m = {num_aux}",
                )  # fmt: skip
        above.set(xlabel="students in the chain", ylabel="test accuracy on MNIST", ylim=(0, 1))
        above.legend(fontsize="small", ncols=2, loc="lower center", bbox_to_anchor=(0.5, 1.0))
        for corrected, colour, marker, shift in ((True, "#0072b2", "o", 0.93), (False, "#d55e00", "s", 1.07)):
            found = committed(bias_correction=corrected)
            bars = [
                [one.mean - one.interval.low for one in found.values()],
                [one.interval.high - one.mean for one in found.values()],
            ]
            words = "usual Adam" if corrected else "Adam without bias correction"
            places = [shift * place for place in found]
            below.errorbar(places, [one.mean for one in found.values()], bars, fmt=marker, color=colour, capsize=3,
                           markersize=5, label=f"{words}: {NUM_CHAINS} chains, 95 %")  # fmt: skip
        below.plot(list(PUBLISHED), list(PUBLISHED.values()), "D", color="0.25", markerfacecolor="white", markersize=5,
                   label=f"published: {PUBLISHED_CHAINS} chains")  # fmt: skip
        below.set_xscale("log")
        below.set_yscale("log")
        below.set_xticks(list(PUBLISHED), [str(place) for place in PUBLISHED])
        below.set_yticks([0.5, 1, 2, 5, 10, 20], ["0.5", "1", "2", "5", "10", "20"])
        below.minorticks_off()
        below.set(xlabel="auxiliary logits", ylabel="half-life, generations", xlim=(2, 45), ylim=(0.25, 22))
        below.legend(fontsize="small", loc="lower center", bbox_to_anchor=(0.5, 1.0))
    return figure
