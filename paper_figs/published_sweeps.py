"""Each published sweep as a figure, and all of them on one sheet, from the committed results.

    python paper_figs/published_sweeps.py --out FOLDER [NAME ...]

One script for all, because the figures differ in nothing but their data and axis, which the experiment files hold.
"""

from __future__ import annotations

import sys
from pathlib import Path

import matplotlib as mpl
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from paper_figs.drawings.output import parser, write
from paper_figs.tables.comparison_tables import Checked, read_checked
from subtx_toy.figures import style
from subtx_toy.figures.panel import fill_panel
from subtx_toy.figures.points import draw_points

RESULTS = Path(__file__).parents[1] / "docs" / "results" / "sweeps"
COLUMNS = 4
MAX_PLACES = 12  # whose names have room below a panel of the sheet


def sheet(checked: Checked) -> Figure:
    rows = -(-len(checked) // COLUMNS)
    with mpl.rc_context(style.paper() | {"figure.figsize": (4 * COLUMNS, 3.2 * rows)}):
        figure = Figure(layout="constrained")
        panels = figure.subplots(rows, COLUMNS, squeeze=False).ravel()
        for axes, (name, (sweep, points)) in zip(panels, checked.items(), strict=False):
            places = list(dict.fromkeys(row.place for row in points))
            shown = [row for row in points if row.place in places[:MAX_PLACES]]
            fill_panel(axes, sweep, shown, dataset=sweep.config.dataset)
            left = len(places) - MAX_PLACES
            axes.set_title(name if left <= 0 else f"{name}, the first {MAX_PLACES} of {len(places)} settings")
        for axes in panels[len(checked) :]:
            axes.remove()
        arms = list(dict.fromkeys(row.metric.split(".")[0] for _, points in checked.values() for row in points))
        handles = [Line2D([], [], color=style.COLOURS[arm], label=style.LABELS[arm].replace("\n", " ")) for arm in arms]
        figure.legend(handles=handles, loc="outside upper center", ncols=len(arms), fontsize="x-large")
        figure.supxlabel(
            "circles: ours, mean and 95 % interval over seeds (dots) and test images; diamonds: published, 95 %"
        )
    return figure


def main(arguments: list[str] | None = None) -> None:
    options = parser(__doc__)
    options.add_argument("names", nargs="*", metavar="NAME", help="experiments, or sheet [default: all]")
    chosen = options.parse_args(arguments)
    checked = read_checked(RESULTS)
    if unknown := [name for name in chosen.names if name not in (*checked, "sheet")]:
        sys.exit(f"no results of {unknown[0]} in {RESULTS}; there are sheet, {', '.join(checked)}")
    if not chosen.names or "sheet" in chosen.names:
        write(sheet(checked), "published-sweeps", chosen)
    for name, (sweep, points) in checked.items():
        if not chosen.names or name in chosen.names:
            write(draw_points(sweep, points, dataset=sweep.config.dataset), f"sweep-{name}", chosen)


if __name__ == "__main__":
    main()
