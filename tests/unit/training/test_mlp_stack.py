from __future__ import annotations

import dataclasses

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from subtx_toy.problem.activations import ACTIVATIONS, Activation
from subtx_toy.problem.initialisations import initialise
from subtx_toy.problem.model import MLP
from subtx_toy.problem.params import Params
from subtx_toy.seeding import generator
from subtx_toy.tolerances import FP64_FORMULA
from subtx_toy.training.mlp_stack import MLPStack
from tests.reference.closeness import assert_close, assert_params_close, same_bits

NAMES = list(ACTIVATIONS)
SEEDS = st.integers(0, 10**6)
DEPTHS = st.integers(0, 3)


def shape(depth: int, *, width: int = 5, activation: str = "tanh") -> MLP:
    return MLP((6, *[width] * depth, 4), ACTIVATIONS[activation], num_classes=2)


def members_of(model: MLP, seed: int, num: int) -> list[Params]:
    return [initialise(model, generator(seed, "tests", member), init="pytorch", scale=1.5) for member in range(num)]


def arrays(model: MLP, seed: int, n: int, num: int) -> tuple[Tensor, Tensor]:
    """Inputs, and the gradient of some losses in every member's logits."""
    rng = generator(seed, "tests", "arrays")
    x = torch.tensor(rng.standard_normal((n, model.sizes[0])))
    return x, torch.tensor(rng.standard_normal((n, num, model.sizes[-1])))


def assert_gradients_match(model: MLP, stack: MLPStack, members: list[Params], x: Tensor, g: Tensor) -> None:
    """Hold logits and gradients of every member against autograd of sum_n <g_n, logits_n>."""
    logits = stack.forward(x).clone()
    stack.backward(x, g)
    for at, params in enumerate(members):
        leaves = {name: value.clone().requires_grad_(True) for name, value in params.items()}
        plain = model.apply(leaves, x)
        assert_close(logits[:, at], plain, FP64_FORMULA, f"logits of member {at}")
        slopes = torch.autograd.grad((g[:, at] * plain).sum(), list(leaves.values()))
        assert_params_close(stack.gradients(at), dict(zip(leaves, slopes, strict=True)), FP64_FORMULA)


@pytest.mark.parametrize("activation", NAMES)
@given(SEEDS, DEPTHS, st.integers(1, 9), st.integers(1, 4), st.integers(1, 7), st.data())
def test_logits_and_gradients_are_those_of_autograd(
    activation: str, seed: int, depth: int, width: int, num: int, batch_size: int, data: st.DataObject
) -> None:
    model = shape(depth, width=width, activation=activation)
    members = members_of(model, seed, num)
    stack = MLPStack(model, members, batch_size=batch_size)
    # Batches of changing size through the same buffers: what an earlier one left must not be seen.
    for n in data.draw(st.lists(st.integers(1, batch_size), min_size=1, max_size=3)):
        assert_gradients_match(model, stack, members, *arrays(model, seed + n, n, num))


@pytest.mark.parametrize(
    "forgetful",
    [
        dataclasses.replace(ACTIVATIONS["tanh"], derivative_over=lambda z, _a: z.fill_(1.0)),
        dataclasses.replace(ACTIVATIONS["relu"], gate=lambda gradient, _a, out: out.copy_(gradient)),
    ],
    ids=["tanh", "relu"],
)
def test_forgetting_the_derivative_of_the_activation_is_caught(forgetful: Activation) -> None:
    model = dataclasses.replace(shape(2), activation=forgetful)
    members = members_of(model, 0, 2)
    with pytest.raises(AssertionError):
        assert_gradients_match(model, MLPStack(model, members, batch_size=5), members, *arrays(model, 0, 5, 2))


def test_two_members_that_changed_places_are_caught() -> None:
    model = shape(1)
    members = members_of(model, 0, 2)
    stack = MLPStack(model, members[::-1], batch_size=5)
    with pytest.raises(AssertionError):
        assert_gradients_match(model, stack, members, *arrays(model, 0, 5, 2))


def test_a_gradient_averaged_over_the_members_is_caught() -> None:
    model = shape(1)
    members = members_of(model, 0, 2)

    class Averaging(MLPStack):
        def backward(self, x: Tensor, output_gradient: Tensor) -> None:
            super().backward(x, output_gradient / self.num_members)

    with pytest.raises(AssertionError):
        assert_gradients_match(model, Averaging(model, members, batch_size=5), members, *arrays(model, 0, 5, 2))


@given(SEEDS, DEPTHS, st.integers(1, 4), st.sampled_from([torch.float32, torch.float64]))
def test_parameters_come_back_to_the_bit_as_copies(seed: int, depth: int, num: int, dtype: torch.dtype) -> None:
    model = shape(depth)
    members = [{name: value.to(dtype) for name, value in params.items()} for params in members_of(model, seed, num)]
    stack = MLPStack(model, members, batch_size=3)
    for at, params in enumerate(members):
        assert same_bits(stack.params(at), params)
        assert list(stack.params(at)) == list(params)
        stack.params(at)["layers.0.weight"].zero_()
        assert same_bits(stack.params(at), params)
        params["layers.0.bias"] += 1
        assert not same_bits(stack.params(at), params)


@given(SEEDS, DEPTHS, st.integers(2, 4), st.data())
def test_loading_a_member_changes_that_member_alone(seed: int, depth: int, num: int, data: st.DataObject) -> None:
    model, at = shape(depth), data.draw(st.integers(0, num - 1))
    members = members_of(model, seed, num)
    stack = MLPStack(model, members, batch_size=3)
    (members[at],) = members_of(model, seed + 1, 1)
    stack.load(at, members[at])
    for member, params in enumerate(members):
        assert same_bits(stack.params(member), params)


@given(SEEDS, DEPTHS, st.integers(1, 4))
def test_theta_and_gradient_share_one_layout_and_hold_nothing_else(seed: int, depth: int, num: int) -> None:
    model = shape(depth)
    members = members_of(model, seed, num)
    stack = MLPStack(model, members, batch_size=4)
    x, g = arrays(model, seed, 4, num)
    stack.forward(x)
    stack.backward(x, g)
    gradients = [stack.gradients(member) for member in range(num)]
    stack.theta -= 0.1 * stack.gradient
    for member, params in enumerate(members):
        stepped = {name: value - 0.1 * gradients[member][name] for name, value in params.items()}
        assert_params_close(stack.params(member), stepped, FP64_FORMULA)
    entries = sum(value.numel() for params in members for value in params.values())
    nonzero = int(stack.theta.count_nonzero())
    assert nonzero == entries  # the gaps between the blocks stay zero


@given(SEEDS, DEPTHS, st.integers(1, 3))
def test_a_member_full_of_nan_leaves_its_neighbours_to_the_bit(seed: int, depth: int, at: int) -> None:
    model = shape(depth)
    members = members_of(model, seed, 4)
    x, g = arrays(model, seed, 5, 4)
    found = []
    for fill in (0.0, torch.nan):
        stack = MLPStack(model, members, batch_size=5)
        if fill != 0.0:
            stack.load(at, {name: torch.full_like(value, fill) for name, value in members[at].items()})
        logits = stack.forward(x).clone()
        stack.backward(x, g)
        found.append((logits, [stack.gradients(member) for member in range(4)]))
    for member in set(range(4)) - {at}:
        assert torch.equal(found[0][0][:, member], found[1][0][:, member])
        assert same_bits(found[0][1][member], found[1][1][member])
