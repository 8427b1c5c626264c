"""Learning curves: test accuracy and training loss by epoch, means over seeds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from subtx_toy.figures import style
from subtx_toy.figures.picture import Picture

Curves = Mapping[str, Sequence[Sequence[float]]]
"""By ``<arm>.accuracy`` or ``<arm>.loss``: one curve per seed, as records hold them."""

MAX_POINTS = 12
"""Configurations that a figure of several shows."""

_POINT_COLOURS = "viridis"


def draw_curves(curves: Curves) -> Figure:
    """Draw the curves of one configuration: a colour per arm, a thin line per seed, a thick one for their mean."""
    found = {name.partition(".")[0] for name in curves}
    arms = [arm for arm in style.COLOURS if arm in found] + sorted(found - style.COLOURS.keys())
    with mpl.rc_context(style.paper(aspect=0.5)):
        figure = Picture(layout="constrained")
        panels = figure.subplots(1, 2)
        for axes, measure in zip(panels, ("accuracy", "loss"), strict=True):
            for arm in arms:
                label = style.LABELS.get(arm, arm).replace("\n", " ")
                _draw(axes, curves.get(f"{arm}.{measure}", []), style.COLOURS.get(arm, "#000000"), measure, label)
            _name(axes, measure)
        handles, labels = panels[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside upper center", ncols=3, fontsize="small")
    return figure


def draw_curves_of_points(points: Mapping[str, Curves], *, arm: str) -> Figure:
    """Draw the curves of one arm, a colour per configuration, which ``points`` names; at most ``MAX_POINTS``."""
    shown = dict(list(points.items())[:MAX_POINTS])
    colours = mpl.colormaps[_POINT_COLOURS](np.linspace(0, 0.9, len(shown)))
    with mpl.rc_context(style.paper(aspect=0.6)):
        figure = Picture(layout="constrained")
        panels = figure.subplots(1, 2)
        for axes, measure in zip(panels, ("accuracy", "loss"), strict=True):
            for (name, curves), colour in zip(shown.items(), colours, strict=True):
                _draw(axes, curves.get(f"{arm}.{measure}", []), mpl.colors.to_hex(colour), measure, name)
            _name(axes, measure)
        handles, labels = panels[0].get_legend_handles_labels()
        title = style.LABELS.get(arm, arm).replace("\n", " ")
        figure.legend(handles, labels, loc="outside upper center", ncols=3, fontsize="x-small", title=title)
    return figure


def _draw(axes: Axes, curves: Sequence[Sequence[float]], colour: str, measure: str, label: str) -> None:
    length = max(map(len, curves), default=0)
    whole = np.array([curve for curve in curves if len(curve) == length and length], float)
    if not whole.size:
        return
    epochs = np.arange(length) + (0 if measure == "accuracy" else 1)  # a loss is the mean over an epoch
    marker = "." if length < 3 else None
    axes.plot(epochs, whole.T, color=colour, linewidth=0.5, alpha=0.3)
    finite = np.where(np.isfinite(whole), whole, np.nan)
    kept = ~np.isnan(finite).all(axis=0)
    axes.plot(
        epochs[kept], np.nanmean(finite[:, kept], axis=0), color=colour, linewidth=1.6, marker=marker, label=label
    )


def _name(axes: Axes, measure: str) -> None:
    axes.set_xlabel("epochs")
    if measure == "accuracy":
        axes.set_ylim(-0.02, 1.02)
        axes.set_ylabel("test accuracy")
    else:
        axes.set_ylabel("training loss")
        if any(np.nanmin(np.asarray(line.get_ydata(), float)) > 0 for line in axes.lines if np.size(line.get_ydata())):
            axes.set_yscale("log")
