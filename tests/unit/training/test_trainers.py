from __future__ import annotations

from collections.abc import Sequence

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from subtx_toy.problem.initialisations import initialise
from subtx_toy.problem.losses import Loss, cross_entropy, distillation_loss
from subtx_toy.problem.model import MLP
from subtx_toy.problem.params import Params
from subtx_toy.seeding import generator
from subtx_toy.settings.distillation import RunConfig
from subtx_toy.tolerances import FP64_FORMULA, FP64_STEP
from subtx_toy.training.trainers import AutogradTrainer, Setup, StackTrainer, Trainer
from tests.reference.closeness import assert_close, assert_params_close, same_bits
from tests.reference.setups import plain_setup

DIM, BATCH = 9, 8
OUTPUTS = ["aux", "all", "aux", "all"]
OPTIMIZERS: dict[str, dict[str, object]] = {
    "adam": {"optimizer": "adam"},
    "adam with decay": {"optimizer": "adam", "weight_decay": 0.1},
    "adamw": {"optimizer": "adamw", "weight_decay": 0.1},
    "sgd": {"optimizer": "sgd", "lr": 0.1},
    "sgd with momentum and decay": {"optimizer": "sgd", "lr": 0.1, "momentum": 0.9, "weight_decay": 0.1},
    "nesterov": {"optimizer": "nesterov", "lr": 0.1, "momentum": 0.9},
    "rmsprop": {"optimizer": "rmsprop"},
    "sign": {"optimizer": "sign"},
}
SIZES = (8, 8, 5, 8, 1)

Batch = tuple[Tensor, list[Tensor]]


def configuration(**values: object) -> RunConfig:
    return RunConfig.parse({"width": 6, "batch_size": BATCH, "precision": "fp64", "lr": 0.01} | values)


def setup(model: MLP, config: RunConfig) -> Setup:
    return plain_setup(model, config, num_rows=BATCH)


def starts(model: MLP, seed: int, num: int) -> list[Params]:
    return [initialise(model, generator(seed, "tests", member), init="pytorch", scale=2.0) for member in range(num)]


def stream(loss: Loss, model: MLP, seed: int, outputs: Sequence[str]) -> list[Batch]:
    """A few batches, two of them partial, with targets for every member."""
    rng, drawn = generator(seed, "tests", "stream"), []
    for n in SIZES:
        x, targets = torch.tensor(rng.uniform(-1, 1, (n, DIM))), []
        for name in outputs:
            k = len(range(model.sizes[-1])[model.columns(name)])
            labels = torch.tensor(rng.integers(k, size=n))
            logits = torch.tensor(rng.standard_normal((n, k)))
            targets.append(labels if loss.targets == "labels" else logits)
        drawn.append((x, targets))
    return drawn


def scalar(value: float) -> Tensor:
    return torch.tensor(value, dtype=torch.float64)


def assert_same_steps(ours: Trainer, theirs: Trainer, batches: list[Batch], num: int) -> None:
    """Take the same steps with both; hold losses, parameters and logits of every member after each."""
    for x, targets in batches:
        losses = zip(ours.step(x, targets), theirs.step(x, targets), strict=True)
        for member, (our_loss, their_loss) in enumerate(losses):
            assert_close(scalar(our_loss), scalar(their_loss), FP64_STEP, "loss")
            assert_params_close(ours.params(member), theirs.params(member), FP64_STEP)
        assert_close(ours.logits(x), theirs.logits(x), FP64_STEP, "logits")
    assert len(ours.logits(x)[0]) == num


@pytest.mark.parametrize("activation", ["relu", "tanh"])
@pytest.mark.parametrize("loss_name", ["kl", "squared_error", "sampled_cross_entropy"])
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_the_stacked_steps_are_those_of_autograd(optimizer: str, loss_name: str, activation: str) -> None:
    config = configuration(loss=loss_name, activation=activation, **OPTIMIZERS[optimizer])
    model, loss = MLP.from_config(config, input_dim=DIM), distillation_loss(loss_name)
    members = starts(model, 0, 4)
    stack, plain = (kind(setup(model, config), members, loss, OUTPUTS) for kind in (StackTrainer, AutogradTrainer))
    assert_same_steps(stack, plain, stream(loss, model, 0, OUTPUTS), 4)


@given(
    st.integers(0, 10**6),
    st.sampled_from(list(OPTIMIZERS)),
    st.sampled_from(["gelu", "softplus", "sigmoid"]),
    st.integers(0, 3),
    st.lists(st.sampled_from(["class", "aux", "all"]), min_size=1, max_size=4),
)
def test_the_two_routes_agree_for_any_number_of_members_and_any_outputs(
    seed: int, optimizer: str, activation: str, depth: int, outputs: list[str]
) -> None:
    config = configuration(activation=activation, depth=depth, **OPTIMIZERS[optimizer])
    model, loss = MLP.from_config(config, input_dim=DIM), distillation_loss("kl", temperature=2.0)
    members = starts(model, seed, len(outputs))
    stack, plain = (kind(setup(model, config), members, loss, outputs) for kind in (StackTrainer, AutogradTrainer))
    assert_same_steps(stack, plain, stream(loss, model, seed, outputs), len(outputs))


