"""The table of many steps counts who points away, and says which settings do."""

from __future__ import annotations

import json

import numpy as np
import pytest

from subtx_toy.figures.many_steps import draw_many_steps
from subtx_toy.results.many_steps_table import CURVES, Band, ManyStepsSummary, Student, present_many_steps, students_of
from subtx_toy.settings.experiment_file import read
from subtx_toy.settings.many_steps import ManyStepsConfig

NAMES = ("alignment", "function_cosine", "distance", "fraction", "predicted_fraction", "min_restoring",
         "predicted_min_fraction")  # fmt: skip


def student(config: ManyStepsConfig, least: list[float]) -> Student:
    n = len(least)
    metrics = {name: np.full(n, 0.5) for name in NAMES} | {"min_fraction": np.array(least)}
    curves = {name: Band.of(np.linspace(0, 1, n * config.num_steps).reshape(n, -1)) for name in CURVES}
    return Student(config, metrics, curves)


def summary(name: str, least: list[float]) -> ManyStepsSummary:
    definition = read(name)
    configs = [one for one in definition.configs() if isinstance(one, ManyStepsConfig)]
    assert isinstance(definition.config, ManyStepsConfig)
    students = [student(one, least if at == 1 else [0.1] * len(least)) for at, one in enumerate(configs)]
    return ManyStepsSummary(definition, definition.config, students)


def test_the_conclusion_names_who_points_away() -> None:
    shown = present_many_steps(summary("many-steps", [0.1, -0.2, 0.1, -0.1, 0.2]))
    assert shown.conclusion.startswith("Students pointed away from their teacher with heavy ball 0.9 at step 1;")
    assert "too few" not in shown.conclusion
    assert [row[-1] for row in shown.tables[0].rows][:3] == ["0 of 5 seeds", "2 of 5 seeds", "0 of 5 seeds"]
    assert shown.document["students"][1]["num_away"] == 2
    assert shown.document["students"][1]["metrics"]["min_fraction"]["values"] == [0.1, -0.2, 0.1, -0.1, 0.2]


def test_few_seeds_allow_no_conclusion() -> None:
    assert "too few seeds" in present_many_steps(summary("many-steps", [0.1, 0.2])).conclusion
    assert "No student of 9 settings" in present_many_steps(summary("many-steps", [0.1] * 5)).conclusion


@pytest.mark.parametrize(("name", "panels"), [("many-steps", 3), ("thresholds", 4)])
def test_the_figure_has_a_panel_for_each_curve_or_momentum(name: str, panels: int) -> None:
    figure = draw_many_steps(summary(name, [0.1] * 5))
    assert len(figure.axes) == panels
    assert all(axes.lines for axes in figure.axes)


def test_a_band_keeps_every_early_step_and_the_last() -> None:
    values = np.arange(1500.0).reshape(3, 500)
    band = Band.of(values)
    assert band.steps[:100].tolist() == list(range(1, 101))
    assert band.steps[-1] == 500
    assert 100 < len(band.steps) <= 120
    assert band.low.tolist() == values[0, band.steps - 1].tolist()
    assert band.high.tolist() == values[2, band.steps - 1].tolist()
    assert band.mean.tolist() == values[1, band.steps - 1].tolist()
    assert Band.of(values[:, :3]).steps.tolist() == [1, 2, 3]


def test_students_are_restored_from_their_document() -> None:
    before = summary("thresholds", [0.1, -0.2, 0.1, -0.1, 0.2])
    after = students_of(json.loads(json.dumps(present_many_steps(before).document)))
    assert [one.config for one in after] == [one.config for one in before.students]
    for old, new in zip(before.students, after, strict=True):
        assert new.metrics["min_fraction"].tolist() == old.metrics["min_fraction"].tolist()
        assert np.allclose(new.curves["alignment"].mean, old.curves["alignment"].mean, atol=1e-6)
