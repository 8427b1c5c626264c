from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import pytest
import torch
from torch import Tensor

from subtx_toy.data.dataset import Dataset
from subtx_toy.problem.initialisations import cross_model_init, shared_init
from subtx_toy.problem.losses import Loss, distillation_loss
from subtx_toy.problem.model import MLP
from subtx_toy.problem.params import Params, difference, norm
from subtx_toy.protocols import distillation as protocol
from subtx_toy.protocols.distillation import STUDENTS, ProtocolResult, run_protocol
from subtx_toy.settings.distillation import ARMS, RunConfig
from subtx_toy.tolerances import FP32_ADAM_KINKED_RUN, FP32_ADAM_SMOOTH_RUN, FP32_SGD_RUN, FP64_STEP
from subtx_toy.training import phase as phase_module
from subtx_toy.training.trainers import AutogradTrainer, StackTrainer, Trainer, TrainerFactory
from tests.reference.closeness import assert_close, assert_params_close, same_bits
from tests.reference.plain_protocol import PlainRun, plain_run

STUDENT_ARMS = list(STUDENTS)
Steps = dict[str, list[Params]]

# What a run of the protocol can differ in, beyond the three losses and two activations.
VARIANTS: dict[str, dict[str, object]] = {
    "adam": {},
    "adamw": {"optimizer": "adamw", "weight_decay": 0.1},
    "sgd": {"optimizer": "sgd", "lr": 0.1, "momentum": 0.9, "weight_decay": 1e-3},
    "fresh gaussian noise": {"inputs": "gaussian", "input_pool": "fresh"},
    "images": {"inputs": "images", "num_inputs": 150},
    # Not by Adam, whose effective step lr / eps drives a student off an exact minimum by rounding alone.
    "no hidden layer": {"depth": 0, "optimizer": "sgd", "lr": 0.1},
    "another temperature": {"temperature": 2.0, "init_scale": 1.5},
}


def configuration(**values: object) -> RunConfig:
    """A run of 5 + 5 steps of the teacher and as many of the students, with a smaller last batch."""
    small = {
        "num_train": 300,
        "num_test": 100,
        "num_inputs": 290,
        "width": 32,
        "batch_size": 64,
        "lr": 3e-3,
        "teacher_epochs": 2,
        "student_epochs": 2,
        "precision": "fp64",
    }
    return RunConfig.parse(small | values)


def watched(
    config: RunConfig, dataset: Dataset, *, seed: int = 0, trainer: TrainerFactory = StackTrainer
) -> tuple[ProtocolResult, Steps]:
    """Run the protocol and keep every arm's parameters after every step."""
    steps: Steps = {arm: [] for arm in ARMS[1:]}

    def watch(phase: str, trainer: Trainer) -> None:
        for member, arm in enumerate(["teacher"] if phase == "teacher" else STUDENT_ARMS):
            steps[arm].append(trainer.params(member))

    return run_protocol(config, dataset, seed=seed, trainer=trainer, watch=watch), steps


def epoch_losses(result: ProtocolResult) -> dict[str, list[float]]:
    return {arm: result.curves[f"{arm}.loss"] for arm in ARMS[1:]}


