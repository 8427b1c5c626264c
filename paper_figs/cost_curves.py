"""What a run costs against its size, from `python benchmarks/run.py cost --json > docs/results/cost-curves.json`."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from paper_figs.drawings.output import parser, write
from subtx_toy.figures import style

SOURCE = Path(__file__).parents[1] / "docs" / "results" / "cost-curves.json"
LABELS = {
    "width": "width of the hidden layers",
    "num_aux": "auxiliary logits",
    "depth": "hidden layers",
    "images": "images per phase",
    "seeds": "seeds, one after another in a process",
}
TIME, MEMORY, PRODUCTS = "#000000", "#0072b2", "#7f7f7f"


def fill(axes: Axes, name: str, series: dict[str, Any]) -> None:
    points = series["points"]
    x, seconds = ([point[key] for point in points] for key in (name, "training_cpu_seconds"))
    # The products at the best rate of the series: what the time would be without anything else.
    rate = max(point["gflop"] / point["training_cpu_seconds"] for point in points)
    axes.loglog(
        x, [point["gflop"] / rate for point in points], "--", color=PRODUCTS, label="products alone, at their best rate"
    )
    axes.loglog(x, seconds, "o-", color=TIME, markersize=3, label="measured")
    axes.set_xlabel(LABELS[name])
    axes.set_title(
        f"time ∝ x^{series['exponent_of_time']:.2f}, products ∝ x^{series['exponent_of_products']:.2f}",
        fontsize="medium",
    )
    axes.set_xticks(x, [f"{value:,}" for value in x], rotation=45, ha="right")
    axes.minorticks_off()
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.set_ylabel("CPU seconds of the steps")
    beside = axes.twinx()
    beside.plot(x, [point["peak_rss_mib"] / 1024 for point in points], "s:", color=MEMORY, markersize=3)
    beside.set_ylim(0, 1.3)
    beside.set_ylabel("peak memory, GiB", color=MEMORY)
    beside.spines["right"].set_visible(True)


def draw(found: dict[str, Any]) -> Figure:
    """Draw one panel per series, the last one in the middle of its row where their number is odd."""
    with mpl.rc_context(style.paper(aspect=1.4)):
        figure = Figure(layout="constrained")
        rows = -(-len(found) // 2)
        grid = figure.add_gridspec(rows, 4)
        for place, (name, series) in enumerate(found.items()):
            alone = place == len(found) - 1 and place % 2 == 0
            left = 1 if alone else 2 * (place % 2)
            fill(figure.add_subplot(grid[place // 2, left : left + 2]), name, series)
        handles, labels = figure.axes[0].get_legend_handles_labels()
        handles.append(Line2D([], [], color=MEMORY, marker="s", linestyle=":", markersize=3))
        figure.legend(handles, [*labels, "peak memory"], loc="outside upper center", ncols=3, fontsize="small")
    return figure


def main(arguments: list[str] | None = None) -> None:
    chosen = parser(__doc__).parse_args(arguments)
    write(draw(json.loads(SOURCE.read_text(encoding="utf-8"))["series"]), "cost-curves", chosen)


if __name__ == "__main__":
    main()
