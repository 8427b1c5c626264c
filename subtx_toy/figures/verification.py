"""The claims' margins, and the alignment against eps with the ends of what is proved, certified and observed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import matplotlib as mpl
import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from subtx_toy.figures import style
from subtx_toy.figures.picture import Picture

_COLOURS = {"holds": "#009e73", "violated": "#d55e00"}
_OTHER = "#999999"
_MARKS = {"closed form": ("#0072b2", ":"), "certified": ("#009e73", "--"), "observed": ("#d55e00", "-.")}


@dataclass(frozen=True, eq=False)
class AlignmentCurve:
    """The alignment against eps, to first order too, and the eps to mark, by name; None is not drawn."""

    eps: Float[np.ndarray, " s"]
    exact: Float[np.ndarray, " s"]
    predicted: Float[np.ndarray, " s"]
    marks: Mapping[str, float | None]


def draw_verification(margins: Sequence[tuple[str, float, str]], curve: AlignmentCurve | None) -> Figure:
    """Draw one line for each claim, its worst margin in [-1, 1], and the curve beside them if there is one."""
    with mpl.rc_context(style.paper(aspect=0.55)):
        figure = Picture(layout="constrained")
        num = 1 if curve is None else 2
        _bars(figure.add_subplot(1, num, 1), margins)
        if curve is not None:
            _alignment(figure.add_subplot(1, num, 2), curve)
    return figure


def _bars(axes: Axes, margins: Sequence[tuple[str, float, str]]) -> None:
    heights = np.arange(len(margins))
    colours = [_COLOURS.get(verdict, _OTHER) for _, _, verdict in margins]
    found = [margin for _, margin, _ in margins]
    axes.hlines(heights, 0.0, found, colors=colours, linewidth=1.5)
    axes.scatter(found, heights, color=colours, s=12, zorder=3)
    axes.axvline(0.0, color="black", linewidth=0.8)
    axes.set(
        yticks=heights, yticklabels=[id for id, _, _ in margins], xlabel="worst margin (green: holds, red: violated)"
    )
    axes.invert_yaxis()


def _alignment(axes: Axes, curve: AlignmentCurve) -> None:
    up, down = curve.exact > 0, curve.exact < 0
    axes.plot(curve.eps, curve.predicted, color="0.5", linestyle="--", linewidth=1, label="first order, ε V")
    axes.plot(curve.eps, np.where(up, curve.exact, np.nan), color="black", label="alignment")
    if down.any():
        axes.plot(curve.eps, np.where(down, -curve.exact, np.nan), color="#d55e00", label="minus alignment")
    for name, eps in curve.marks.items():
        if eps is not None and np.isfinite(eps):
            colour, line = _MARKS[name]
            axes.axvline(eps, color=colour, linestyle=line, linewidth=1, label=f"{name} ε = {eps:.3g}")
    axes.set(xscale="log", yscale="log", xlabel="step size ε of the teacher", ylabel="|dS · dT|")
    axes.legend(fontsize="small", loc="best")
