from __future__ import annotations

from functools import partial

import numpy as np
import pytest
import torch
from torch import Tensor

from subtx_toy.data.noise import draw_noise
from subtx_toy.problem.initialisations import initialise
from subtx_toy.problem.losses import Loss, kl, sample_labels, sampled_cross_entropy, squared_error
from subtx_toy.problem.model import MLP
from subtx_toy.problem.params import Params
from subtx_toy.seeding import generator
from subtx_toy.settings.distillation import RunConfig
from subtx_toy.tolerances import FP64_FORMULA
from subtx_toy.training import inputs as targets_module
from subtx_toy.training.inputs import FreshNoise, InputPool, Inputs, Targets
from subtx_toy.training.trainers import StackTrainer
from tests.reference.closeness import assert_close
from tests.reference.setups import plain_setup

SEED, NUM, DIM, BATCH = 4, 50, 12, 8
CONFIG = RunConfig(width=6, batch_size=BATCH, activation="tanh", precision="fp64")
MODEL = MLP.from_config(CONFIG, input_dim=DIM)
OUTPUTS = ["aux", "all", "aux", "all"]


def teacher_params() -> Params:
    return initialise(MODEL, generator(SEED, "init"), init="fan_in_normal", scale=2.0)


def noise(*, fresh: bool = False) -> Inputs:
    rng, draw = generator(SEED, "inputs"), partial(draw_noise, "uniform")
    if fresh:
        return FreshNoise(draw, NUM, DIM, rng, dtype=torch.float64)
    return InputPool(draw(rng, torch.empty(NUM, DIM, dtype=torch.float64)))


def make(loss: Loss, inputs: Inputs, *, fixed: bool = True, seed: int = SEED) -> Targets:
    setup = plain_setup(MODEL, CONFIG, num_rows=BATCH, seed=seed)
    teacher = StackTrainer(setup, [teacher_params()], kl(), ["class"])
    return Targets(setup, teacher, inputs, loss, OUTPUTS, fixed=fixed)


def answers(targets: Targets, inputs: Inputs, index: np.ndarray) -> tuple[Tensor, dict[str, Tensor]]:
    x = inputs.gather(index).clone()
    return x, {name: value.clone() for name, value in targets.batch(index, x).items()}


INDICES = [np.array(at) for at in ([3], [49, 0, 7], [7, 7, 1, 2, 3, 4, 5, 6])]


@pytest.mark.parametrize("loss", [kl(), squared_error()], ids=["kl", "squared error"])
@pytest.mark.parametrize("cache_bytes", [0, 256 * 2**20], ids=["streamed", "cached"])
def test_logits_are_the_teachers_cached_or_streamed(
    loss: Loss, cache_bytes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(targets_module, "CACHE_BYTES", cache_bytes)
    inputs = noise()
    targets = make(loss, inputs)
    assert targets.cached == (cache_bytes > 0)
    for index in INDICES:
        x, found = answers(targets, inputs, index)
        plain = MODEL.apply(teacher_params(), x)
        assert found.keys() == {"aux", "all"}
        assert_close(found["all"], plain, FP64_FORMULA)
        assert_close(found["aux"], plain[:, 10:], FP64_FORMULA)


@pytest.mark.parametrize(("spare", "cached"), [(0, True), (-1, False)])
def test_the_cache_is_used_up_to_its_size_and_not_beyond(
    spare: int, cached: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    needed = NUM * MODEL.sizes[-1] * 8
    monkeypatch.setattr(targets_module, "CACHE_BYTES", needed + spare)
    assert make(kl(), noise()).cached == cached


def test_labels_are_one_an_input_from_streams_of_their_own_whatever_the_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(targets_module, "CACHE_BYTES", 0)
    inputs, loss = noise(), sampled_cross_entropy(2.0)
    targets = make(loss, inputs)
    assert targets.cached
    whole = MODEL.apply(teacher_params(), inputs.gather(np.arange(NUM)))
    by_hand = {
        name: sample_labels(logits, generator(SEED, "labels", name), temperature=2.0)
        for name, logits in (("all", whole), ("aux", whole[:, 10:]))
    }
    for index in INDICES * 2:
        _, found = answers(targets, inputs, index)
        for name, labels in by_hand.items():
            assert torch.equal(found[name], labels[index])


def test_labels_depend_on_the_seed() -> None:
    index = np.arange(NUM)
    one, other = (
        answers(make(sampled_cross_entropy(), inputs, seed=seed), inputs, index)[1]["all"]
        for inputs, seed in ((noise(), 0), (noise(), 1))
    )
    assert not torch.equal(one, other)


@pytest.mark.parametrize("temperature", [1.0, 3.0])
def test_labels_over_fresh_noise_are_drawn_batch_by_batch(temperature: float) -> None:
    inputs = noise(fresh=True)
    targets = make(sampled_cross_entropy(temperature), inputs, fixed=False)
    assert not targets.cached
    streams = {name: generator(SEED, "labels", name) for name in ("aux", "all")}
    for num in (8, 3, 8):
        x, found = answers(targets, inputs, np.arange(num))
        z = MODEL.apply(teacher_params(), x)
        for name, logits in (("all", z), ("aux", z[:, 10:])):
            assert torch.equal(found[name], sample_labels(logits, streams[name], temperature=temperature))


def test_nothing_is_drawn_from_fresh_noise_before_the_students_ask() -> None:
    inputs = noise(fresh=True)
    targets = make(kl(), inputs, fixed=False)
    x, found = answers(targets, inputs, np.arange(BATCH))
    assert torch.equal(x, noise(fresh=True).gather(np.arange(BATCH)))
    assert_close(found["all"], MODEL.apply(teacher_params(), x), FP64_FORMULA)


def test_the_cache_is_what_the_teacher_answered_when_it_was_filled() -> None:
    inputs = noise()
    setup = plain_setup(MODEL, CONFIG, num_rows=BATCH, seed=SEED)
    teacher = StackTrainer(setup, [teacher_params()], kl(), ["class"])
    targets = Targets(setup, teacher, inputs, kl(), OUTPUTS, fixed=True)
    x = inputs.gather(np.arange(BATCH)).clone()
    teacher.step(x, [torch.zeros(BATCH, 10).double()])
    assert_close(targets.batch(np.arange(BATCH), x)["all"], MODEL.apply(teacher_params(), x), FP64_FORMULA)
