"""Training of the channel against torch's autograd and Adam, step by step."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812, torch's own idiom

from subtx_toy.channel.fit import DROPPED, Recipe, fit
from subtx_toy.channel.model import channel_model, head_model, head_params, with_head
from subtx_toy.problem.activations import ACTIVATIONS
from subtx_toy.problem.initialisations import initialise
from subtx_toy.problem.model import MLP
from subtx_toy.problem.params import Params
from subtx_toy.seeding import generator
from subtx_toy.tolerances import FP64_STEP
from subtx_toy.training.inputs import InputPool, shuffled_batches

MODEL = MLP((12, 8, 8, 6), ACTIVATIONS["relu"], num_classes=0)
RECIPE = Recipe(epochs=3, lr=1e-2, batch_size=16)


def _plain(start: Params, x: Tensor, targets: Tensor, seed: int, loss: Callable[[Tensor, Tensor], Tensor]) -> Params:
    params = {name: value.clone().requires_grad_() for name, value in start.items()}
    adam, order = torch.optim.Adam(params.values(), lr=RECIPE.lr), generator(seed, "order")
    for _epoch in range(RECIPE.epochs):
        for index in shuffled_batches(len(x), RECIPE.batch_size, order):
            adam.zero_grad()
            loss(MODEL.apply(params, x[index]), targets[index]).backward()  # type: ignore[no-untyped-call]
            adam.step()
    return {name: value.detach() for name, value in params.items()}


def _case(seed: int) -> tuple[list[Params], Tensor, Tensor, Tensor]:
    starts = [initialise(MODEL, generator(seed, "start", at), init="fan_in_normal") for at in range(2)]
    rng = generator(seed, "case")
    x, labels = torch.from_numpy(rng.standard_normal((50, 12))), torch.from_numpy(rng.integers(6, size=50))
    return starts, x, labels, torch.softmax(torch.from_numpy(rng.standard_normal((50, 6))), dim=1)


@pytest.mark.parametrize("seed", range(3))
def test_members_train_as_each_would_alone_with_autograd(seed: int) -> None:
    starts, x, labels, distributions = _case(seed)
    trained = fit(MODEL, starts, InputPool(x), [labels, distributions], RECIPE, generator(seed, "order"))
    for start, target, ours in zip(starts, (labels, distributions), trained, strict=True):
        plain = _plain(start, x, target, seed, F.cross_entropy)
        for name, value in plain.items():
            torch.testing.assert_close(ours[name], value, rtol=FP64_STEP, atol=FP64_STEP)


def test_a_dropped_label_is_no_example_and_keeping_it_would_show() -> None:
    starts, x, labels, _ = _case(0)
    dropped = labels.clone()
    dropped[::3] = DROPPED

    def loss(z: Tensor, y: Tensor) -> Tensor:  # mean over the batch, dropped ones counted as zeros
        return F.cross_entropy(z, y, ignore_index=DROPPED, reduction="sum") / len(y)

    (ours,) = fit(MODEL, starts[:1], InputPool(x), [dropped], RECIPE, generator(0, "order"))
    (whole,) = fit(MODEL, starts[:1], InputPool(x), [labels], RECIPE, generator(0, "order"))
    for name, value in _plain(starts[0], x, dropped, 0, loss).items():
        torch.testing.assert_close(ours[name], value, rtol=FP64_STEP, atol=FP64_STEP)
    assert not torch.allclose(ours["layers.0.weight"], whole["layers.0.weight"], rtol=1e-3)


def test_rows_name_the_input_of_each_example() -> None:
    starts, x, labels, _ = _case(1)
    rows = np.arange(50)[::-1].copy()
    (direct,) = fit(MODEL, starts[:1], InputPool(x[rows]), [labels], RECIPE, generator(1, "order"))
    (named,) = fit(MODEL, starts[:1], InputPool(x), [labels], RECIPE, generator(1, "order"), rows=rows)
    assert all(torch.equal(direct[name], named[name]) for name in direct)


def test_steps_take_the_place_of_epochs() -> None:
    starts, x, labels, _ = _case(2)
    steps = Recipe(epochs=99, lr=1e-2, batch_size=16, steps=3 * 4)
    (by_steps,) = fit(MODEL, starts[:1], InputPool(x), [labels], steps, generator(2, "order"))
    (by_epochs,) = fit(MODEL, starts[:1], InputPool(x), [labels], RECIPE, generator(2, "order"))
    assert all(torch.equal(by_steps[name], by_epochs[name]) for name in by_steps)


def test_a_head_that_is_not_trained_can_be_left_out() -> None:
    model, rng = channel_model(width=8), generator(0, "heads")
    start = initialise(model, rng, init="fan_in_normal")
    x, labels = torch.from_numpy(rng.standard_normal((40, 784))), torch.from_numpy(rng.integers(10, size=40))
    (small,) = fit(
        head_model(model, "class"),
        [head_params(model, start, "class")],
        InputPool(x),
        [labels],
        RECIPE,
        generator(0, "order"),
    )
    ours = with_head(model, start, "class", small)
    params = {name: value.clone().requires_grad_() for name, value in start.items()}
    adam, order = torch.optim.Adam(params.values(), lr=RECIPE.lr), generator(0, "order")
    for _epoch in range(RECIPE.epochs):
        for index in shuffled_batches(40, RECIPE.batch_size, order):
            adam.zero_grad()
            F.cross_entropy(model.apply(params, x[index])[:, :10], labels[index]).backward()  # type: ignore[no-untyped-call]
            adam.step()
    for name, value in params.items():
        torch.testing.assert_close(ours[name], value.detach(), rtol=FP64_STEP, atol=FP64_STEP)
    assert torch.equal(ours["layers.2.weight"][10:], start["layers.2.weight"][10:])
