"""A run of the prediction protocol measures the reference protocol's student and predicts it before it is trained."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from subtx_toy.data.dataset import Dataset
from subtx_toy.errors import InputError
from subtx_toy.problem import params as vectors
from subtx_toy.protocols import prediction
from subtx_toy.protocols.distillation import run_protocol, setup_of, teach
from subtx_toy.protocols.prediction import linear_student, predict, run_prediction, student_problem
from subtx_toy.results.rows import parse
from subtx_toy.settings.distillation import RunConfig
from subtx_toy.settings.many_steps import ManyStepsConfig
from subtx_toy.settings.prediction import PredictionConfig
from subtx_toy.tolerances import ROUTES_AGREE
from subtx_toy.training.phase import HeldOut

SMALL: dict[str, object] = {
    "num_train": 300, "num_test": 100, "num_inputs": 60, "width": 16, "batch_size": 30, "lr": 3e-3,
    "teacher_epochs": 1, "student_epochs": 1,
}  # fmt: skip


def configuration(**values: object) -> PredictionConfig:
    return PredictionConfig.parse(SMALL | values)


def test_a_run_has_the_reference_protocols_accuracies_and_every_predictor(striped_digits: Dataset) -> None:
    config = configuration(student_noise=0.1)
    found = run_prediction(config, striped_digits, seed=1)
    plain = RunConfig.parse(config.model_dump(include=set(RunConfig.model_fields)))
    accuracy = run_protocol(plain, striped_digits, seed=1).accuracy
    assert {name: found[f"{name}.accuracy"] for name in accuracy} == accuracy
    gained = accuracy["teacher"] - accuracy["reference"]
    assert found["predictor.transfer"] == (accuracy["student_aux"] - accuracy["reference"]) / gained
    linear = run_protocol(plain.override(["linearized=student"]), striped_digits, seed=1).accuracy["student_aux"]
    assert found["linear_student.accuracy"] == linear == linear_student(plain, striped_digits, seed=1)
    assert found["predictor.linear_student"] == linear - accuracy["reference"]
    alone = predict(plain, striped_digits, seed=1)
    for name, value in alone.values.items():
        assert found[f"predictor.{name}"] == value
    assert found["predictor.num_aux"] == 3
    assert found["predictor.sign_budget"] == alone.values["sign_coverage"] * math.sqrt(3e-3 * 2)


def test_no_student_is_trained_to_predict(striped_digits: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prediction, "run_protocol", None)
    assert set(predict(RunConfig.parse(SMALL), striped_digits, seed=0).values) == {
        "coverage", "sign_coverage", "curvature_cosine", "sign_budget", "num_aux",
    }  # fmt: skip


def test_the_problem_is_the_students(striped_digits: Dataset) -> None:
    config = RunConfig.parse(SMALL | {"student_noise": 0.2})
    setup = setup_of(config, striped_digits, seed=3)
    teacher = teach(config, striped_digits, setup, HeldOut(setup, striped_digits))
    problem = student_problem(config, striped_digits, teacher, seed=3)
    assert problem.inputs.shape == (60, 784)
    assert problem.inputs.dtype == torch.float64
    there = vectors.axpy(1.0, problem.teacher_update, problem.base_params)
    apart = vectors.norm(vectors.difference(there, {name: one.double() for name, one in teacher.params.items()}))
    assert float(apart) < 1e-12
    few = student_problem(config, striped_digits, teacher, seed=3, num_sampled=7)
    assert few.inputs.shape == (7, 784)
    again = student_problem(config, striped_digits, teacher, seed=3)
    assert torch.equal(again.inputs, problem.inputs)


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"students": "all"}, "students"),
        ({"linearized": "both"}, "linearized"),
        ({"output_scale": 2.0}, "output_scale"),
        ({"probe": True}, "probe"),
    ],
)
def test_what_cannot_be_predicted_is_refused(values: dict[str, object], field: str) -> None:
    with pytest.raises(InputError) as caught:
        configuration(**values)
    assert [one.partition(":")[0] for one in caught.value.problems] == [field]


@np.errstate(over="ignore", invalid="ignore")
def test_a_teacher_that_diverged_predicts_nothing(striped_digits: Dataset) -> None:
    config = RunConfig.parse(SMALL | {"optimizer": "sgd", "lr": 1e30, "teacher_epochs": 3})
    found = predict(config, striped_digits, seed=0).values
    assert all(math.isnan(found[name]) for name in ("coverage", "sign_coverage", "curvature_cosine", "sign_budget"))


def test_a_stored_record_is_known_as_one_of_this_protocol() -> None:
    for kind in (PredictionConfig, ManyStepsConfig, RunConfig):
        assert type(parse(kind().model_dump())) is kind


@pytest.mark.parametrize("activation", ["tanh", "relu"])
@pytest.mark.parametrize("loss", ["kl", "squared_error"])
def test_passes_by_hand_predict_what_autograd_does(striped_digits: Dataset, activation: str, loss: str) -> None:
    config = RunConfig.parse(SMALL | {"activation": activation, "loss": loss, "depth": 2})
    usual, by_hand = (predict(config, striped_digits, seed=2, by_hand=way).values for way in (False, True))
    other = predict(config, striped_digits, seed=3, by_hand=True).values
    assert same_predictors(usual, by_hand)
    assert not same_predictors(usual, other)
    assert not same_predictors(usual, by_hand | {"coverage": by_hand["coverage"] * (1 + 1e-6)})


def same_predictors(one: dict[str, float], other: dict[str, float]) -> bool:
    """Whether two routes give the same numbers up to the rounding of float64."""
    close = (math.isclose(value, other[name], rel_tol=ROUTES_AGREE) for name, value in one.items())
    return one.keys() == other.keys() and all(close)