@pytest.mark.parametrize("changed", [{"lr": 0.0101}, {"weight_decay": 1e-3}, {"optimizer": "adamw"}])
def test_steps_of_another_optimiser_are_caught(changed: dict[str, object]) -> None:
    base = {"weight_decay": 1e-2} if "optimizer" in changed else {}
    config, wrong = configuration(**base), configuration(**(base | changed))
    model, loss = MLP.from_config(config, input_dim=DIM), distillation_loss("kl")
    members = starts(model, 0, 4)
    with pytest.raises(AssertionError):
        assert_same_steps(
            StackTrainer(setup(model, wrong), members, loss, OUTPUTS),
            AutogradTrainer(setup(model, config), members, loss, OUTPUTS),
            stream(loss, model, 0, OUTPUTS),
            4,
        )


@pytest.mark.parametrize("kind", [StackTrainer, AutogradTrainer])
def test_one_step_of_sgd_is_the_formula(kind: type[StackTrainer] | type[AutogradTrainer]) -> None:
    config = configuration(optimizer="sgd", lr=0.5)
    model, loss = MLP.from_config(config, input_dim=DIM), cross_entropy()
    members = starts(model, 1, 2)
    x, targets = stream(loss, model, 1, ["class", "class"])[0]
    trainer = kind(setup(model, config), members, loss, ["class", "class"])
    reported = trainer.step(x, targets)
    for member, params in enumerate(members):
        leaves = {name: value.clone().requires_grad_(True) for name, value in params.items()}
        class_logits = model.apply(leaves, x)[:, :10]
        value = torch.nn.functional.cross_entropy(class_logits, targets[member])
        slopes = torch.autograd.grad(value, list(leaves.values()))
        stepped = {name: params[name] - 0.5 * slope for name, slope in zip(params, slopes, strict=True)}
        assert_params_close(trainer.params(member), stepped, FP64_FORMULA)
        assert_close(scalar(reported[member]), value, FP64_FORMULA)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("kind", [StackTrainer, AutogradTrainer])
def test_a_member_alone_takes_the_steps_it_takes_among_others(
    kind: type[StackTrainer] | type[AutogradTrainer], optimizer: str
) -> None:
    # Not to the bit in the stack: BLAS blocks a product over all members' units in another order than one over a
    # single member's. To the bit at an equal number of members: see the test below.
    config = configuration(**OPTIMIZERS[optimizer])
    model, loss = MLP.from_config(config, input_dim=DIM), distillation_loss("kl")
    members, batches = starts(model, 2, 4), stream(distillation_loss("kl"), model, 2, OUTPUTS)
    together = kind(setup(model, config), members, loss, OUTPUTS)
    alone = [kind(setup(model, config), [members[at]], loss, [OUTPUTS[at]]) for at in range(4)]
    for x, targets in batches:
        losses = together.step(x, targets)
        for at, trainer in enumerate(alone):
            (own,) = trainer.step(x, [targets[at]])
            assert_close(scalar(losses[at]), scalar(own), FP64_STEP)
            assert_params_close(together.params(at), trainer.params(0), FP64_STEP)


@given(seed=st.integers(0, 10**6), at=st.integers(0, 3))
def test_what_the_others_are_and_imitate_does_not_change_a_bit_of_a_member(seed: int, at: int) -> None:
    config = configuration()
    model, loss = MLP.from_config(config, input_dim=DIM), distillation_loss("kl")
    members, others = starts(model, seed, 4), starts(model, seed + 1, 4)
    others[at] = members[at]
    one, other = (StackTrainer(setup(model, config), those, loss, OUTPUTS) for those in (members, others))
    for x, targets in stream(loss, model, seed, OUTPUTS)[:2]:
        changed = [y if member == at else 2 * y for member, y in enumerate(targets)]
        assert one.step(x, targets)[at] == other.step(x, changed)[at]
        assert same_bits(one.params(at), other.params(at))


@pytest.mark.parametrize("kind", [StackTrainer, AutogradTrainer])
def test_the_initial_parameters_are_copied(kind: type[StackTrainer] | type[AutogradTrainer]) -> None:
    config = configuration()
    model, loss = MLP.from_config(config, input_dim=DIM), distillation_loss("kl")
    (shared,) = starts(model, 3, 1)
    before = {name: value.clone() for name, value in shared.items()}
    trainer = kind(setup(model, config), [shared, shared], loss, ["aux", "all"])
    for x, targets in stream(loss, model, 3, ["aux", "all"]):
        trainer.step(x, targets)
    assert same_bits(shared, before)
    assert not same_bits(trainer.params(0), trainer.params(1))
    trainer.params(0)["layers.0.weight"].zero_()
    assert trainer.params(0)["layers.0.weight"].all()


@pytest.mark.parametrize("kind", [StackTrainer, AutogradTrainer])
def test_logits_leave_the_parameters_alone(kind: type[StackTrainer] | type[AutogradTrainer]) -> None:
    config = configuration()
    model, loss = MLP.from_config(config, input_dim=DIM), distillation_loss("kl")
    members, batches = starts(model, 4, 2), stream(loss, model, 4, ["aux", "all"])
    asked, quiet = (kind(setup(model, config), members, loss, ["aux", "all"]) for _ in range(2))
    for x, targets in batches:
        asked.logits(x)
        asked.step(x, targets)
        asked.logits(x)
        quiet.step(x, targets)
        assert all(same_bits(asked.params(at), quiet.params(at)) for at in range(2))
