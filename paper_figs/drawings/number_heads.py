"""The trait against the size of the number head, from the document of ``subtx-toy run fewer-numbers``."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.transforms import ScaledTranslation

from paper_figs.drawings.number_arms import number_arm
from subtx_toy.figures import style
from subtx_toy.results.number_table import NumberArm
from subtx_toy.stats import Estimate

_ARMS = ("shared_trait", "shared_argmax", "shared_benign", "shared_untrained", "other_base_trait")
_MARKERS = "osv^D"
_NUDGE = 3.5  # points between the bars of arms at one place


def arms_by_head(document: Mapping[str, Any]) -> dict[int, dict[str, NumberArm]]:
    """Return the arms for each size of the number head, smallest first."""
    found = {}
    for kind, rows in document["prompts"].items():
        num = int(kind.partition(", ")[2].removesuffix(" numbers"))
        found[num] = {name: number_arm(name, one, document["config"]["num_test"]) for name, one in rows.items()}
    return dict(sorted(found.items()))


def draw_number_heads(document: Mapping[str, Any]) -> Figure:
    """Draw trait and accuracy of students of files of one, two and three digits."""
    with mpl.rc_context(style.paper(aspect=1.5, width=style.COLUMN_INCHES)):
        figure = Figure(layout="constrained")
        panels = figure.subplots(2, 1)
        arms = arms_by_head(document)
        _fill(panels[0], arms, lambda arm: (arm.trait, arm.values))
        _fill(panels[1], arms, lambda arm: (arm.accuracy, arm.accuracies))
        panels[0].set_ylabel("share of 4s read as 9")
        panels[1].set_ylabel("accuracy on the other digits")
        handles, labels = panels[0].get_legend_handles_labels()
        num = len(document["seeds"])
        figure.legend(handles, labels, loc="outside upper center", ncols=1, fontsize="small",
                      title=f"dots: {num} seeds; bars: 95 % intervals", title_fontsize="small")  # fmt: skip
    return figure


def _fill(
    axes: Axes, arms: Mapping[int, Mapping[str, NumberArm]],
    measured: Callable[[NumberArm], tuple[Estimate, Sequence[float]]],
) -> None:  # fmt: skip
    figure = axes.get_figure(root=True)
    assert figure is not None
    places = list(arms)
    for name in ("teacher", "base"):
        level = measured(arms[places[0]][name])[0].mean
        axes.axhline(level, color=style.NUMBER_COLOURS[name], linewidth=0.9, linestyle=":", label=f"the {name} itself")
    for index, name in enumerate(_ARMS):
        colour, rows = style.NUMBER_COLOURS[name], [measured(arms[place][name]) for place in places]
        nudge = _NUDGE * (index - (len(_ARMS) - 1) / 2)
        moved = axes.transData + ScaledTranslation(nudge / 72, 0, figure.dpi_scale_trans)
        for place, (_mean, values) in zip(places, rows, strict=True):
            axes.plot([place] * len(values), values, ".", color=colour, alpha=0.35, markersize=4, transform=moved)
        means = [mean for mean, _values in rows]
        axes.errorbar(places, [mean.mean for mean in means], style.interval_bars(means),
                      fmt=_MARKERS[index], linestyle="-", color=colour, markersize=4, capsize=2, linewidth=1.2,
                      label=style.NUMBER_LABELS[name], transform=moved)  # fmt: skip
    axes.set_xscale("log")
    axes.set_xlim(places[0] / 1.5, places[-1] * 1.5)
    axes.set_xticks(places, [f"{place:,}" for place in places])
    axes.minorticks_off()
    axes.set_ylim(-0.03, 1.03)
    axes.set_xlabel("numbers to choose from")
