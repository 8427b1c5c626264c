"""The pages' numbers of linearised students and of predictors are those of the committed runs."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from paper_figs import many_steps
from paper_figs.tables.exported import read_trials
from subtx_toy.results.committed_ranks import PATH
from subtx_toy.results.comparison import compare_sweep
from subtx_toy.results.many_steps_table import students_of
from subtx_toy.results.rank_correlation import correlate
from subtx_toy.settings.definitions import DistillationSweep
from subtx_toy.settings.experiment_file import read

DOCS = Path(__file__).parents[2] / "docs"
RESULTS = DOCS / "results" / "many-steps"
SWEEPS = [name for name in ("linearized", "lazy-rich", "linear-width") if (RESULTS / f"{name}.csv").exists()]


def _short(value: float) -> str:
    return f"{value:.2f}".replace("0.", ".")


def _rank_row(one: dict[str, Any]) -> str:
    def cells(rho: str, ends: str) -> list[str]:
        if one[rho] is None or (one["name"] == "num_aux" and rho != "rho"):
            return ["", ""]
        return [_short(one[rho]), f"{_short(one[ends][0])} to {_short(one[ends][1])}"]

    shown = [*cells("rho", "ci95"), *cells("rho_given_num_aux", "ci95_given_num_aux")]
    shown += cells("rho_minus_num_aux", "ci95_minus_num_aux")
    return f"| `{one['name']}` | {' | '.join(shown)} |"


def rank_rows() -> list[str]:
    found = json.loads(PATH.read_text(encoding="utf-8"))["predictors"]
    return [_rank_row(one) for one in sorted(found, key=lambda one: -one["rho"])]


def test_the_rank_table_of_the_page_is_the_packaged_one() -> None:
    page = (DOCS / "predict.md").read_text(encoding="utf-8")
    table = page.partition("<!-- rank table -->")[2].partition("<!-- end")[0]
    assert [line for line in table.splitlines() if line.startswith("| `")] == rank_rows()


@pytest.mark.parametrize(("better", "other"), [("sign_coverage", "coverage"), ("linear_student", "sign_coverage")])
def test_the_differences_of_the_page_are_of_pairs_resampled_together(better: str, other: str) -> None:
    settings = json.loads(PATH.read_text(encoding="utf-8"))["settings"]
    found = correlate(*(np.array([one[name] for one in settings]) for name in (better, "transfer", other)))
    page = (DOCS / "predict.md").read_text(encoding="utf-8")
    ends = " to ".join(map(_short, found.gain_interval))
    assert f"its ρ is higher by {_short(found.gain)} ({ends}" in page


def sweep_rows(name: str) -> list[str]:
    definition = read(name)
    assert isinstance(definition, DistillationSweep)
    rows = compare_sweep(definition, read_trials(RESULTS / f"{name}.csv"))
    found = [(_place(name, row.place), row.ours) for row in rows if row.metric == "student_aux.accuracy"]
    return [f"| {place} | {one.mean:.3f} | {one.interval.low:.3f} to {one.interval.high:.3f} |" for place, one in found]


def _place(name: str, place: str) -> str:
    """Return the settings of a row; of ``linear-width`` as two columns, with what the command leaves out."""
    if name != "linear-width":
        return place
    full = {"width": "256", "linearized": "none"} | dict(one.split("=") for one in place.split())
    return " | ".join(full.values())


@pytest.mark.parametrize("name", SWEEPS)
def test_the_tables_of_the_sweeps_are_those_of_their_committed_runs(name: str) -> None:
    page = (DOCS / "linear-students.md").read_text(encoding="utf-8")
    rows = sweep_rows(name)
    assert [row for row in rows if row not in page] == []
    definition = read(name)
    assert isinstance(definition, DistillationSweep)
    assert all(row.ours.n >= 10 for row in compare_sweep(definition, read_trials(RESULTS / f"{name}.csv")))


def test_every_student_of_the_committed_thresholds_is_where_the_error_polynomial_has_it() -> None:
    students = students_of(json.loads((RESULTS / "thresholds.json").read_text(encoding="utf-8")))
    assert len(students) == 16
    for one in students:
        assert one.num_seeds >= 10
        predicted = float(one.metrics["predicted_min_fraction"][0])
        assert one.num_away == (one.num_seeds if predicted < 0 else 0)
        assert abs(one.metrics["min_fraction"] - predicted).max() < 0.005


def test_the_committed_curves_are_of_ten_seeds() -> None:
    students = students_of(json.loads((RESULTS / "many-steps.json").read_text(encoding="utf-8")))
    assert {one.num_seeds for one in students} == {10}
    away = {(one.config.optimizer, one.config.student_step): one.num_away for one in students}
    page = (DOCS / "linear-students.md").read_text(encoding="utf-8")
    for optimizer in ("adam", "rmsprop", "sign"):
        assert away[optimizer, 0.03] == 0
        assert f"{optimizer} in {away[optimizer, 1.0]}" in page
    assert all(num == 0 for (optimizer, _), num in away.items() if optimizer in ("gd", "heavy_ball", "nesterov"))


def test_the_least_cosines_with_what_is_left_are_those_of_the_page() -> None:
    students = students_of(json.loads((RESULTS / "many-steps.json").read_text(encoding="utf-8")))
    page = " ".join((DOCS / "linear-students.md").read_text(encoding="utf-8").split())
    least = {(one.config.optimizer, one.config.student_step): one.metrics["min_restoring"].min() for one in students}
    overshooting = min(least[optimizer, 1.0] for optimizer in ("adam", "rmsprop", "sign"))
    assert f"is above {math.floor(overshooting * 1e4) / 10}e-3 for these overshooting" in page
    assert {optimizer for (optimizer, _), value in least.items() if value < 0} == {"gd", "nesterov"}
    curves = [one.curves["restoring"] for one in students]
    first = min(step for one in curves for step, low in zip(one.steps, one.low, strict=True) if low < 0)
    lowest = f"{min(least.values()) * 1e5:.1f}e-5".replace("-", "−", 1)
    below = {one.config.optimizer: int((one.metrics["min_restoring"] < 0).sum()) for one in students}
    assert below["gd"] == 4
    assert (
        f"In 4 of ten seeds of plain descent and in {below['nesterov']} of Nesterov the cosine falls below 0, from "
        f"step {first:g} on, to {lowest} at the lowest" in page
    )
    told = max(one.curves["function_cosine"].mean.max() for one in students)
    assert f"The changes of the outputs agree to {told:.2f} at best, in the mean over seeds".replace("0.", ".") in page


@pytest.mark.parametrize("name", ["crossings", "modes", "thresholds"])
def test_the_figures_of_the_committed_results_can_be_drawn(name: str) -> None:
    assert many_steps.FIGURES[name]().axes
