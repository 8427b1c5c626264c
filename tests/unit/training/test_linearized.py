"""Linearised and scaled models train as autograd trains the functions they stand for."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from subtx_toy.problem.initialisations import initialise
from subtx_toy.problem.losses import distillation_loss
from subtx_toy.problem.model import MLP
from subtx_toy.problem.params import Params, flatten
from subtx_toy.seeding import generator
from subtx_toy.settings.distillation import RunConfig
from subtx_toy.theory.linearization import linearize
from subtx_toy.tolerances import FP64_FORMULA, FP64_STEP, SLOPE_OF_LAZINESS
from subtx_toy.training.linearized import LinearizedTrainer, ScaledOutputTrainer
from subtx_toy.training.trainers import AutogradTrainer, Setup, StackTrainer, Trainer
from tests.reference.closeness import assert_close, assert_params_close, same_bits
from tests.reference.setups import plain_setup

DIM, ROWS = 7, 6
OUTPUTS = ["aux", "all"]
OPTIMIZERS: list[dict[str, Any]] = [
    {"optimizer": "adam"},
    {"optimizer": "sgd", "lr": 0.05, "momentum": 0.9},
    {"optimizer": "nesterov", "lr": 0.05, "momentum": 0.9},
    {"optimizer": "rmsprop"},
    {"optimizer": "sign"},
]


@dataclass(frozen=True)
class Expanded:
    """A model whose one function is expanded around ``base``, for AutogradTrainer, which trains any model."""

    model: MLP
    apply: Callable[[Params, Tensor], Tensor]

    @property
    def num_outputs(self) -> int:
        return self.model.num_outputs

    def columns(self, distilled_logits: str) -> slice:
        return self.model.columns(distilled_logits)

    def initial(self, rng: np.random.Generator) -> Params:
        return self.model.initial(rng)


def tangent(model: MLP, base: Params) -> Expanded:
    return Expanded(model, linearize(model.apply, base))


def scaled(model: MLP, base: Params, scale: float) -> Expanded:
    """Its gradient is the Jacobian's, without the factor: the value is scaled and the slope is not."""

    def apply(params: Params, x: Tensor) -> Tensor:
        start, now = model.apply(base, x), model.apply(params, x)
        return now + ((scale - 1) * (now - start)).detach()

    return Expanded(model, apply)


def setup(**values: object) -> Setup:
    config = RunConfig.parse({"width": 6, "batch_size": ROWS, "precision": "fp64", "lr": 0.01} | values)
    return plain_setup(MLP.from_config(config, input_dim=DIM), config, num_rows=ROWS)


def drawn(model: MLP, seed: int, num: int) -> list[Params]:
    return [initialise(model, generator(seed, "tests", member), init="pytorch", scale=2.0) for member in range(num)]


def batches(seed: int, num: int) -> list[tuple[Tensor, list[Tensor]]]:
    rng = generator(seed, "tests", "batches")
    found = []
    for n in [ROWS, 4] * num:
        targets = [torch.tensor(rng.standard_normal((n, k))) for k in (3, 13)]
        found.append((torch.tensor(rng.uniform(-1, 1, (n, DIM))), targets))
    return found


def assert_same(ours: Trainer, theirs: list[Trainer], seed: int, *, num: int = 3) -> None:
    """Hold losses, logits and parameters of two members after every step against trainers of one member each."""
    for x, targets in batches(seed, num):
        losses = ours.step(x, targets)
        for member, trainer in enumerate(theirs):
            (loss,) = trainer.step(x, [targets[member]])
            assert abs(losses[member] - loss) <= FP64_STEP * max(1.0, abs(loss)), "loss"
            assert_params_close(ours.params(member), trainer.params(0), FP64_STEP)
        logits = ours.logits(x).clone()
        for member, trainer in enumerate(theirs):
            assert_close(logits[:, member], trainer.logits(x)[:, 0], FP64_STEP, "logits")


def plain(one: Setup, model: Expanded, start: Params, outputs: str) -> Trainer:
    expanded = dataclasses.replace(one, model=model)
    return AutogradTrainer(expanded, [start], distillation_loss("kl"), [outputs])


@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=lambda one: str(one["optimizer"]))
@given(
    seed=st.integers(0, 10**6),
    activation=st.sampled_from(["relu", "tanh", "gelu", "softplus", "sigmoid"]),
    depth=st.integers(0, 3),
)
def test_a_linearised_model_trains_as_autograd_trains_its_first_order_expansion(
    optimizer: dict[str, Any], seed: int, activation: str, depth: int
) -> None:
    one = setup(activation=activation, depth=depth, **optimizer)
    assert isinstance(one.model, MLP)
    bases = drawn(one.model, seed, 2)
    ours = LinearizedTrainer(one, bases, distillation_loss("kl"), OUTPUTS)
    theirs = [plain(one, tangent(one.model, base), base, name) for base, name in zip(bases, OUTPUTS, strict=True)]
    assert_same(ours, theirs, seed, num=1)


