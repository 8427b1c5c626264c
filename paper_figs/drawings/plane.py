"""The plane of the two step sizes of one network: where a claim is bounded, proved and seen to hold."""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

from paper_figs.drawings.step_size_boundary import Boundary
from subtx_toy.figures import style

_TITLES = {"trait-loss": "the trait loss falls", "distance": "the student comes closer"}
_COLOURS = {"closed": "#0072b2", "certified": "#009e73", "observed": "#d55e00"}


def draw_plane(boundaries: Sequence[Boundary], *, network: str) -> Figure:
    """Draw one panel a quantity: regions left of the curves hold for every smaller eps too.

    Args:
        boundaries: of the quantities.
        network: named above the panels.
    """
    with mpl.rc_context(style.paper(aspect=0.5)):
        figure = Figure(layout="constrained")
        panels = figure.subplots(1, len(boundaries), sharey=True, squeeze=False)[0]
        for axes, one in zip(panels, boundaries, strict=True):
            _panel(axes, one)
        panels[0].set_ylabel("step size of the student, student_lr")
        handles, labels = panels[-1].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside upper center", ncols=4, fontsize="small",
                      title=network, title_fontsize="small")  # fmt: skip
    return figure


def _panel(axes: mpl.axes.Axes, one: Boundary) -> None:
    low = _floor(one)
    certified, closed = np.maximum(one.certified, low), np.where(one.closed > low, one.closed, low)
    axes.fill_betweenx(one.student_lr, low, certified, color=_COLOURS["certified"], alpha=0.3, linewidth=0, step="mid",
                       label="certified")  # fmt: skip
    axes.fill_betweenx(one.student_lr, low, closed, color=_COLOURS["closed"], alpha=0.6, linewidth=0, step="mid",
                       label="closed form")  # fmt: skip
    seen = np.where(one.observed > 0, one.observed, np.nan)
    axes.plot(seen, one.student_lr, color=_COLOURS["observed"], linewidth=1.2, marker=".", label="observed boundary")
    axes.axvline(one.cap, color="0.5", linestyle=":", linewidth=0.9, label="cap, 1000/‖dT‖")
    axes.set(xscale="log", yscale="log", xlim=(low, one.cap * 1.6), xlabel="step size ε of the teacher")
    axes.set_ylim(one.student_lr.min(), one.student_lr.max())
    axes.set_title(_TITLES[one.quantity], fontsize="medium")


def _floor(one: Boundary) -> float:
    # A logarithmic axis has no zero: two decades below the smallest thing drawn.
    shown = np.concatenate([one.closed, one.certified])
    return float(10 ** np.floor(np.log10(np.min(shown[shown > 0], initial=one.cap)) - 0.5))
