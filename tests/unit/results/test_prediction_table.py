"""The rank table orders predictors by rho, and its control has none."""

from __future__ import annotations

import math
from typing import Any

import pytest

from subtx_toy.figures.predictions import draw_predictions
from subtx_toy.results.prediction_table import LABELS, PredictionSummary, present_predictions, rank, setting_means
from subtx_toy.seeding import generator
from subtx_toy.settings.experiment_file import read


def runs(num: int = 30, seeds: int = 2) -> list[tuple[dict[str, Any], dict[str, float]]]:
    """Settings whose transfer is known to sign_coverage, and to nothing else but num_aux in part."""
    rng, found = generator(0, "tests", "prediction table"), []
    for setting in range(num):
        noise = dict(zip(LABELS, rng.standard_normal(len(LABELS)), strict=True))
        for seed in range(seeds):
            values = noise | {"sign_coverage": setting + 0.1 * seed, "num_aux": float(1 + setting // 10)}
            metrics = {f"predictor.{name}": value for name, value in (values | {"transfer": setting / num}).items()}
            found.append(({"width": 8, "lr": 1e-3 * setting}, metrics | {"student_aux.accuracy": 0.5}))
    return found


def summary(num: int = 30) -> PredictionSummary:
    definition = read("predictors")
    means = setting_means(runs(num))
    return PredictionSummary(definition, definition.config, means, rank(means), 0)


def test_the_means_are_over_the_seeds_of_a_setting() -> None:
    means = setting_means(runs())
    assert [one.num_seeds for one in means] == [2] * 30
    assert means[3].values["sign_coverage"] == pytest.approx(3.05)
    assert means[3].at == {"lr": 0.003}


def test_the_planted_predictor_comes_first_and_permuting_takes_it_away() -> None:
    shown = present_predictions(summary())
    first = shown.tables[0].rows[0]
    assert first[:2] == ["sign_coverage", "1.00"]
    document = {one["name"]: one for one in shown.document["predictors"]}
    assert document["sign_coverage"]["rho"] == pytest.approx(1)
    assert document["sign_coverage"]["permuted95"][1] < 0.5
    assert document["num_aux"]["rho_given_num_aux"] is None
    assert document["sign_coverage"]["ci95_minus_num_aux"][0] > 0
    for name in ("coverage", "linear_student", "curvature_cosine", "sign_budget"):
        low, high = document[name]["permuted95"]
        assert low < document[name]["rho"] < high
    assert "sign_coverage ranks the transfer best: rho 1.00" in shown.conclusion


def test_the_figure_has_a_panel_for_each_predictor() -> None:
    figure = draw_predictions(summary())
    assert len(figure.axes) == len(LABELS)
    assert any("ρ = 1.00" in axes.get_title() for axes in figure.axes)


def test_too_few_settings_are_not_ranked() -> None:
    definition = read("predictors")
    shown = present_predictions(PredictionSummary(definition, definition.config, setting_means(runs(4)), {}, 1))
    assert shown.conclusion.startswith("4 settings are too few")
    assert shown.tables[0].rows == []
    assert any("left out" in note for note in shown.notes)
    assert not math.isnan(shown.document["num_settings"])
