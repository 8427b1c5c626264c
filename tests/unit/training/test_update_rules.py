"""The optimisers as functions of arrays take torch's steps."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from jaxtyping import TypeCheckError

from subtx_toy.errors import InputError
from subtx_toy.seeding import generator
from subtx_toy.tolerances import FP64_FORMULA
from subtx_toy.training.update_rules import Descent, OptimizerState, stepped

Made = Callable[[list[torch.Tensor]], torch.optim.Optimizer]
TORCHS: dict[str, tuple[Descent, Made]] = {
    "gd": (Descent("gd", lr=0.1), lambda p: torch.optim.SGD(p, lr=0.1)),
    "heavy_ball": (Descent("heavy_ball", lr=0.1), lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9)),
    "nesterov": (Descent("nesterov", lr=0.1), lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9, nesterov=True)),
    "rmsprop": (
        Descent("rmsprop", lr=0.01, smoothing=0.99),
        lambda p: torch.optim.RMSprop(p, lr=0.01, alpha=0.99, eps=1e-8),
    ),
    "adam": (Descent("adam", lr=0.01), lambda p: torch.optim.Adam(p, lr=0.01)),
    "decay": (
        Descent("adam", lr=0.01, decay=0.1, decay_towards="zero"),
        lambda p: torch.optim.Adam(p, lr=0.01, weight_decay=0.1),
    ),
}


@pytest.mark.parametrize("name", TORCHS)
def test_steps_are_torchs(name: str) -> None:
    descent, make = TORCHS[name]
    rng = generator(0, "tests", "rules")
    base, pulls = rng.standard_normal(7), rng.standard_normal((6, 2, 7))
    leaf = torch.from_numpy(np.repeat(base[None], 2, axis=0)).requires_grad_()
    optimizer, state = make([leaf]), OptimizerState.at(np.zeros((2, 7)))
    for pull in pulls:
        leaf.grad = torch.from_numpy(pull)
        optimizer.step()
        state = stepped(descent, state, pull, base)
    assert np.abs(base + state.moved - leaf.detach().numpy()).max() <= FP64_FORMULA
    assert state.count == 6


def test_sign_moves_every_weight_by_lr_and_decay_towards_the_start_pulls_back() -> None:
    base, state = np.ones(2), OptimizerState.at(np.zeros((1, 2)))
    state = stepped(Descent("sign", lr=0.5), state, np.array([[3.0, -2.0]]), base)
    assert state.moved.tolist() == [[-0.5, 0.5]]
    pulled = stepped(Descent("gd", lr=1.0, decay=0.5), state, np.zeros((1, 2)), base)
    assert pulled.moved.tolist() == [[-0.25, 0.25]]
    assert state.restarted().moved is state.moved
    assert state.with_first(base).first is base


def test_what_is_wrong_is_named_at_once() -> None:
    with pytest.raises((InputError, TypeCheckError)) as caught:
        Descent("adm", lr=0.0, momentum=1.0)  # type: ignore[arg-type]
    if not isinstance(caught.value, InputError):  # where annotations are checked, they are the first to refuse it
        return
    assert [one.partition(":")[0] for one in caught.value.problems] == ["rule", "lr", "momentum"]
    assert "did you mean 'adam'?" in str(caught.value)
