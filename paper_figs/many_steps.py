"""Linearised and lazy students, predictors of transfer, many steps, thresholds, the modes of G, and their studies."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from paper_figs.drawings.many_step_studies import draw_criteria, draw_generations, draw_orders, draw_parts
from paper_figs.drawings.output import parser, write
from paper_figs.tables.exported import read_trials
from subtx_toy.figures import style
from subtx_toy.figures.many_steps import draw_many_steps
from subtx_toy.figures.points import draw_points
from subtx_toy.figures.predictions import draw_predictions
from subtx_toy.results.comparison import compare_sweep
from subtx_toy.results.many_steps_table import ManyStepsSummary, students_of
from subtx_toy.results.prediction_table import PredictionSummary, rank, setting_means
from subtx_toy.settings.definitions import DistillationSweep
from subtx_toy.settings.experiment_file import read
from subtx_toy.settings.many_steps import ManyStepsConfig
from subtx_toy.settings.prediction import PredictionConfig
from subtx_toy.theory.error_polynomials import (
    asymptotic_crossing,
    first_crossing,
    fraction,
    nesterov_crossing,
    nesterov_stability,
)

RESULTS = Path(__file__).parents[1] / "docs" / "results" / "many-steps"
STEPS = (1, 30, 300)


def sweep(name: str) -> Figure:
    """Draw a sweep of the reference protocol with lazy or linearised models."""
    definition = read(name)
    assert isinstance(definition, DistillationSweep)
    return draw_points(definition, compare_sweep(definition, read_trials(RESULTS / f"{name}.csv")), dataset="mnist")


def predictors() -> Figure:
    """Draw transfer against every predictor."""
    definition = read("predictors")
    trials = read_trials(RESULTS / "predictors.csv", PredictionConfig)
    means = setting_means((one.config.model_dump(), dict(one.metrics)) for one in trials)
    return draw_predictions(PredictionSummary(definition, definition.config, means, rank(means), 0))


def many_steps(name: str) -> Figure:
    """Draw an experiment of many steps from its committed document."""
    definition = read(name)
    assert isinstance(definition.config, ManyStepsConfig)
    return draw_many_steps(ManyStepsSummary(definition, definition.config, students_of(_document(name))))


def crossings() -> Figure:
    """Draw, against momentum, the step size beyond which some mode points away, with the number of steps it takes."""
    betas = np.concatenate([np.linspace(0, 0.9, 91), 1 - np.geomspace(0.1, 1e-3, 60)[1:]])
    found = [first_crossing(float(beta)) for beta in betas]
    limits, steps = (np.array(column) for column in zip(*found, strict=True))
    few = sorted(set(steps.tolist()))[:5]
    with mpl.rc_context(style.paper(aspect=0.8, width=style.COLUMN_INCHES)):
        figure = Figure(layout="constrained")
        axes = figure.add_subplot()
        for place, num in enumerate(few):
            at = steps == num
            axes.plot(1 - betas[at], limits[at], color=f"C{place}", label=f"heavy ball, K = {num}")
        late = steps > few[-1]
        axes.plot(1 - betas[late], limits[late], color="0.3", label="heavy ball, larger K")
        asymptote = [asymptotic_crossing(float(beta)) for beta in betas]
        axes.plot(1 - betas, asymptote, ":", color="0.3", label="(8π(1 − β))^(2/3)")
        second = [nesterov_crossing(float(beta)) for beta in betas]
        axes.plot(1 - betas, second, "--", color="C6", label="Nesterov, K = 2")
        axes.plot(1 - betas, [nesterov_stability(float(beta)) for beta in betas], "-.", color="C6", linewidth=0.8,
                  label="Nesterov, limit of stability")  # fmt: skip
        axes.set_xscale("log")
        axes.set_yscale("log")
        axes.invert_xaxis()
        axes.set_xlabel("1 − momentum")
        axes.set_ylabel("first step size × eigenvalue at which\na student points away")
        axes.legend(fontsize="small", loc="lower left")
    return figure


def transferred_modes() -> Figure:
    """Draw what K steps transfer of each mode, with the eigenvalues of the reference protocol's network."""
    seeds = _document("modes")["seeds"]
    top = float(np.mean([one["eigenvalues"][0] for one in seeds]))
    x = np.geomspace(1e-4, 1, 400)
    with mpl.rc_context(style.paper(aspect=0.8, width=style.COLUMN_INCHES)):
        figure = Figure(layout="constrained")
        axes = figure.add_subplot()
        for place, num in enumerate(STEPS):
            axes.plot(top * x, fraction(x, num), color=f"C{place}", label=f"K = {num}")
        for at, one in enumerate(seeds):
            values = np.array(one["eigenvalues"])
            axes.plot(values, np.full(len(values), -0.06 - 0.025 * at), "|", color="0.3", markersize=5)
        axes.axhline(0, color="0.75", linewidth=0.8, linestyle=":", zorder=0)
        axes.set_xscale("log")
        axes.set_xlabel("eigenvalue λ of G; step size 1 / largest")
        axes.set_ylabel("transferred fraction 1 − (1 − λ / largest)^K")
        axes.legend(fontsize="small", title=f"ticks: the 6 largest of {len(seeds)} seeds", title_fontsize="small")
    return figure


def _document(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((RESULTS / f"{name}.json").read_text(encoding="utf-8"))
    return found


FIGURES: dict[str, Callable[[], Figure]] = {
    "lazy": lambda: sweep("lazy-rich"),
    "linearized": lambda: sweep("linearized"),
    "width": lambda: sweep("linear-width"),
    "predictors": predictors,
    "curves": lambda: many_steps("many-steps"),
    "thresholds": lambda: many_steps("thresholds"),
    "crossings": crossings,
    "modes": transferred_modes,
    "orders": lambda: draw_orders(_document("remainder-orders")),
    "criteria": lambda: draw_criteria(_document("trained-criteria")),
    "parts": lambda: draw_parts(_document("heads-and-hidden")),
    "generations": lambda: draw_generations(_document("generations")),
}


def main(arguments: list[str] | None = None) -> None:
    """Draw all figures, or those named."""
    options = parser(__doc__)
    options.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(FIGURES)}; all by default")
    chosen = options.parse_args(arguments)
    for name in chosen.names or FIGURES:
        write(FIGURES[name](), f"many-steps-{name}", chosen)


if __name__ == "__main__":
    main()
