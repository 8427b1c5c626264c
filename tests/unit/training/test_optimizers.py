"""The fused updates are torch's own; weight decay towards the initialisation is torch's, seen from there."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor

from subtx_toy.seeding import generator
from subtx_toy.settings.named import OPTIMIZER_NAMES
from subtx_toy.tolerances import FP64_STEP
from subtx_toy.training.optimizers import OptimizerSettings, fused_step, plain_step
from tests.reference.closeness import assert_close
from tests.reference.examples import slow

SETTINGS: list[dict[str, Any]] = [{"name": "adam"}, {"name": "adamw"}, {"name": "sgd", "lr": 0.1, "momentum": 0.5}]
SETTINGS += [{"name": "nesterov", "lr": 0.1, "momentum": 0.5}, {"name": "rmsprop"}, {"name": "sign"}]


def _path(start: Tensor, centre: Tensor, *, fused: bool, **settings: Any) -> Tensor:
    """Take ten steps on sum((x - centre)^4)/4 and return where they end."""
    wanted = OptimizerSettings(**({"lr": 0.05, "weight_decay": 0.3} | settings))
    x = start.clone().requires_grad_(True)
    step = fused_step(wanted, x) if fused else plain_step(wanted, [x])
    for _step in range(10):
        x.grad = None
        ((x - centre) ** 4).sum().div(4).backward()  # type: ignore[no-untyped-call]
        step()
    return x.detach()


def _drawn() -> tuple[Tensor, Tensor]:
    rng = generator(0, "tests", "decay")
    start, centre = (torch.tensor(rng.standard_normal(6)) for _ in range(2))
    return start, centre


TORCH: dict[str, Callable[..., torch.optim.Optimizer]] = {
    "adam": torch.optim.Adam,
    "adamw": torch.optim.AdamW,
    "sgd": torch.optim.SGD,
    "nesterov": partial(torch.optim.SGD, nesterov=True),
    "rmsprop": torch.optim.RMSprop,
}


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(("name", "settings"), [
    ("adam", {"lr": 0.05}), ("adam", {"lr": 0.05, "weight_decay": 0.3}), ("adamw", {"lr": 0.05, "weight_decay": 0.3}),
    ("sgd", {"lr": 0.1}), ("sgd", {"lr": 0.1, "momentum": 0.5, "weight_decay": 0.3}),
    ("nesterov", {"lr": 0.1, "momentum": 0.5, "weight_decay": 0.3}),
    ("rmsprop", {"lr": 0.05}), ("rmsprop", {"lr": 0.05, "weight_decay": 0.3}),
])  # fmt: skip
@pytest.mark.parametrize("fused", [False, True])
def test_updates_are_to_the_bit_those_of_torchs_classes(
    name: str, settings: dict[str, Any], dtype: torch.dtype, fused: bool
) -> None:
    start, centre = (drawn.to(dtype) for drawn in _drawn())

    def path(make: Callable[[Tensor], Callable[[], object]]) -> Tensor:
        x = start.clone().requires_grad_(True)
        step = make(x)
        for _step in range(10):
            x.grad = ((x - centre) ** 3).detach()
            step()
        return x.detach()

    def ours(**settings: Any) -> Tensor:
        wanted = OptimizerSettings(name, **settings)
        return path(lambda x: fused_step(wanted, x) if fused else plain_step(wanted, [x]))

    how = {"fused": True} if fused and name != "rmsprop" else {"foreach": False}  # torch has no fused RMSprop
    assert torch.equal(ours(**settings), path(lambda x: TORCH[name]([x], **how, **settings).step))
    assert not torch.equal(ours(**settings), ours(**(settings | {"lr": 0.049})))


@pytest.mark.parametrize("name", OPTIMIZER_NAMES)
def test_a_parameter_without_a_gradient_stays_and_its_steps_are_not_counted(name: str) -> None:
    """As in torch's classes: the first step with a gradient is a first step."""
    idle, late, early = (torch.ones(3, requires_grad=True) for _ in range(3))
    settings = OptimizerSettings(name, lr=0.1, momentum=0.5 if name == "nesterov" else 0.0, weight_decay=0.1)
    step = plain_step(settings, [idle, late])
    step()
    assert torch.equal(late, torch.ones(3))
    late.grad, early.grad = torch.full((3,), 2.0), torch.full((3,), 2.0)
    step()
    plain_step(settings, [early])()
    assert torch.equal(idle, torch.ones(3))
    assert torch.equal(late, early)
    assert not torch.equal(late, idle)


@pytest.mark.parametrize("fused", [False, True])
@pytest.mark.parametrize("settings", SETTINGS, ids=lambda settings: str(settings["name"]))
def test_decay_towards_the_init_is_decay_to_zero_in_coordinates_that_start_there(
    settings: dict[str, Any], fused: bool
) -> None:
    start, centre = _drawn()
    ours = _path(start, centre, fused=fused, decay_towards="init", **settings)
    shifted = _path(torch.zeros_like(start), centre - start, fused=fused, **settings)
    assert_close(ours - start, shifted, FP64_STEP)


@pytest.mark.parametrize("settings", SETTINGS, ids=lambda settings: str(settings["name"]))
def test_decay_to_zero_is_told_from_it(settings: dict[str, Any]) -> None:
    start, centre = _drawn()
    to_zero, to_init = (_path(start, centre, fused=True, decay_towards=to, **settings) for to in ("zero", "init"))
    with pytest.raises(AssertionError, match="expected a difference"):
        assert_close(to_zero, to_init, FP64_STEP)


@pytest.mark.parametrize("fused", [False, True])
def test_signs_move_every_weight_by_the_step_size(fused: bool) -> None:
    x = torch.tensor([3.0, -2.0, 0.5, 1.0], requires_grad=True)
    settings = OptimizerSettings("sign", lr=0.25, weight_decay=0.5)
    step = fused_step(settings, x) if fused else plain_step(settings, [x])
    x.grad = torch.tensor([1e-9, 4.0, 0.0, -0.5])
    step()
    # With the decay the gradients are 1.5, 3, .25 and 0: the last weight stays.
    assert x.tolist() == [2.75, -2.25, 0.25, 1.0]


def test_an_optimiser_without_a_step_of_its_own_takes_no_other_ones() -> None:
    theta = torch.zeros(3)
    theta.grad = torch.ones(3)
    with pytest.raises(NotImplementedError, match="'adagrad' has no step"):
        fused_step(OptimizerSettings("adagrad"), theta)()


STEPS = """
import sys, torch
from subtx_toy.training.optimizers import OptimizerSettings, fused_step, plain_step
import subtx_toy.audit.verdict, subtx_toy.protocols.protocol, subtx_toy.stats
theta = torch.zeros(3)
theta.grad = torch.ones(3)
for name in ("adam", "adamw", "sgd", "nesterov", "rmsprop", "sign"):
    fused_step(OptimizerSettings(name, lr=0.1, momentum=0.5), theta)()
    plain_step(OptimizerSettings(name, lr=0.1, momentum=0.5), [theta])()
assert not {"torch._dynamo", "scipy.stats"} & set(sys.modules)
"""
USUAL_STEPS = "import sys, torch; torch.optim.Adam([torch.zeros(3)]); assert 'torch._dynamo' in sys.modules"


@pytest.mark.parametrize("steps", [STEPS, *slow(USUAL_STEPS)], ids=["ours", "torch's, which is why"])
def test_steps_load_neither_torchs_compiler_nor_scipys_statistics(steps: str) -> None:
    done = subprocess.run([sys.executable, "-c", steps], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
