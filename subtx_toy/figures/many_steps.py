"""Students of many steps: against the step, or against the step size around a threshold."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

from subtx_toy.figures import style
from subtx_toy.figures.picture import Picture
from subtx_toy.results.many_steps_table import ManyStepsSummary, Student
from subtx_toy.wording import counted

_CURVES = {
    "alignment": "cosine of displacement\nand teacher's",
    "restoring": "cosine of minus the gradient\nwith what is left",
    "function_cosine": "cosine of the changes\nof outputs",
}


def draw_many_steps(summary: ManyStepsSummary) -> Figure:
    """Draw curves against the step; thresholds where the teacher stands in the top mode."""
    if summary.base.teacher == "top_mode":
        return _thresholds(summary)
    with mpl.rc_context(style.paper(aspect=0.45)):
        width, _ = mpl.rcParams["figure.figsize"]
        figure = Picture(figsize=(width, 1.25 * width), layout="constrained")
        panels = figure.subplots(len(_CURVES), 1, sharex=True)
        for axes, (name, label) in zip(panels, _CURVES.items(), strict=True):
            for place, student in enumerate(summary.students):
                _curve(axes, student, name, colour=f"C{place % 10}")
            axes.axhline(0, color="0.75", linewidth=0.8, linestyle=":", zorder=0)
            axes.set_xscale("log")
            axes.set_ylabel(label)
        panels[-1].set_xlabel("step")
        handles, labels = panels[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside upper center", ncols=3, fontsize="small")
        seeds = sorted({one.num_seeds for one in summary.students})
        figure.supxlabel(
            f"means over {counted(seeds[0], 'seed')} on {style.dataset_label(summary.base.dataset_title)}, bands from "
            "the lowest to the highest seed",
            fontsize="small",
        )
    return figure


def _curve(axes: mpl.axes.Axes, student: Student, name: str, *, colour: str) -> None:
    band = student.curves[name]
    label = f"{student.name}, step {student.config.student_step:g}"
    axes.plot(band.steps, band.mean, color=colour, linewidth=1.2, label=label)
    axes.fill_between(band.steps, band.low, band.high, color=colour, alpha=0.15, linewidth=0)


def _thresholds(summary: ManyStepsSummary) -> Figure:
    from subtx_toy.theory.error_polynomials import first_crossing, heavy_ball, nesterov, nesterov_crossing

    groups: dict[tuple[str, float], list[Student]] = {}
    for one in summary.students:
        groups.setdefault((one.config.optimizer, one.config.momentum), []).append(one)
    rows = -(-len(groups) // 2)
    with mpl.rc_context(style.paper(aspect=0.6 * rows, width=style.COLUMN_INCHES)):
        figure = Picture(layout="constrained")
        panels = figure.subplots(rows, 2, squeeze=False).ravel()
        for axes in panels[len(groups) :]:
            axes.remove()
        for axes, ((rule, beta), students) in zip(panels, groups.items(), strict=False):
            limit = first_crossing(beta)[0] if rule == "heavy_ball" else nesterov_crossing(beta)
            errors = partial(heavy_ball if rule == "heavy_ball" else nesterov, beta=beta)
            _panel(axes, students, limit, errors)
            axes.set_title(students[0].name, fontsize="medium")
            axes.tick_params(labelsize="small")
        figure.supylabel("lowest fraction transferred over the steps", fontsize="medium")
        figure.supxlabel(
            "step size times the largest eigenvalue of G\nline: the error polynomial, dots: seeds, dashed: threshold",
            fontsize="small",
        )
    return figure


def _panel(axes: mpl.axes.Axes, students: Sequence[Student], limit: float, errors: partial[np.ndarray]) -> None:
    steps = [one.config.student_step for one in students]
    x = np.linspace(0.9 * min(steps), 1.05 * max(steps), 300)
    worst = np.max([errors(x, num_steps=num) for num in range(1, students[0].config.num_steps + 1)], axis=0)
    axes.plot(x, 1 - worst, color="0.4", linewidth=1)
    axes.axvline(limit, color="0.4", linewidth=0.8, linestyle="--")
    axes.axhline(0, color="0.75", linewidth=0.8, linestyle=":", zorder=0)
    for one in students:
        seen = one.metrics["min_fraction"]
        axes.plot([one.config.student_step] * len(seen), seen, ".", color=style.COLOURS["student_aux"], markersize=5)
