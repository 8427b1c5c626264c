from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812, torch's own idiom

from subtx_toy.problem.activations import ACTIVATIONS, Activation
from subtx_toy.problem.initialisations import initialise
from subtx_toy.problem.model import MLP
from subtx_toy.problem.params import Params
from subtx_toy.seeding import generator
from subtx_toy.settings.distillation import RunConfig
from subtx_toy.settings.named import ACTIVATION_NAMES
from subtx_toy.tolerances import FINITE_DIFFERENCE, FINITE_DIFFERENCE_STEP, FP32_ROUNDING, FP64_FORMULA
from tests.reference.closeness import assert_close, assert_within_z, same_bits

NAMES = list(ACTIVATIONS)
MODULES: dict[str, nn.Module] = {
    "relu": nn.ReLU(),
    "tanh": nn.Tanh(),
    "gelu": nn.GELU(),
    "softplus": nn.Softplus(),
    "sigmoid": nn.Sigmoid(),
}
SEEDS = st.integers(0, 10**6)
SIZES = st.lists(st.integers(1, 6), min_size=2, max_size=5).map(tuple)
SHAPE = (300, 200, 100, 50)

# Variance and fourth moment of a weight times the root of d_in; and the same of a bias.
LAWS = {
    "fan_in_normal": ((1.0, 3.0), (0.0, 0.0)),
    "he": ((2.0, 12.0), (0.0, 0.0)),
    "pytorch": ((1 / 3, 1 / 5), (1 / 3, 1 / 5)),
}


def points(seed: int, *shape: int) -> Tensor:
    return torch.tensor(3 * generator(seed, "tests", "points").standard_normal(shape))


# Initialisation


def assert_follows_law(params: Params, init: str, scale: float) -> None:
    """Hold mean, variance and fourth moment of every layer against the law, at the sample size of the layer."""
    for layer, d_in in enumerate(SHAPE[:-1]):
        for part, (variance, fourth) in zip(("weight", "bias"), LAWS[init], strict=True):
            sample = params[f"layers.{layer}.{part}"].flatten().double() * d_in**0.5 / scale
            if variance == 0:
                assert not sample.any()
                continue
            n, normal = len(sample), init != "pytorch"
            # Eighth moments: 105 sd^8 of a normal, 1/9 of U(-1, 1).
            eighth = 105 * variance**4 if normal else 1 / 9
            assert_within_z(sample.mean(), 0.0, (variance / n) ** 0.5)
            assert_within_z((sample**2).mean(), variance, ((fourth - variance**2) / n) ** 0.5)
            assert_within_z((sample**4).mean(), fourth, ((eighth - fourth**2) / n) ** 0.5)


@pytest.mark.parametrize("init", LAWS)
@pytest.mark.parametrize("scale", [0.5, 1.0, 4.0])
def test_every_layer_follows_the_law_of_its_initialisation(init: str, scale: float) -> None:
    rng = generator(0, "tests", "init", init)
    assert_follows_law(initialise(MLP(SHAPE, ACTIVATIONS["relu"]), rng, init=init, scale=scale), init, scale)


@pytest.mark.parametrize(("drawn", "claimed"), list(itertools.permutations(LAWS, 2)))
def test_the_check_of_the_law_tells_the_laws_apart(drawn: str, claimed: str) -> None:
    params = initialise(MLP(SHAPE, ACTIVATIONS["relu"]), generator(0, "tests"), init=drawn)
    with pytest.raises(AssertionError):
        assert_follows_law(params, claimed, 1.0)


def test_the_check_of_the_law_sees_a_fan_out_in_place_of_a_fan_in() -> None:
    params = initialise(MLP(SHAPE, ACTIVATIONS["relu"]), generator(0, "tests"), init="fan_in_normal")
    for layer, (d_in, d_out) in enumerate(itertools.pairwise(SHAPE)):
        params[f"layers.{layer}.weight"] *= (d_in / d_out) ** 0.5
    with pytest.raises(AssertionError):
        assert_follows_law(params, "fan_in_normal", 1.0)


def test_the_pytorch_initialisation_has_the_range_of_linear() -> None:
    params = initialise(MLP(SHAPE, ACTIVATIONS["relu"]), generator(1, "tests"), init="pytorch")
    for layer, d_in in enumerate(SHAPE[:-1]):
        ours = params[f"layers.{layer}.weight"].abs().max() * d_in**0.5
        theirs = nn.Linear(d_in, SHAPE[layer + 1]).weight.detach().abs().max() * d_in**0.5
        # The largest of 5000 or more draws from U(0, 1) is below .99 with p = 1e-22.
        assert 0.99 < float(ours) <= 1 + FP64_FORMULA
        assert 0.99 < float(theirs) <= 1 + FP32_ROUNDING


