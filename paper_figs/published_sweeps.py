"""Each published sweep as a figure, and all of them on one sheet, from the committed results.

    python paper_figs/published_sweeps.py [NAME ...]

One script for all, because the figures differ in nothing but their data and axis, which the experiment files hold.
"""

from __future__ import annotations

import sys
from pathlib import Path

import matplotlib as mpl
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from subtx_toy.figures import style
from subtx_toy.figures.points import draw_points, fill_panel
from subtx_toy.figures.style import save

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from paper_figs.tables.comparison_tables import Checked, read_checked

HERE = Path(__file__).parent
RESULTS = HERE.parent / "docs" / "results" / "sweeps"
COLUMNS = 4


def sheet(checked: Checked) -> Figure:
    rows = -(-len(checked) // COLUMNS)
    with mpl.rc_context(style.paper() | {"figure.figsize": (4 * COLUMNS, 3.2 * rows)}):
        figure = Figure(layout="constrained")
        panels = figure.subplots(rows, COLUMNS, squeeze=False).ravel()
        for axes, (name, (sweep, points)) in zip(panels, checked.items(), strict=False):
            fill_panel(axes, sweep, points, dataset=sweep.config.dataset)
            axes.set_title(name)
        for axes in panels[len(checked) :]:
            axes.remove()
        arms = list(dict.fromkeys(row.metric.split(".")[0] for _, points in checked.values() for row in points))
        handles = [Line2D([], [], color=style.COLOURS[arm], label=style.LABELS[arm].replace("\n", " ")) for arm in arms]
        figure.legend(handles=handles, loc="outside upper center", ncols=len(arms), fontsize="x-large")
        figure.supxlabel("circles: ours, mean and 95 % t-interval over seeds (dots); diamonds: published, 95 %")
    return figure


def main(names: list[str]) -> None:
    checked = read_checked(RESULTS)
    unknown = [name for name in names if name not in checked]
    if unknown:
        sys.exit(f"no results of {unknown[0]} in {RESULTS}; there are {', '.join(checked)}")
    for name, (sweep, points) in checked.items():
        if not names or name in names:
            save(draw_points(sweep, points, dataset=sweep.config.dataset), HERE / f"sweep-{name}.pdf")
            print(HERE / f"sweep-{name}.pdf")
    if not names:
        save(sheet(checked), HERE / "published-sweeps.png")
        print(HERE / "published-sweeps.png")


if __name__ == "__main__":
    main(sys.argv[1:])
