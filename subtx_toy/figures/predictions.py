"""Transfer against every predictor, one dot per setting."""

from __future__ import annotations

import matplotlib as mpl
from matplotlib.figure import Figure

from subtx_toy.figures import style
from subtx_toy.figures.picture import Picture
from subtx_toy.results.prediction_table import LABELS, NAIVE, TARGET, PredictionSummary, SettingMeans
from subtx_toy.wording import counted

_COLUMNS = 2


def draw_predictions(summary: PredictionSummary) -> Figure:
    """Draw one panel for each predictor, with rho and its 95 % interval; settings with inputs of images are open."""
    rows = -(-len(LABELS) // _COLUMNS)
    with mpl.rc_context(style.paper(aspect=0.55 * rows, width=style.COLUMN_INCHES)):
        figure = Picture(layout="constrained")
        panels = figure.subplots(rows, _COLUMNS, sharey=True, squeeze=False).ravel()
        for axes, name in zip(panels, LABELS, strict=False):
            _fill(axes, summary, name)
        for axes in panels[len(LABELS) :]:
            axes.remove()
        figure.supylabel("transfer: (student - untrained) / (teacher - untrained)", fontsize="medium")
        seeds = sorted({one.num_seeds for one in summary.settings})
        has_open = any(_is_on_images(one) for one in summary.settings)
        open_ones = "\nopen: distilled on images of the data set" if has_open else ""
        figure.supxlabel(
            f"dots: means over {counted(seeds[0], 'seed of one setting')}, "
            f"{counted(len(summary.settings), 'setting')} on "
            f"{style.dataset_label(summary.base.dataset_title)}{open_ones}",
            fontsize="small",
        )
    return figure


def _is_on_images(setting: SettingMeans) -> bool:
    return "images" in str(setting.at.get("inputs", ""))


def _fill(axes: mpl.axes.Axes, summary: PredictionSummary, name: str) -> None:
    for one in summary.settings:
        face = "white" if _is_on_images(one) else style.COLOURS["student_aux"]
        axes.plot(one.values[name], one.values[TARGET], "o", markersize=3, markeredgewidth=0.6, alpha=0.8,
                  color=style.COLOURS["student_aux"], markerfacecolor=face)  # fmt: skip
    axes.axhline(0, color="0.75", linewidth=0.8, linestyle=":", zorder=0)
    if name == NAIVE:
        axes.set_xscale("log")
        places = sorted({one.values[name] for one in summary.settings})
        axes.set_xticks(places, [f"{place:g}" for place in places])
        axes.minorticks_off()
    axes.set_xlabel(name.replace("_", " "), fontsize="small")
    axes.tick_params(labelsize="small")
    if name in summary.ranks:
        found = summary.ranks[name]
        axes.set_title(f"ρ = {found.rho:.2f} ({found.interval.low:.2f} to {found.interval.high:.2f})", fontsize="small")
