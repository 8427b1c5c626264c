from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from subtx_toy.problem.initialisations import (
    StudentNoise,
    cross_model_init,
    initialise,
    noisy_student_init,
    shared_init,
)
from subtx_toy.problem.model import MLP
from subtx_toy.problem.params import flatten
from subtx_toy.seeding import generator
from subtx_toy.settings.distillation import RunConfig
from tests.reference.closeness import assert_within_z, same_bits

INITS = ["fan_in_normal", "pytorch", "he"]
F64 = torch.float64


def draw(config: RunConfig, seed: int, dtype: torch.dtype = F64) -> tuple[dict[str, torch.Tensor], ...]:
    model = MLP.from_config(config, input_dim=12)
    return tuple(make(model, seed=seed, dtype=dtype) for make in (shared_init, cross_model_init))


@pytest.mark.parametrize("init", INITS)
@given(seed=st.integers(0, 2**40))
def test_a_cross_model_student_starts_elsewhere_in_every_layer(init: str, seed: int) -> None:
    shared, cross = draw(RunConfig.parse({"width": 5, "init": init}), seed)
    for name, value in shared.items():
        if name.endswith("weight") or init == "pytorch":
            assert not torch.isclose(value, cross[name], rtol=0, atol=0).any(), name
        else:
            assert torch.equal(value, cross[name])  # both zero


@pytest.mark.parametrize("init", INITS)
@pytest.mark.parametrize("scale", [0.5, 1.0])
def test_both_initialisations_follow_one_law_and_are_uncorrelated(init: str, scale: float) -> None:
    config = RunConfig.parse({"width": 150, "init": init, "init_scale": scale})
    pair = draw(config, 0)
    for layer, d_in in enumerate((12, 150, 150)):
        shared, cross = (params[f"layers.{layer}.weight"].flatten() * d_in**0.5 / scale for params in pair)
        variance, fourth = {"fan_in_normal": (1, 3), "he": (2, 12), "pytorch": (1 / 3, 1 / 5)}[init]
        n = len(shared)
        for sample in (shared, cross):
            assert_within_z(sample.mean(), 0.0, (variance / n) ** 0.5)
            assert_within_z((sample**2).mean(), variance, ((fourth - variance**2) / n) ** 0.5)
        assert_within_z((shared * cross).mean(), 0.0, variance / n**0.5)


@given(st.integers(0, 2**40))
def test_the_streams_are_the_documented_ones(seed: int) -> None:
    config = RunConfig(width=4, depth=1)
    model = MLP.from_config(config, input_dim=12)
    shared, cross = draw(config, seed)
    assert same_bits(shared, initialise(model, generator(seed, "init"), init="fan_in_normal"))
    assert same_bits(cross, initialise(model, generator(seed, "init", "cross"), init="fan_in_normal"))


def test_a_seed_does_not_depend_on_which_seeds_were_drawn_before() -> None:
    config = RunConfig(width=4)
    alone = draw(config, 7)
    for seed in range(7):
        draw(config, seed)
    among_others = draw(config, 7)
    assert all(same_bits(one, other) for one, other in zip(alone, among_others, strict=True))


def test_no_cross_model_student_starts_at_any_teachers_initialisation() -> None:
    config = RunConfig(width=4)
    pairs = [draw(config, seed) for seed in range(20)]
    starts = {tuple(flatten(params).tolist()) for pair in pairs for params in pair}
    assert len(starts) == 40


def test_both_precisions_start_together() -> None:
    for double, single in zip(draw(RunConfig(), 3), draw(RunConfig(), 3, torch.float32), strict=True):
        assert same_bits({name: value.float() for name, value in double.items()}, single)


def test_the_scale_multiplies_weights_and_biases() -> None:
    one = draw(RunConfig(init="pytorch"), 1)
    four = draw(RunConfig(init="pytorch", init_scale=4.0), 1)
    for a, b in zip(one, four, strict=True):
        assert same_bits({name: 4 * value for name, value in a.items()}, b)


def _noise(seed: int = 0, **values: str) -> tuple[dict[str, torch.Tensor], dict[str, torch.Tensor]]:
    """Return a large initialisation, and what noise adds to it."""
    model = MLP.from_config(RunConfig(width=100), input_dim=60)
    base = shared_init(model, seed=seed, dtype=F64)
    noisy = noisy_student_init(model, StudentNoise(0.3, **values), base, seed=seed)
    return base, {name: noisy[name] - base[name] for name in base}


def test_no_noise_leaves_the_student_at_the_very_same_point() -> None:
    config = RunConfig(width=5)
    model = MLP.from_config(config, input_dim=12)
    base = shared_init(model, seed=0, dtype=F64)
    assert noisy_student_init(model, StudentNoise(), base, seed=0) is base


def test_absolute_noise_has_its_standard_deviation_in_every_weight_and_bias() -> None:
    _base, added = _noise()
    everything = flatten(added)
    assert_within_z(everything.square().mean(), 0.09, 0.09 * (2 / len(everything)) ** 0.5)
    assert all((value != 0).all() for value in added.values())


def test_relative_noise_is_in_units_of_each_weight_matrix_and_leaves_equal_biases_alone() -> None:
    base, added = _noise(unit="parameter_sd")
    for name, value in added.items():
        if name.endswith("bias"):
            assert not value.any()
        else:
            ratio = value.std() / base[name].std()
            assert_within_z(ratio, 0.3, 0.3 / (2 * value.numel()) ** 0.5)


def test_noise_on_hidden_layers_leaves_the_last_one_alone_and_is_the_same_elsewhere() -> None:
    (_, everywhere), (_, hidden) = _noise(), _noise(layers="hidden")
    for name, value in hidden.items():
        if name.startswith("layers.2."):
            assert not value.any()
        else:
            assert torch.equal(value, everywhere[name])


def test_another_seed_adds_other_noise() -> None:
    assert not same_bits(_noise()[1], _noise(seed=1)[1])
