"""The plane of the two step sizes of one network: where a claim is bounded, proved and seen to hold."""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from paper_figs.drawings.step_size_boundary import Boundary
from subtx_toy.figures import style

_TITLES = {"trait-loss": "the trait loss falls", "distance": "the student comes closer"}
_COLOURS = {"closed": "#0072b2", "certified": "#009e73", "observed": "#d55e00"}


def draw_plane(boundaries: Sequence[Boundary], *, network: str) -> Figure:
    """Draw one panel per quantity and one line per student_lr that was searched: nothing is claimed between the lines.

    A line holds every eps from 0 to its end; the axis is logarithmic, so it goes on to the left.

    Args:
        boundaries: of the quantities.
        network: named above the panels.
    """
    with mpl.rc_context(style.paper(aspect=1.5, width=style.COLUMN_INCHES)):
        figure = Figure(layout="constrained")
        panels = figure.subplots(len(boundaries), 1, sharey=True, squeeze=False)[:, 0]
        for axes, one in zip(panels, boundaries, strict=True):
            _panel(axes, one)
            axes.set_ylabel("step size of the student, student_lr")
        handles, labels = panels[-1].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside upper center", ncols=2, fontsize="small",
                      title=f"{network}\na line: proved for this student_lr\nand every ε up to its end",
                      title_fontsize="small")  # fmt: skip
    return figure


def _panel(axes: Axes, one: Boundary) -> None:
    low = _floor(one)
    for name, values, width in (("certified", one.certified, 2.0), ("closed", one.closed, 2.0)):
        label = {"certified": "certified", "closed": "closed form"}[name]
        rows = [(lr, end) for lr, end in zip(one.student_lr, values, strict=True) if end > low]
        x = [part for _lr, end in rows for part in (low, end, np.nan)]  # nan ends a line
        y = [part for lr, _end in rows for part in (lr, lr, np.nan)]
        axes.plot(x, y, color=_COLOURS[name], linewidth=width, solid_capstyle="butt", label=label,
                  zorder=2 if name == "certified" else 3)  # fmt: skip
    fails = (one.observed > 0) & (one.observed < one.cap)
    for chosen, face, label in ((fails, _COLOURS["observed"], "first failure seen"),
                                (one.observed >= one.cap, "white", "none seen up to the cap")):  # fmt: skip
        axes.plot(one.observed[chosen], one.student_lr[chosen], color=_COLOURS["observed"], linestyle="", marker="o",
                  markersize=3, markerfacecolor=face, label=label, zorder=4)  # fmt: skip
    axes.axvline(one.cap, color="0.5", linestyle=":", linewidth=0.9, label="cap, 1000/‖dT‖")
    axes.set(xscale="log", yscale="log", xlim=(low, one.cap * 1.6), xlabel="step size ε of the teacher")
    axes.set_ylim(one.student_lr.min() / 2, one.student_lr.max() * 2)
    axes.set_title(_TITLES[one.quantity], fontsize="medium")


def _floor(one: Boundary) -> float:
    # A logarithmic axis has no zero: half a decade below the smallest thing drawn.
    shown = np.concatenate([one.closed, one.certified])
    return float(10 ** np.floor(np.log10(np.min(shown[shown > 0], initial=one.cap)) - 0.5))