@pytest.mark.parametrize("init", LAWS)
@given(SIZES, SEEDS, st.floats(0.1, 10))
def test_single_precision_is_the_rounded_double_precision(
    init: str, sizes: tuple[int, ...], seed: int, scale: float
) -> None:
    def draw(dtype: torch.dtype) -> Params:
        model = MLP(sizes, ACTIVATIONS["relu"], num_classes=1)
        return initialise(model, generator(seed, "tests"), init=init, scale=scale, dtype=dtype)

    double, single = draw(torch.float64), draw(torch.float32)
    assert same_bits(single, {name: value.float() for name, value in double.items()})
    assert {value.dtype for value in double.values()} == {torch.float64}


def test_an_unknown_initialisation_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^init: expected one of 'fan_in_normal', 'pytorch', 'he', got 'zeros'$"):
        initialise(MLP((1, 1), ACTIVATIONS["relu"], num_classes=1), generator(0), init="zeros")


# Activations


def test_the_settings_name_the_activations_of_the_table() -> None:
    assert tuple(ACTIVATIONS) == ACTIVATION_NAMES


def assert_derivative_matches(activation: Activation, z: Tensor) -> None:
    """Hold ``derivative_over`` against autograd of ``apply``."""
    leaf = z.clone().requires_grad_(True)
    (by_autograd,) = torch.autograd.grad(activation.apply(leaf).sum(), leaf)
    over = z.clone()
    assert_close(activation.derivative_over(over, activation.apply(z)), by_autograd, FP64_FORMULA)
    assert_close(over, by_autograd, FP64_FORMULA, "overwritten z")


@pytest.mark.parametrize("name", NAMES)
@given(SEEDS)
def test_the_derivative_is_that_of_autograd(name: str, seed: int) -> None:
    assert_derivative_matches(ACTIVATIONS[name], points(seed, 40))


@pytest.mark.parametrize("name", NAMES)
def test_the_derivative_is_that_of_finite_differences(name: str) -> None:
    activation, h = ACTIVATIONS[name], FINITE_DIFFERENCE_STEP
    z = points(0, 500)
    z = z[z.abs() > h]  # away from the kink of relu
    slope = (activation.apply(z + h) - activation.apply(z - h)) / (2 * h)
    assert_close(activation.derivative_over(z.clone(), activation.apply(z)), slope, FINITE_DIFFERENCE)


@pytest.mark.parametrize("name", NAMES)
def test_the_derivative_at_zero_and_far_out_is_finite_and_that_of_autograd(name: str) -> None:
    assert_derivative_matches(ACTIVATIONS[name], torch.tensor([0.0, -0.0, 40.0, -40.0, 1e3, -1e3]).double())


@pytest.mark.parametrize("wrong", NAMES)
@pytest.mark.parametrize("name", NAMES)
def test_the_derivative_of_another_activation_is_caught(name: str, wrong: str) -> None:
    right = ACTIVATIONS[name]
    planted = Activation("planted", right.apply, right.apply_into, ACTIVATIONS[wrong].derivative_over, True)
    if name == wrong:
        assert_derivative_matches(planted, points(0, 40))
    else:
        with pytest.raises(AssertionError):
            assert_derivative_matches(planted, points(0, 40))


@pytest.mark.parametrize("name", NAMES)
@given(SEEDS, st.integers(1, 5), st.integers(1, 9))
def test_values_and_derivatives_are_written_to_strided_buffers(name: str, seed: int, rows: int, width: int) -> None:
    activation = ACTIVATIONS[name]
    buffers = points(seed, 2, rows, width + 3)
    z, out = buffers[0, :, :width], buffers[1, :, :width]
    inputs, beyond = z.clone(), buffers[:, :, width:].clone()
    activation.apply_into(z, out)
    assert torch.equal(z, inputs)
    assert_close(out, MODULES[name](inputs), FP64_FORMULA)
    activation.derivative_over(z, out)
    leaf = inputs.clone().requires_grad_(True)
    assert_close(z, torch.autograd.grad(MODULES[name](leaf).sum(), leaf)[0], FP64_FORMULA)
    assert torch.equal(buffers[:, :, width:], beyond)


@pytest.mark.parametrize("name", NAMES)
@given(SEEDS, st.integers(1, 5), st.integers(1, 9))
def test_a_gradient_is_pulled_back_through_strided_buffers(name: str, seed: int, rows: int, width: int) -> None:
    activation = ACTIVATIONS[name]
    buffers = points(seed, 3, rows, width + 3)
    z, a, gradient = buffers[:, :, :width]
    leaf, beyond = z.clone().requires_grad_(True), buffers[:, :, width:].clone()
    (expected,) = torch.autograd.grad(MODULES[name](leaf), leaf, gradient)
    activation.apply_into(z, a)
    activation.pull_back(gradient, a, z)
    assert_close(z, expected, FP64_FORMULA)
    assert torch.equal(buffers[:, :, width:], beyond)