@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=lambda one: str(one["optimizer"]))
@pytest.mark.parametrize("scale", [0.1, 3.0])
def test_a_scaled_model_takes_steps_of_lr_over_scale_along_the_gradient_without_the_factor(
    scale: float, optimizer: dict[str, Any]
) -> None:
    one = setup(activation="tanh", **optimizer)
    assert isinstance(one.model, MLP)
    bases = drawn(one.model, 1, 2)
    ours = ScaledOutputTrainer(one, bases, distillation_loss("kl"), OUTPUTS, scale=scale)
    slower = dataclasses.replace(one, optimizer=dataclasses.replace(one.optimizer, lr=one.optimizer.lr / scale))
    theirs = [
        plain(slower, scaled(one.model, base, scale), base, name) for base, name in zip(bases, OUTPUTS, strict=True)
    ]
    assert_same(ours, theirs, 1)


@pytest.mark.parametrize("kind", [LinearizedTrainer, partial(ScaledOutputTrainer, scale=10.0)])
def test_a_trained_member_is_expanded_where_its_training_began_and_not_where_it_ended(kind: Any) -> None:
    one, loss = setup(activation="tanh"), distillation_loss("kl")
    (base,) = drawn(one.model, 2, 1)  # type: ignore[arg-type]
    x, targets = batches(2, 1)[0]
    trained = kind(one, [base], loss, ["all"])
    for _step in range(5):
        trained.step(x, [targets[1]])
    again = kind(one, [trained.params(0)], loss, ["all"], bases=[base])
    assert_close(again.logits(x), trained.logits(x), FP64_FORMULA, "logits")
    wrong = kind(one, [trained.params(0)], loss, ["all"])
    with pytest.raises(AssertionError, match="logits: expected a difference"):
        assert_close(wrong.logits(x), trained.logits(x), FP64_FORMULA, "logits")


def test_another_base_is_caught() -> None:
    one = setup(activation="tanh")
    assert isinstance(one.model, MLP)
    bases, others = drawn(one.model, 3, 2), drawn(one.model, 4, 2)
    ours = LinearizedTrainer(one, bases, distillation_loss("kl"), OUTPUTS, bases=others)
    theirs = [plain(one, tangent(one.model, base), base, name) for base, name in zip(bases, OUTPUTS, strict=True)]
    with pytest.raises(AssertionError):
        assert_same(ours, theirs, 3, num=1)


def test_a_scale_of_one_is_the_perceptron_itself() -> None:
    one, loss = setup(activation="gelu"), distillation_loss("kl")
    starts = drawn(one.model, 5, 2)  # type: ignore[arg-type]
    ours = ScaledOutputTrainer(one, starts, loss, OUTPUTS, scale=1.0)
    assert_same(
        ours, [StackTrainer(one, [start], loss, [name]) for start, name in zip(starts, OUTPUTS, strict=True)], 5
    )


def distance_to_the_linearised(scale: float, *, divided: bool = True) -> float:
    """Return how far the outputs of a scaled model are from those of the linearised one after some steps of Adam."""
    one, loss = setup(activation="tanh"), distillation_loss("kl")
    starts = drawn(one.model, 6, 2)  # type: ignore[arg-type]
    faster = one.optimizer if divided else dataclasses.replace(one.optimizer, lr=one.optimizer.lr * scale)
    lazy = ScaledOutputTrainer(dataclasses.replace(one, optimizer=faster), starts, loss, OUTPUTS, scale=scale)
    linear = LinearizedTrainer(one, starts, loss, OUTPUTS)
    for x, targets in batches(6, 5):
        lazy.step(x, targets)
        linear.step(x, targets)
    return float((lazy.logits(x) - linear.logits(x)).norm())


def test_a_scaled_model_comes_close_to_the_linearised_one_as_one_over_the_scale() -> None:
    near, far = (distance_to_the_linearised(scale) for scale in (1e3, 1e2))
    assert abs(far / near - 10) <= SLOPE_OF_LAZINESS


def test_it_does_not_where_the_step_size_is_not_divided_by_the_scale() -> None:
    near, far = (distance_to_the_linearised(scale, divided=False) for scale in (1e3, 1e2))
    assert abs(far / near - 10) > SLOPE_OF_LAZINESS
    assert near > 1


def test_the_initial_parameters_are_copied_and_the_move_is_zero() -> None:
    one, loss = setup(), distillation_loss("kl")
    (base,) = drawn(one.model, 7, 1)  # type: ignore[arg-type]
    before = {name: value.clone() for name, value in base.items()}
    trainer = LinearizedTrainer(one, [base], loss, ["all"])
    assert same_bits(trainer.params(0), base)
    for x, targets in batches(7, 1):
        trainer.step(x, [targets[1]])
    assert same_bits(base, before)
    assert float(flatten(trainer.params(0)).sub(flatten(base)).norm()) > 0