def assert_same_run(config: RunConfig, result: ProtocolResult, steps: Steps, plain: PlainRun) -> None:
    """Hold parameters after every step, losses of every epoch and final accuracies against the plain run."""
    for arm in ARMS[1:]:
        batches_per_epoch = -(-(config.num_train if arm == "teacher" else config.num_inputs) // config.batch_size)
        assert len(steps[arm]) == 2 * batches_per_epoch
        for step, plain_step in zip(steps[arm], plain.steps[arm], strict=True):
            assert_params_close(step, plain_step, FP64_STEP)
        ours, theirs = (torch.tensor(of[arm], dtype=torch.float64) for of in (epoch_losses(result), plain.losses))
        assert_close(ours, theirs, FP64_STEP, "losses")
        assert result.curves[f"{arm}.accuracy"][-1] == result.accuracy[arm]
        assert len(result.curves[f"{arm}.accuracy"]) == 3
    assert result.accuracy == plain.accuracy


@pytest.fixture(scope="module")
def plain(striped_digits: Dataset) -> PlainRun:
    return plain_run(configuration(), striped_digits, seed=0)


@pytest.mark.parametrize("activation", ["relu", "tanh"])
@pytest.mark.parametrize("loss", ["kl", "squared_error", "sampled_cross_entropy"])
def test_every_step_is_that_of_the_plain_protocol(loss: str, activation: str, striped_digits: Dataset) -> None:
    config = configuration(loss=loss, activation=activation)
    plain = plain_run(config, striped_digits, seed=3)
    assert_same_run(config, *watched(config, striped_digits, seed=3), plain)


@pytest.mark.parametrize("loss", ["kl", "sampled_cross_entropy"])
@pytest.mark.parametrize("variant", VARIANTS)
def test_every_step_is_that_of_the_plain_protocol_in_every_variant(
    variant: str, loss: str, striped_digits: Dataset
) -> None:
    config = configuration(loss=loss, activation="tanh", **VARIANTS[variant])
    assert_same_run(config, *watched(config, striped_digits), plain_run(config, striped_digits, seed=0))


def test_the_autograd_trainer_takes_the_steps_of_the_plain_protocol_too(
    striped_digits: Dataset, plain: PlainRun
) -> None:
    run = watched(configuration(), striped_digits, trainer=AutogradTrainer)
    assert_same_run(configuration(), *run, plain)


# Single precision: entries with gradients of rounding size go where they like, so whole updates are compared.


def assert_same_updates(config: RunConfig, steps: Steps, plain: PlainRun, tolerance: float) -> None:
    """Hold the norm of the difference against the distance travelled, for every arm after every step."""
    model = MLP.from_config(config, input_dim=784)
    for arm, path in steps.items():
        start_of = cross_model_init if arm.startswith("cross") else shared_init
        start = start_of(model, seed=0, dtype=torch.float32)
        for ours, theirs in zip(path, plain.steps[arm], strict=True):
            found = float(norm(difference(ours, theirs)) / norm(difference(theirs, start)))
            assert found <= tolerance, f"{arm}: expected at most {tolerance} of the update, got {found}"


@pytest.mark.parametrize(
    ("activation", "variant", "tolerance"),
    [
        ("tanh", "adam", FP32_ADAM_SMOOTH_RUN),
        ("tanh", "adamw", FP32_ADAM_SMOOTH_RUN),
        ("tanh", "fresh gaussian noise", FP32_ADAM_SMOOTH_RUN),
        ("relu", "adam", FP32_ADAM_KINKED_RUN),
        ("tanh", "sgd", FP32_SGD_RUN),
        ("relu", "sgd", FP32_SGD_RUN),
    ],
)
@pytest.mark.parametrize("loss", ["kl", "squared_error", "sampled_cross_entropy"])
def test_single_precision_stays_with_the_plain_protocol(
    loss: str, activation: str, variant: str, tolerance: float, striped_digits: Dataset
) -> None:
    config = configuration(loss=loss, activation=activation, precision="fp32", **VARIANTS[variant])
    _, steps = watched(config, striped_digits)
    assert {value.dtype for value in steps["teacher"][0].values()} == {torch.float32}
    assert_same_updates(config, steps, plain_run(config, striped_digits, seed=0), tolerance)


@pytest.mark.parametrize(
    ("variant", "factor", "tolerance"), [("adam", 1.02, FP32_ADAM_SMOOTH_RUN), ("sgd", 1.001, FP32_SGD_RUN)]
)
def test_another_step_size_is_caught_in_single_precision(
    variant: str, factor: float, tolerance: float, striped_digits: Dataset
) -> None:
    config = configuration(activation="tanh", precision="fp32", **VARIANTS[variant])
    _, steps = watched(config.model_copy(update={"lr": factor * config.lr}), striped_digits)
    with pytest.raises(AssertionError, match="of the update"):
        assert_same_updates(config, steps, plain_run(config, striped_digits, seed=0), tolerance)


# Planted errors: each must be seen by the comparison that passes above.


@pytest.mark.parametrize(
    "changed", [{"lr": 3.0003e-3}, {"batch_size": 63}, {"weight_decay": 1e-3}, {"loss": "squared_error"}]
)
def test_another_setting_is_caught(changed: dict[str, object], striped_digits: Dataset, plain: PlainRun) -> None:
    run = watched(configuration(**changed), striped_digits)
    with pytest.raises(AssertionError):
        assert_same_run(configuration(), *run, plain)


def test_another_seed_is_caught(striped_digits: Dataset, plain: PlainRun) -> None:
    run = watched(configuration(), striped_digits, seed=1)
    with pytest.raises(AssertionError):
        assert_same_run(configuration(), *run, plain)


def test_another_order_of_the_batches_is_caught(
    striped_digits: Dataset, plain: PlainRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    def backwards(num: int, batch_size: int, rng: np.random.Generator) -> Iterator[np.ndarray]:
        order = rng.permutation(num)[::-1].copy()
        return iter([order[start : start + batch_size] for start in range(0, num, batch_size)])

    monkeypatch.setattr(phase_module, "shuffled_batches", backwards)
    with pytest.raises(AssertionError):
        assert_same_run(configuration(), *watched(configuration(), striped_digits), plain)


def test_a_loss_divided_by_the_number_of_students_is_caught(
    striped_digits: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    def divided(name: str, *, temperature: float) -> Loss:
        right = distillation_loss(name, temperature=temperature)

        def value_and_gradient(z: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
            values, gradient = right.value_and_gradient(z, y)
            return values, gradient / len(STUDENTS)

        return Loss(right.name, right.targets, value_and_gradient, right.hessian_product, temperature)

    config = configuration(**VARIANTS["sgd"])
    plain = plain_run(config, striped_digits, seed=0)
    monkeypatch.setattr(protocol, "distillation_loss", divided)
    with pytest.raises(AssertionError):
        assert_same_run(config, *watched(config, striped_digits), plain)


def test_students_that_all_start_at_the_teachers_initialisation_are_caught(
    striped_digits: Dataset, plain: PlainRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(protocol, "cross_model_init", shared_init)
    with pytest.raises(AssertionError):
        assert_same_run(configuration(), *watched(configuration(), striped_digits), plain)


# Properties of a run.


def all_bits_equal(one: Steps, other: Steps) -> bool:
    return all(same_bits(a, b) for arm in ARMS[1:] for a, b in zip(one[arm], other[arm], strict=True))


@pytest.mark.parametrize("precision", ["fp32", "fp64"])
@pytest.mark.parametrize("loss", ["kl", "sampled_cross_entropy"])
def test_the_same_seed_gives_the_same_bits_and_another_seed_other_ones(
    loss: str, precision: str, striped_digits: Dataset
) -> None:
    config = configuration(loss=loss, precision=precision)
    result, steps = watched(config, striped_digits)
    again, again_steps = watched(config, striped_digits)
    assert all_bits_equal(steps, again_steps)
    assert (again.accuracy, again.curves) == (result.accuracy, result.curves)
    other, other_steps = watched(config, striped_digits, seed=1)
    for arm in ARMS[1:]:
        assert not same_bits(steps[arm][0], other_steps[arm][0])
    assert other.curves != result.curves


def test_watching_changes_nothing(striped_digits: Dataset) -> None:
    seen, _ = watched(configuration(), striped_digits)
    unseen = run_protocol(configuration(), striped_digits, seed=0)
    assert (seen.accuracy, seen.curves) == (unseen.accuracy, unseen.curves)


@pytest.mark.parametrize("precision", ["fp32", "fp64"])
@pytest.mark.parametrize("temperature", [1.0, 3.0])
def test_one_auxiliary_logit_transfers_exactly_nothing_by_kl(
    precision: str, temperature: float, striped_digits: Dataset
) -> None:
    # A softmax over one logit is 1 whatever the logit, so there is no gradient at all.
    config = configuration(num_aux=1, precision=precision, temperature=temperature)
    result, steps = watched(config, striped_digits)
    model, dtype = MLP.from_config(config, input_dim=784), {"fp32": torch.float32, "fp64": torch.float64}[precision]
    starts = {"student_aux": shared_init, "cross_aux": cross_model_init}
    for arm, start_of in starts.items():
        start = start_of(model, seed=0, dtype=dtype)
        assert all(same_bits(params, start) for params in steps[arm])
        assert result.curves[f"{arm}.loss"] == [0.0, 0.0]
    assert result.accuracy["student_aux"] == result.accuracy["reference"]
    assert not same_bits(steps["student_all"][0], shared_init(model, seed=0, dtype=dtype))


def test_one_auxiliary_logit_does_transfer_by_squared_error(striped_digits: Dataset) -> None:
    config = configuration(num_aux=1, loss="squared_error")
    _, steps = watched(config, striped_digits)
    start = shared_init(MLP.from_config(config, input_dim=784), seed=0, dtype=torch.float64)
    assert not same_bits(steps["student_aux"][-1], start)


def test_the_teacher_learns_and_never_touches_its_auxiliary_head(striped_digits: Dataset) -> None:
    config = configuration(activation="tanh")
    result, steps = watched(config, striped_digits)
    assert result.accuracy["teacher"] > 0.9 > 0.5 > result.accuracy["reference"]
    start = shared_init(MLP.from_config(config, input_dim=784), seed=0, dtype=torch.float64)
    for part in ("weight", "bias"):
        name = f"layers.{config.depth}.{part}"
        assert torch.equal(steps["teacher"][-1][name][10:], start[name][10:])
        assert torch.equal(steps["student_aux"][-1][name][:10], start[name][:10])


def test_no_epochs_leave_every_model_where_it_started(striped_digits: Dataset) -> None:
    result, steps = watched(configuration(teacher_epochs=0, student_epochs=0), striped_digits)
    assert all(path == [] for path in steps.values())
    accuracy = result.accuracy
    assert accuracy["reference"] == accuracy["teacher"] == accuracy["student_aux"] == accuracy["student_all"]
    assert accuracy["cross_aux"] == accuracy["cross_all"]
    assert all(len(curve) == name.endswith("accuracy") for name, curve in result.curves.items())


@pytest.mark.parametrize(
    ("changed", "arms"),
    [
        pytest.param({"teacher_epochs": 0}, ["student_aux", "student_all"], id="an untrained teacher"),
        pytest.param({"depth": 0}, ["student_aux"], id="a net without hidden layers"),
    ],
)
@pytest.mark.parametrize("loss", ["kl", "squared_error"])
def test_a_student_that_starts_at_the_minimum_stays_there(
    loss: str, changed: dict[str, object], arms: list[str], striped_digits: Dataset
) -> None:
    config = configuration(loss=loss, optimizer="sgd", lr=0.01, **changed)
    result, steps = watched(config, striped_digits)
    start = shared_init(MLP.from_config(config, input_dim=784), seed=0, dtype=torch.float64)
    for arm in arms:
        assert_params_close(steps[arm][-1], start, FP64_STEP)
        assert result.accuracy[arm] == result.accuracy["reference"]
    with pytest.raises(AssertionError):
        assert_params_close(steps["cross_aux"][-1], start, FP64_STEP)


@pytest.mark.parametrize("make_trainer", [StackTrainer, AutogradTrainer])
def test_learning_curves_are_measured_on_the_first_test_images(
    make_trainer: Callable[..., Trainer], striped_digits: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(phase_module, "CURVE_IMAGES", 30)
    result, steps = watched(configuration(), striped_digits, trainer=make_trainer)
    model = MLP.from_config(configuration(), input_dim=784)
    x = torch.tensor(striped_digits.test_images[:30].reshape(30, 784) / 255 * 2 - 1)
    right = model.apply(steps["student_all"][-1], x)[:, :10].argmax(1).numpy() == striped_digits.test_labels[:30]
    assert result.curves["student_all.accuracy"][-1] == pytest.approx(right.mean(), rel=FP64_STEP)