@pytest.mark.parametrize("gate", [one for one in ACTIVATIONS.values() if one.gate], ids=lambda one: one.name)
@given(SEEDS)
def test_a_gate_rounds_nothing_in_bfloat16(gate: Activation, seed: int) -> None:
    z, gradient = points(seed, 2, 40).bfloat16()
    found = []
    for dtype in (torch.bfloat16, torch.float64):
        at, a = z.clone().to(dtype), torch.empty(40, dtype=dtype)
        gate.apply_into(at, a)
        gate.pull_back(gradient.to(dtype), a, at)
        found.append((a.double(), at.double()))
    assert torch.equal(found[0][0], found[1][0])
    assert torch.equal(found[0][1], found[1][1])


def test_softplus_keeps_its_tail_in_float64_and_is_torchs_own_in_float32() -> None:
    z = torch.linspace(-50, 50, 20_001, dtype=torch.float64)
    exact = torch.tensor(np.logaddexp(0.0, z.numpy()))
    softplus = ACTIVATIONS["softplus"].apply
    assert_close(softplus(z), exact, FP64_FORMULA)
    assert torch.equal(softplus(z.float()), F.softplus(z.float()))
    with pytest.raises(AssertionError):
        assert_close(F.softplus(z), exact, FP64_FORMULA)


@pytest.mark.parametrize("name", NAMES)
def test_smooth_says_whether_the_derivative_is_continuous_at_zero(name: str) -> None:
    activation, h = ACTIVATIONS[name], FINITE_DIFFERENCE_STEP
    z = torch.tensor([-h, h]).double()
    below, above = activation.derivative_over(z.clone(), activation.apply(z))
    # Second derivatives here are at most .8, gelu's at zero.
    assert (abs(float(above - below)) <= 2 * h) == activation.smooth


# The model


def as_torch(model: MLP, params: Params) -> nn.Sequential:
    modules: list[nn.Module] = []
    for layer, (d_in, d_out) in enumerate(itertools.pairwise(model.sizes)):
        linear = nn.Linear(d_in, d_out, dtype=torch.float64)
        linear.load_state_dict({part: params[f"layers.{layer}.{part}"] for part in ("weight", "bias")})
        modules += [linear, MODULES[model.activation.name]]
    return nn.Sequential(*modules[:-1])


@pytest.mark.parametrize("name", NAMES)
@given(SIZES, SEEDS, st.integers(0, 5))
def test_logits_are_those_of_torch_modules(name: str, sizes: tuple[int, ...], seed: int, n: int) -> None:
    model = MLP(sizes, ACTIVATIONS[name], num_classes=1)
    params = initialise(model, generator(seed, "tests"), init="pytorch", scale=2.0)
    x = points(seed, n, sizes[0])
    assert_close(model.apply(params, x), as_torch(model, params)(x), FP64_FORMULA)


def test_the_shape_is_that_of_the_configuration() -> None:
    config = RunConfig(width=7, depth=3, num_aux=2, activation="gelu")
    model = MLP.from_config(config, input_dim=5)
    assert model == MLP((5, 7, 7, 7, 12), ACTIVATIONS["gelu"])
    assert model.num_layers == 4
    shapes = {name: tuple(value.shape) for name, value in initialise(model, generator(0), init="he").items()}
    assert shapes["layers.0.weight"] == (7, 5)
    assert shapes["layers.3.weight"] == (12, 7)
    assert shapes["layers.3.bias"] == (12,)
    assert len(shapes) == 8


def test_no_hidden_layer_is_an_affine_map() -> None:
    model = MLP.from_config(RunConfig(depth=0), input_dim=4)
    params = initialise(model, generator(0), init="pytorch")
    x = points(0, 3, 4)
    by_hand = x.numpy() @ params["layers.0.weight"].numpy().T + params["layers.0.bias"].numpy()
    np.testing.assert_allclose(model.apply(params, x).numpy(), by_hand, atol=FP64_FORMULA)


@given(st.integers(1, 20), st.integers(1, 20))
def test_the_outputs_are_class_logits_then_auxiliary_ones(num_classes: int, num_aux: int) -> None:
    model = MLP((3, num_classes + num_aux), ACTIVATIONS["relu"], num_classes=num_classes)
    outputs = list(range(num_classes + num_aux))
    assert outputs[model.columns("class")] == outputs[:num_classes]
    assert len(outputs[model.columns("aux")]) == num_aux
    assert outputs[model.columns("class")] + outputs[model.columns("aux")] == outputs
    assert outputs[model.columns("all")] == outputs


def test_an_unknown_choice_of_outputs_is_refused() -> None:
    model = MLP((3, 11), ACTIVATIONS["relu"])
    message = r"^distilled_logits: expected one of \['all', 'aux', 'class'\], got 'both'$"
    with pytest.raises(ValueError, match=message):
        model.columns("both")
