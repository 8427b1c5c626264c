"""A nonlinearity from outside the package: trained by the fast route, in step with autograd."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from subtx_toy.data.dataset import Dataset
from subtx_toy.problem.activations import ACTIVATIONS, Activation, activation_of
from subtx_toy.protocols.distillation import run_protocol
from subtx_toy.settings.distillation import RunConfig
from subtx_toy.tolerances import FP64_FORMULA, FP64_STEP
from subtx_toy.training.trainers import AutogradTrainer, StackTrainer
from tests.extensions.conftest import EXAMPLES, Command, records
from tests.reference.closeness import assert_close

SWISH = f"{EXAMPLES / 'own_activation.py'}:SWISH"


def test_a_run_with_it_takes_the_fast_route(command: Command, store: Path) -> None:
    code, out, err = command("run", f"activation={SWISH}", "--seeds", "0:1")
    assert code == 0, err
    assert "slower" not in err
    (record,) = records(out, store)
    assert record.metrics["teacher.accuracy"] > 0.2
    assert not {"model", "optimizer"} & record.versions.keys()


def test_the_two_routes_of_training_agree_on_it(striped_digits: Dataset) -> None:
    config = RunConfig.parse(
        {"activation": SWISH, "width": 8, "num_train": 300, "num_test": 100, "num_inputs": 100, "precision": "fp64"}
        | {"teacher_epochs": 2, "student_epochs": 2}
    )
    stack, autograd = (
        run_protocol(config, striped_digits, seed=0, trainer=trainer) for trainer in (StackTrainer, AutogradTrainer)
    )
    assert stack.curves.keys() == autograd.curves.keys()
    for name, curve in stack.curves.items():
        assert curve == pytest.approx(autograd.curves[name], rel=FP64_STEP)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_what_is_derived_from_the_function_alone_is_what_the_package_writes_out(name: str) -> None:
    right = ACTIVATIONS[name]
    derived = Activation(name, right.apply, smooth=right.smooth)
    z = torch.linspace(-4, 4, 41, dtype=torch.float64) + 0.05
    a = torch.empty_like(z)
    assert torch.equal(derived.apply_into(z, a), right.apply(z))
    ours, theirs = derived.derivative_over(z.clone(), a), right.derivative_over(z.clone(), a)
    assert_close(ours, theirs, FP64_FORMULA)


def test_another_object_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    path.write_text("SWISH = abs\n", encoding="utf-8")
    with pytest.raises(ValueError, match="activation: expected an Activation"):
        activation_of(RunConfig(activation=f"{path}:SWISH"))
