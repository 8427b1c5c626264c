"""An optimiser from outside the package trains teacher and students."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from subtx_toy.training.optimizers import OptimizerSettings, plain_step
from tests.extensions.conftest import EXAMPLES, Command, records

OPTIMIZER = f"optimizer={EXAMPLES / 'own_optimizer.py'}:sign_descent"


def test_a_run_with_it_is_recorded_as_such_and_is_another_run(command: Command, store: Path) -> None:
    code, out, err = command("run", OPTIMIZER, "--seeds", "0:1")
    assert code == 0, err
    assert "own_optimizer.py:sign_descent: trained by the autograd route, which is slower" in err
    (record,) = records(out, store)
    assert record.versions["optimizer"] == f"autograd, {OPTIMIZER.removeprefix('optimizer=')}"
    assert record.metrics["teacher.accuracy"] > 0.2
    (usual,) = records(command("run", "--seeds", "0:1")[1], store)
    assert usual.run_id != record.run_id
    assert usual.metrics["reference.accuracy"] == record.metrics["reference.accuracy"]
    assert usual.metrics["teacher.accuracy"] != record.metrics["teacher.accuracy"]


@pytest.mark.parametrize(
    ("factory", "sentence"),
    [
        (lambda _parameters, **_settings: None, "expected a torch.optim.Optimizer, got NoneType"),
        (lambda parameters: torch.optim.SGD(parameters), "TypeError"),
    ],
)
def test_a_factory_that_makes_none_is_an_error(factory: object, sentence: str) -> None:
    settings = OptimizerSettings("mine.py:factory", factory=factory)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=f"optimizer: mine.py:factory: {sentence}"):
        plain_step(settings, [torch.zeros(2, requires_grad=True)])


def test_its_own_settings_are_not_the_packages(command: Command) -> None:
    code, _, err = command("run", OPTIMIZER, "weight_decay=.1", "momentum=.5")
    assert code == 2
    assert "weight_decay: only for optimizers of this package" in err
    assert "momentum: expected 0 unless optimizer is 'sgd'" in err
