"""One step on images: orders in eps for four places where the student may start, and the window of its step size."""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

from subtx_toy.figures import style
from subtx_toy.figures.picture import Picture
from subtx_toy.results.one_step_table import StartSummary

_MAX_LINEAR = 10.0  # changes up to which the window's panel has a linear axis


def draw_one_step(starts: Sequence[StartSummary], over_lr: dict[str, np.ndarray], *, dataset: str) -> Figure:
    """Draw alignment, remainder and trait loss against eps, and the distance against the student's step size.

    ``over_lr`` has ``step`` and ``change`` of ``one_step_summary.over_student_lr``. What the records do not hold is
    left out, empty panels too: the prediction needs a shared start, a slope three eps, and the window steps of shared
    starts.
    """
    by_init = {start.student_init: start for start in starts}
    shared = by_init.get("shared")
    num_seeds = (shared or starts[0]).values["alignment"].shape[1]
    with mpl.rc_context(style.paper(aspect=0.9)):
        figure = Picture(layout="constrained")
        axes = figure.subplots(2, 2).ravel()
        if shared is not None:
            prediction = _middle(shared.values["predicted_alignment"])
            axes[0].plot(shared.eps, prediction, "k--", linewidth=1, label="predicted ε V, shared init", zorder=5,
                         marker=_marker(shared, "x"))  # fmt: skip
        for start in starts:
            _against_eps(axes[0], start, "alignment")
            if start.student_init in ("shared", "cross"):
                _against_eps(axes[1], start, "remainder")
            _against_eps(axes[2], start, "trait_loss_change", falls_only=True)
        fall = f"fall of the trait loss\n({style.dataset_label(dataset)}), nats; rises not shown"
        for panel, label in zip(axes, ("|alignment|\n|dS · dT|", "remainder\n‖dS − ε G dT‖", fall), strict=False):
            yscale = "linear" if _is_empty(panel) else "log"
            panel.set(xscale="log", yscale=yscale, xlabel="step size ε of the teacher", ylabel=label)
        if shared is not None:
            _guide(axes[0], shared.eps, prediction, 1)
            _guide(axes[1], shared.eps, _middle(shared.values["remainder"]), 2)
        if {"shared", "permuted"} <= by_init.keys() and not _is_empty(axes[2]):
            note = "permuted and shared\ncoincide: one function"
            axes[2].annotate(note, (0.97, 0.06), xycoords="axes fraction", ha="right", color="0.4", fontsize="small")
        if len(over_lr["step"]):
            _window(axes[3], over_lr)
        mean = "line" if _marker(starts[0], "o") is None else "circle"
        handles, labels = axes[0].get_legend_handles_labels()
        _close_gaps(figure, axes)
        figure.legend(
            handles, labels, loc="outside upper center", ncols=3, fontsize="small", title_fontsize="small",
            title=f"where the student starts (dots: seeds; {mean}: geometric mean, n = {num_seeds})",
        )  # fmt: skip
    return figure


def _against_eps(axes: mpl.axes.Axes, start: StartSummary, name: str, *, falls_only: bool = False) -> None:
    colour, values = style.START_COLOURS[start.student_init], start.values[name]
    shown = np.abs(np.where(values < 0 if falls_only else values != 0, values, np.nan))
    for seed in shown.T:
        axes.plot(start.eps, seed, ".", color=colour, alpha=0.3, markersize=3)
    label = style.START_LABELS[start.student_init] + (f", sd {start.perturbation:g}" if start.perturbation else "")
    whole = ~np.isnan(shown).any(axis=1)
    axes.plot(start.eps[whole], _middle(shown[whole]), color=colour, linewidth=1.2, label=label,
              marker=_marker(start, "o"), markersize=4)  # fmt: skip


def _marker(start: StartSummary, symbol: str) -> str | None:
    """Return the symbol if there is one eps only, because one point makes no line."""
    return symbol if len(start.eps) == 1 else None


def _middle(values: np.ndarray) -> np.ndarray:
    """Return the geometric mean over the seeds of ``[e, s]``, nan where one is not above 0."""
    middle: np.ndarray = np.exp(np.log(np.where(values > 0, values, np.nan)).mean(axis=1))
    return middle


def _is_empty(axes: mpl.axes.Axes) -> bool:
    return not any(np.isfinite(np.asarray(line.get_ydata(), float)).any() for line in axes.lines)


def _close_gaps(figure: Figure, axes: Sequence[mpl.axes.Axes]) -> None:
    """Remove the panels without content, let the others close up, and say below them what is left out."""
    empty, kept = [panel for panel in axes if _is_empty(panel)], [panel for panel in axes if not _is_empty(panel)]
    if not empty:
        return
    for panel in empty:
        panel.remove()
    grid = figure.add_gridspec(max(1, -(-len(kept) // 2)), min(2, max(1, len(kept))))
    for place, panel in enumerate(kept):
        panel.set_subplotspec(grid[divmod(place, 2)])
    names = [panel.get_ylabel().partition("\n")[0] or "distance to the teacher" for panel in empty]
    figure.supxlabel(f"nothing to show of: {', '.join(names)}", fontsize="small")


def _guide(axes: mpl.axes.Axes, eps: np.ndarray, values: np.ndarray, order: int) -> None:
    """Mark a slope a little below the lowest third of a curve of three points or more."""
    if len(eps) < 3:
        return
    part = slice(1, 5)
    line = values[2] * 0.12 * (eps[part] / eps[2]) ** order
    axes.plot(eps[part], line, color="0.5", linewidth=0.8)
    axes.annotate(f"slope {order}", (eps[part][-1], line[-1]), xytext=(3, -3), textcoords="offset points",
                  color="0.4", fontsize="small", va="top")  # fmt: skip


def _window(axes: mpl.axes.Axes, over_lr: dict[str, np.ndarray]) -> None:
    steps = np.linspace(0, max(1.3, float(over_lr["step"].max())), 200)
    axes.axvspan(0, 1, color="0.93", zorder=0)
    axes.axhline(0, color="0.75", linewidth=0.8)
    axes.plot(steps, 4 * steps * (steps - 1), "k--", linewidth=1, label="predicted")
    axes.plot(over_lr["step"], over_lr["change"], ".", color=style.START_COLOURS["shared"], markersize=4, label="seeds")
    highest = max(1.5, float(over_lr["change"].max()))
    if highest > _MAX_LINEAR:  # the dip, which is 1 deep, stays visible
        axes.set_yscale("symlog", linthresh=1)
    axes.set_ylim(-1.3, highest * (1.05 if highest <= _MAX_LINEAR else 1.5))
    for word, side in (("closer ", "right"), (" further", "left")):
        axes.annotate(word, (1, 1), xycoords=("data", "axes fraction"), xytext=(0, 2), textcoords="offset points",
                      ha=side, va="bottom", fontsize="small")  # fmt: skip
    axes.set_xlabel("student_lr / predicted window")
    axes.set_ylabel("change of squared distance\nto the teacher, / (cos² · before)")
