"""The probe is a logistic regression at its optimum; the cosine is that of the hidden layers."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from subtx_toy.data.dataset import Dataset
from subtx_toy.problem.initialisations import cross_model_init, shared_init
from subtx_toy.problem.model import MLP
from subtx_toy.seeding import generator
from subtx_toy.settings.distillation import RunConfig
from subtx_toy.training import representations
from subtx_toy.training.representations import measure_representations


def _trained(dataset: Dataset) -> tuple[MLP, dict[str, dict[str, torch.Tensor]]]:
    config = RunConfig(width=24, num_train=300, num_test=100)
    model = MLP.from_config(config, input_dim=784)
    base = shared_init(model, seed=0, dtype=torch.float32)
    other = cross_model_init(model, seed=0, dtype=torch.float32)
    return model, {"reference": base, "teacher": other, "student_aux": other}


def test_a_student_equal_to_the_teacher_has_cosine_one_and_the_same_probe(striped_digits: Dataset) -> None:
    model, nets = _trained(striped_digits)
    measured = measure_representations(model, nets, striped_digits)
    assert measured["student_aux.hidden_cosine"] == pytest.approx(1.0, abs=1e-12)
    assert measured["reference.hidden_cosine"] < 0.99
    assert measured["student_aux.probe_accuracy"] == measured["teacher.probe_accuracy"]
    assert "teacher.hidden_cosine" not in measured


def test_the_probe_reads_digits_that_a_readout_at_chance_does_not(striped_digits: Dataset) -> None:
    measured = measure_representations(*_trained(striped_digits), striped_digits)
    # 100 images: guessing is right in .10 of them, with a standard deviation of .03.
    assert measured["reference.probe_accuracy"] > 0.5


def test_the_regression_is_at_its_optimum(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(representations, "_PROBE_STEPS", 5_000)
    rng = generator(0, "tests", "probe")
    features, labels = rng.standard_normal((200, 4)), rng.integers(10, size=200)
    weights = torch.tensor(representations._logistic_regression(features, labels, 10), requires_grad=True)
    padded = torch.cat([torch.tensor(features), torch.ones(200, 1, dtype=torch.float64)], dim=1)
    loss = torch.nn.functional.cross_entropy(padded @ weights, torch.tensor(labels), reduction="sum")
    (loss + weights[:-1].square().sum() / 2).backward()  # type: ignore[no-untyped-call]
    assert weights.grad is not None
    start = np.abs(features.T @ (np.full((200, 10), 0.1) - np.eye(10)[labels])).max()
    assert float(weights.grad.abs().max()) < 1e-3 * start
