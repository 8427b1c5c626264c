"""Weight decay towards the initialisation: torch's own decay, seen from there."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from subtx_toy.config import RunConfig
from subtx_toy.seeding import generator
from subtx_toy.tolerances import FP64_STEP
from subtx_toy.training.optimizers import make_optimizer
from tests.reference.closeness import assert_close

SETTINGS: list[dict[str, object]] = [
    {"optimizer": "adam"},
    {"optimizer": "adamw"},
    {"optimizer": "sgd", "lr": 0.1, "momentum": 0.5},
]


def _path(start: Tensor, centre: Tensor, *, fused: bool, **settings: object) -> Tensor:
    """Take ten steps on sum((x - centre)^4)/4 and return where they end."""
    config = RunConfig.parse({"lr": 0.05, "weight_decay": 0.3} | settings)
    x = start.clone().requires_grad_(True)
    optimizer = make_optimizer(config, [x], fused=fused)
    for _step in range(10):
        optimizer.zero_grad()
        ((x - centre) ** 4).sum().div(4).backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    return x.detach()


def _drawn() -> tuple[Tensor, Tensor]:
    rng = generator(0, "tests", "decay")
    start, centre = (torch.tensor(rng.standard_normal(6)) for _ in range(2))
    return start, centre


@pytest.mark.parametrize("fused", [False, True])
@pytest.mark.parametrize("settings", SETTINGS, ids=lambda settings: str(settings["optimizer"]))
def test_decay_towards_the_init_is_decay_to_zero_in_coordinates_that_start_there(
    settings: dict[str, object], fused: bool
) -> None:
    start, centre = _drawn()
    ours = _path(start, centre, fused=fused, decay_towards="init", **settings)
    shifted = _path(torch.zeros_like(start), centre - start, fused=fused, **settings)
    assert_close(ours - start, shifted, FP64_STEP)


@pytest.mark.parametrize("settings", SETTINGS, ids=lambda settings: str(settings["optimizer"]))
def test_decay_to_zero_is_told_from_it(settings: dict[str, object]) -> None:
    start, centre = _drawn()
    to_zero, to_init = (_path(start, centre, fused=True, decay_towards=to, **settings) for to in ("zero", "init"))
    with pytest.raises(AssertionError, match="expected a difference"):
        assert_close(to_zero, to_init, FP64_STEP)
