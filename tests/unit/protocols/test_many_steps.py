"""Runs of many steps find what the error polynomials and Lanczos say, and their controls do not."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from subtx_toy.data import Dataset
from subtx_toy.errors import InputError
from subtx_toy.problem import params as vectors
from subtx_toy.protocols.many_steps import many_step_problem, run_many_steps, top_mode, transferred
from subtx_toy.settings.many_steps import ManyStepsConfig
from subtx_toy.theory.cosine import lambda_max
from subtx_toy.theory.curvature import ggn_operator
from subtx_toy.theory.error_polynomials import first_crossing
from subtx_toy.tolerances import FRACTION_OF_A_SMALL_TEACHER

SMALL: dict[str, object] = {
    "dataset": "glyphs", "num_train": 300, "num_test": 100, "num_trait": 30, "width": 3, "num_inputs": 12,
    "num_steps": 12, "eps": 1e-5,
}  # fmt: skip


@pytest.fixture
def digits(striped_digits: Dataset) -> Dataset:
    return striped_digits


def configuration(**values: object) -> ManyStepsConfig:
    return ManyStepsConfig.parse(SMALL | values)


MOMENTUM: list[dict[str, object]] = [
    {},
    {"optimizer": "heavy_ball", "momentum": 0.9, "student_step": 1.6},
    {"optimizer": "nesterov", "momentum": 0.5},
]


@pytest.mark.parametrize("values", MOMENTUM, ids=lambda one: str(one.get("optimizer")))
def test_the_fraction_is_the_predicted_one_to_leading_order(values: dict[str, object], digits: Dataset) -> None:
    found = run_many_steps(configuration(**values), digits, seed=0)[0]
    assert abs(found["fraction"] - found["predicted_fraction"]) <= FRACTION_OF_A_SMALL_TEACHER
    other = run_many_steps(configuration(**values, eps=1.0), digits, seed=0)[0]
    assert abs(other["fraction"] - other["predicted_fraction"]) > FRACTION_OF_A_SMALL_TEACHER


@pytest.mark.parametrize(("factor", "is_away"), [(0.97, False), (1.03, True)])
def test_a_student_in_the_top_mode_points_away_beyond_the_threshold_alone(
    factor: float, is_away: bool, digits: Dataset
) -> None:
    config = configuration(
        optimizer="heavy_ball", momentum=0.9, student_step=factor * first_crossing(0.9)[0], teacher="top_mode"
    )
    found = run_many_steps(config, digits, seed=1)[0]
    assert (found["min_fraction"] < 0) == (found["predicted_min_fraction"] < 0) == is_away
    assert abs(found["min_fraction"] - found["predicted_min_fraction"]) <= FRACTION_OF_A_SMALL_TEACHER


def test_the_top_mode_is_an_eigenvector_and_none_is_larger(digits: Dataset) -> None:
    problem, value = many_step_problem(configuration(), digits, seed=2)
    largest, mode = top_mode(problem, seed=2)
    assert largest == value == pytest.approx(lambda_max(problem).value, rel=1e-9)
    product = ggn_operator(problem)
    assert float((product(mode) - largest * mode).norm()) < 1e-6 * largest
    other = mode + 1e-3 * torch.roll(mode, 1)
    assert float((product(other) - largest * other).norm()) > 1e-6 * largest


def test_steps_are_in_the_units_that_the_settings_say(digits: Dataset) -> None:
    plain, value = many_step_problem(configuration(student_step=0.5), digits, seed=3)
    assert plain.student_lr == pytest.approx(0.5 / value)
    signed, _ = many_step_problem(configuration(optimizer="sign", student_step=0.5), digits, seed=3)
    dT = vectors.flatten(signed.teacher_update)
    assert signed.student_lr == pytest.approx(0.5 * 1e-5 * float(dT.square().mean().sqrt()))


def test_series_have_a_value_for_each_step(digits: Dataset) -> None:
    metrics, series = run_many_steps(configuration(optimizer="adam"), digits, seed=4)
    assert {name: len(values) for name, values in series.items()} == {
        "alignment": 12, "restoring": 13, "distance": 13, "trait_loss": 13, "function_cosine": 12,
    }  # fmt: skip
    assert metrics["alignment"] == series["alignment"][-1]
    assert "predicted_fraction" not in metrics
    assert np.isfinite(list(metrics.values())).all()


def test_plain_descent_transfers_one_minus_the_power() -> None:
    x = np.array([0.0, 0.5, 1.0, 2.0])
    assert transferred(configuration(), x, 3).tolist() == [0.0, 0.875, 1.0, 2.0]


def test_one_logit_teaches_by_its_square(digits: Dataset) -> None:
    found, _ = run_many_steps(configuration(num_aux=1, loss="squared_error", num_steps=1), digits, seed=0)
    assert found["largest_eigenvalue"] > 0


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"momentum": 0.5}, "momentum"),
        ({"optimizer": "nesterov"}, "momentum"),
        ({"temperature": 2.0, "loss": "squared_error"}, "temperature"),
        ({"num_trait": 301}, "num_trait"),
        ({"num_steps": 0}, "num_steps"),
        ({"activation": "relu"}, "activation"),
        ({"num_aux": 1}, "num_aux"),
    ],
)
def test_what_contradicts_is_refused(values: dict[str, object], field: str) -> None:
    with pytest.raises(InputError) as caught:
        configuration(**values)
    assert [one.partition(":")[0] for one in caught.value.problems] == [field]
