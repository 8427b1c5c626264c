from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from subtx_toy.problem.losses import (
    Loss,
    cross_entropy,
    distillation_loss,
    kl,
    sample_labels,
    sampled_cross_entropy,
    scaled,
    squared_error,
)
from subtx_toy.seeding import generator
from subtx_toy.tolerances import FP64_FORMULA, FP64_STEP
from tests.reference.closeness import assert_close, assert_within_z

SEEDS = st.integers(0, 10**6)
TEMPERATURES = st.floats(0.2, 5)
SAMPLE = 20_000
LOSSES: dict[str, Callable[[float], Loss]] = {
    "kl": kl,
    "squared_error": lambda _temperature: squared_error(),
    "cross_entropy": cross_entropy,
    "sampled_cross_entropy": sampled_cross_entropy,
}


def drawn(loss: Loss, seed: int, n: int, k: int) -> tuple[Tensor, Tensor, Tensor]:
    """Logits, targets and a direction."""
    rng = generator(seed, "tests", "losses")
    z, y, v = (torch.tensor(2 * rng.standard_normal((n, k))) for _ in range(3))
    return z, (torch.tensor(rng.integers(k, size=n)) if loss.targets == "labels" else y), v


def by_hand(loss: Loss, z: Tensor, y: Tensor) -> list[float]:
    """Write each loss out in numpy, one input at a time."""
    tau, values = loss.temperature, []
    for row, target in zip(z.numpy(), y.numpy(), strict=True):
        q = np.exp(row / tau) / np.exp(row / tau).sum()
        if loss.name == "kl":
            p = np.exp(target / tau) / np.exp(target / tau).sum()
            values.append(np.sum(p * np.log(p / q)))
        elif loss.name == "squared_error":
            values.append(np.sum((row - target) ** 2) / 2)
        else:
            values.append(-np.log(q[target]))
    return values


def assert_value_matches(loss: Loss, z: Tensor, y: Tensor) -> None:
    """Hold the loss of every input, and their mean, against the formula written out."""
    values = torch.tensor(by_hand(loss, z, y), dtype=z.dtype)
    assert_close(loss.value_and_gradient(z, y)[0], values, FP64_STEP)
    assert_close(loss.mean(z, y), values.mean(), FP64_STEP)


def assert_gradient_matches(loss: Loss, z: Tensor, y: Tensor) -> None:
    """Hold the output gradient, per input, against autograd of the summed values."""
    leaf = z.clone().requires_grad_(True)
    (by_autograd,) = torch.autograd.grad(loss.value_and_gradient(leaf, y)[0].sum(), leaf)
    assert_close(loss.output_gradient(z, y), by_autograd, FP64_STEP)


def assert_hessian_product_matches(loss: Loss, z: Tensor, y: Tensor, v: Tensor) -> None:
    """Hold M v, per input, against autograd of <gradient of the summed values, v>."""
    leaf = z.clone().requires_grad_(True)
    (slope,) = torch.autograd.grad(loss.value_and_gradient(leaf, y)[0].sum(), leaf, create_graph=True)
    (by_autograd,) = torch.autograd.grad((slope * v).sum(), leaf)
    assert_close(loss.hessian_product(z, y, v), by_autograd, FP64_STEP)


@pytest.mark.parametrize("name", LOSSES)
@given(SEEDS, st.integers(1, 6), st.integers(1, 13), TEMPERATURES)
def test_value_gradient_and_hessian_are_right(name: str, seed: int, n: int, k: int, tau: float) -> None:
    loss = LOSSES[name](tau)
    z, y, v = drawn(loss, seed, n, k)
    assert_value_matches(loss, z, y)
    assert_gradient_matches(loss, z, y)
    assert_hessian_product_matches(loss, z, y, v)


@pytest.mark.parametrize("name", LOSSES)
@given(SEEDS, st.integers(2, 13), TEMPERATURES)
def test_the_hessian_is_symmetric_and_positive_semidefinite(name: str, seed: int, k: int, tau: float) -> None:
    loss = LOSSES[name](tau)
    z, y, _ = drawn(loss, seed, 1, k)
    rows = z.expand(k, k)
    hessian = loss.hessian_product(rows, y.expand(k, *y.shape[1:]), torch.eye(k, dtype=z.dtype))
    assert_close(hessian, hessian.T, FP64_FORMULA)
    assert float(torch.linalg.eigvalsh(hessian).min()) >= -FP64_FORMULA
    if loss.name != "squared_error":  # a softmax does not see a shift of all its logits
        assert_close(hessian.sum(1), torch.zeros(k, dtype=z.dtype), FP64_FORMULA)


# Planted errors: each must be seen by the same assertions that pass above.

Pair = tuple[Tensor, Tensor]


def planted(loss: Loss, change: Callable[[Tensor, Tensor, Pair], Pair]) -> Loss:
    original = loss.value_and_gradient
    return dataclasses.replace(loss, value_and_gradient=lambda z, y: change(z, y, original(z, y)))


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda _z, _y, pair: (pair[0], -pair[1]), id="wrong sign of the gradient"),
        pytest.param(lambda z, _y, pair: (pair[0], pair[1] / len(z)), id="gradient divided by n"),
        pytest.param(lambda z, _y, pair: (pair[0], pair[1] / z.shape[1]), id="gradient divided by k"),
        pytest.param(lambda _z, _y, pair: (pair[0], pair[1] * 2), id="missing 1/tau"),
        pytest.param(lambda _z, _y, pair: (pair[0], pair[1].flip(0)), id="inputs in reverse"),
        pytest.param(lambda _z, _y, pair: (pair[0], pair[1].flip(1)), id="outputs in reverse"),
        pytest.param(lambda _z, _y, pair: (pair[0], pair[1].T), id="transposed"),
    ],
)
def test_a_planted_error_in_the_gradient_is_caught(name: str, change: Callable[[Tensor, Tensor, Pair], Pair]) -> None:
    loss = LOSSES[name](2.0)
    z, y, _ = drawn(loss, 0, 5, 5)
    with pytest.raises(AssertionError):
        assert_gradient_matches(planted(loss, change), z, y)


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda _z, _y, pair: (-pair[0], pair[1]), id="wrong sign"),
        pytest.param(lambda z, _y, pair: (pair[0] / len(z), pair[1]), id="divided by n"),
        pytest.param(lambda z, _y, pair: (pair[0] / z.shape[1], pair[1]), id="mean over outputs"),
        pytest.param(lambda _z, _y, pair: (pair[0] * 4, pair[1]), id="tau squared in front"),
        pytest.param(lambda _z, _y, pair: (pair[0].flip(0), pair[1]), id="inputs in reverse"),
    ],
)
def test_a_planted_error_in_the_value_is_caught(name: str, change: Callable[[Tensor, Tensor, Pair], Pair]) -> None:
    loss = LOSSES[name](2.0)
    z, y, _ = drawn(loss, 0, 5, 5)
    with pytest.raises(AssertionError):
        assert_value_matches(planted(loss, change), z, y)


def test_the_other_direction_of_kl_is_caught() -> None:
    loss = kl()
    z, y, _ = drawn(loss, 0, 5, 4)
    swapped = dataclasses.replace(loss, value_and_gradient=lambda z, y: loss.value_and_gradient(y, z))
    with pytest.raises(AssertionError):
        assert_value_matches(swapped, z, y)
    with pytest.raises(AssertionError):
        assert_gradient_matches(swapped, z, y)


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda _z, _v, Mv: -Mv, id="wrong sign"),
        pytest.param(lambda z, _v, Mv: Mv / len(z), id="divided by n"),
        pytest.param(lambda _z, _v, Mv: 2 * Mv, id="one 1/tau missing"),
        pytest.param(lambda _z, _v, Mv: Mv.T, id="transposed"),
        pytest.param(lambda z, v, _Mv: torch.softmax(z, -1) * v, id="without the outer product, at tau 1"),
    ],
)
def test_a_planted_error_in_the_hessian_is_caught(
    name: str, change: Callable[[Tensor, Tensor, Tensor], Tensor]
) -> None:
    loss = LOSSES[name](2.0)
    z, y, v = drawn(loss, 0, 5, 5)
    wrong = dataclasses.replace(loss, hessian_product=lambda z, y, v: change(z, v, loss.hessian_product(z, y, v)))
    with pytest.raises(AssertionError):
        assert_hessian_product_matches(wrong, z, y, v)


def test_the_hessian_at_the_teachers_outputs_is_caught() -> None:
    loss = kl()
    z, y, v = drawn(loss, 0, 5, 4)
    wrong = dataclasses.replace(loss, hessian_product=lambda z, y, v: loss.hessian_product(y, z, v))
    with pytest.raises(AssertionError):
        assert_hessian_product_matches(wrong, z, y, v)


# Normalisation: sum over outputs, mean over inputs.


@pytest.mark.parametrize("name", LOSSES)
@given(SEEDS, st.integers(1, 5), st.integers(1, 6), st.integers(2, 4))
def test_repeating_every_input_changes_no_mean_and_no_gradient(
    name: str, seed: int, n: int, k: int, times: int
) -> None:
    loss = LOSSES[name](1.5)
    z, y, _ = drawn(loss, seed, n, k)
    again_z, again_y = torch.cat([z] * times), torch.cat([y] * times)
    assert_close(loss.mean(again_z, again_y), loss.mean(z, y), FP64_FORMULA)
    assert_close(loss.output_gradient(again_z, again_y), torch.cat([loss.output_gradient(z, y)] * times), FP64_FORMULA)


@pytest.mark.parametrize("name", LOSSES)
@given(SEEDS, st.integers(2, 6), st.integers(1, 6))
def test_an_input_does_not_see_the_inputs_beside_it(name: str, seed: int, n: int, k: int) -> None:
    loss = LOSSES[name](1.5)
    z, y, v = drawn(loss, seed, n, k)
    values, gradient = loss.value_and_gradient(z, y)
    hessian = loss.hessian_product(z, y, v)
    for at in range(n):
        one = slice(at, at + 1)
        value, slope = loss.value_and_gradient(z[one], y[one])
        assert_close(value, values[one], FP64_FORMULA)
        assert_close(slope, gradient[one], FP64_FORMULA)
        assert_close(loss.hessian_product(z[one], y[one], v[one]), hessian[one], FP64_FORMULA)


@given(SEEDS, st.integers(1, 5), st.integers(2, 8), st.data())
def test_squared_error_sums_over_the_outputs(seed: int, n: int, k: int, data: st.DataObject) -> None:
    loss, at = squared_error(), data.draw(st.integers(1, k - 1))
    z, y, _ = drawn(loss, seed, n, k)
    parts = loss.mean(z[:, :at], y[:, :at]) + loss.mean(z[:, at:], y[:, at:])
    assert_close(loss.mean(z, y), parts, FP64_FORMULA)


# Temperature, and the value of a perfect imitation.


@given(SEEDS, TEMPERATURES)
def test_kl_at_a_temperature_is_kl_of_the_divided_logits_without_a_factor(seed: int, tau: float) -> None:
    z, y, v = drawn(kl(), seed, 4, 5)
    assert_close(kl(tau).mean(z, y), kl().mean(z / tau, y / tau), FP64_FORMULA)
    gradient = kl().output_gradient(z / tau, y / tau) / tau
    assert_close(kl(tau).output_gradient(z, y), gradient, FP64_FORMULA)
    hessian = kl().hessian_product(z / tau, y / tau, v) / tau**2
    assert_close(kl(tau).hessian_product(z, y, v), hessian, FP64_STEP)


@pytest.mark.parametrize("loss", [kl(), kl(3.0), squared_error()], ids=["kl", "kl at 3", "squared error"])
@given(seed=SEEDS)
def test_a_perfect_imitation_has_no_loss_and_no_gradient(loss: Loss, seed: int) -> None:
    _, y, _ = drawn(loss, seed, 4, 5)
    values, gradient = loss.value_and_gradient(y.clone(), y)
    assert not values.any()
    assert not gradient.any()


@given(SEEDS, TEMPERATURES)
def test_kl_is_not_negative_and_does_not_see_a_shift_of_the_logits(seed: int, tau: float) -> None:
    z, y, _ = drawn(kl(tau), seed, 4, 5)
    values = kl(tau).value_and_gradient(z, y)[0]
    assert float(values.min()) >= 0
    assert_close(kl(tau).value_and_gradient(z + 3, y - 2)[0], values, FP64_STEP)


@given(SEEDS, TEMPERATURES)
def test_kl_on_one_output_is_exactly_nothing(seed: int, tau: float) -> None:
    z, y, v = drawn(kl(tau), seed, 4, 1)
    values, gradient = kl(tau).value_and_gradient(z, y)
    assert not values.any()
    assert not gradient.any()
    assert not kl(tau).hessian_product(z, y, v).any()


@pytest.mark.parametrize("loss", [kl(), cross_entropy()], ids=["kl", "cross entropy"])
def test_extreme_logits_give_finite_losses_and_gradients(loss: Loss) -> None:
    z = torch.tensor([[1e3, -1e3, 0.0], [-1e3, 1e3, 0.0]], dtype=torch.float64)
    y = z.flip(0) if loss.targets == "logits" else torch.tensor([1, 0])
    values, gradient = loss.value_and_gradient(z, y)
    assert values.tolist() == [2e3, 2e3]
    assert gradient.tolist() == [[1, -1, 0], [-1, 1, 0]]


@pytest.mark.parametrize("name", ["kl", "squared_error", "sampled_cross_entropy"])
def test_a_distillation_loss_is_found_by_its_name(name: str) -> None:
    loss = distillation_loss(name, temperature=2.0)
    assert loss.name == name
    assert loss.temperature == (1.0 if name == "squared_error" else 2.0)
    assert loss.targets == ("labels" if name == "sampled_cross_entropy" else "logits")


def test_another_distillation_loss_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^loss: expected 'kl', .*, got 'mse'$"):
        distillation_loss("mse")


# Sampled labels.


def assert_frequencies_match(labels: Tensor, p: Tensor) -> None:
    """Hold the counts of the labels of one distribution against binomial z-bounds."""
    n = len(labels)
    counts = torch.bincount(labels, minlength=len(p)).double()
    assert_within_z(counts, n * p, (n * p * (1 - p)).sqrt())


@pytest.mark.parametrize("tau", [0.5, 1.0, 3.0])
def test_sampled_labels_have_the_frequencies_of_the_softmax_at_the_temperature(tau: float) -> None:
    row = drawn(kl(), 0, 1, 6)[0][0]
    labels = sample_labels(row.expand(SAMPLE, 6), generator(0, "tests", "sampling"), temperature=tau)
    assert_frequencies_match(labels, torch.softmax(row / tau, 0))
    with pytest.raises(AssertionError):
        assert_frequencies_match(labels, torch.softmax(row / (1.1 * tau), 0))
    with pytest.raises(AssertionError):
        assert_frequencies_match(labels, torch.softmax(row * tau * 1.1, 0).flip(0))


@given(SEEDS, st.integers(0, 9), st.integers(0, 9), st.integers(1, 6))
def test_labels_of_a_prefix_are_a_prefix_of_the_labels(seed: int, n: int, more: int, k: int) -> None:
    logits = drawn(kl(), seed, n + more, k)[0]

    def sample(rows: Tensor) -> Tensor:
        return sample_labels(rows, generator(seed, "tests", "labels"), temperature=1.0)

    assert torch.equal(sample(logits[:n]), sample(logits)[:n])
    rng = generator(seed, "tests", "labels")
    parts = [sample_labels(rows, rng, temperature=1.0) for rows in (logits[:n], logits[n:])]
    assert torch.equal(torch.cat(parts), sample(logits))


def test_a_certain_label_is_always_drawn_and_an_impossible_one_never() -> None:
    logits = torch.tensor([-1e4, 0.0, -1e4]).expand(SAMPLE, 3)
    assert sample_labels(logits, generator(0, "tests"), temperature=1.0).eq(1).all()


def test_a_draw_at_the_very_end_stays_inside_the_labels() -> None:
    class Top(np.random.Generator):
        def random(self, *_args: object, **_kwargs: object) -> np.ndarray:  # type: ignore[override]
            return np.full((50, 1), np.nextafter(1.0, 0.0))

    logits = drawn(kl(), 1, 50, 13)[0]
    labels = sample_labels(logits, Top(np.random.SFC64(0)), temperature=1.0)
    assert int(labels.max()) <= 12


@given(SEEDS, st.integers(2, 6), TEMPERATURES)
def test_the_expected_gradient_on_sampled_labels_is_that_of_kl(seed: int, k: int, tau: float) -> None:
    z, y, v = drawn(kl(tau), seed, 4, k)
    p, expected = torch.softmax(y / tau, -1), torch.zeros_like(z)
    loss = sampled_cross_entropy(tau)
    for label in range(k):
        labels = torch.full((4,), label)
        expected += p[:, label, None] * loss.output_gradient(z, labels)
    assert_close(expected, kl(tau).output_gradient(z, y), FP64_FORMULA)
    assert_close(loss.hessian_product(z, labels, v), kl(tau).hessian_product(z, y, v), FP64_FORMULA)


def test_the_mean_gradient_on_many_sampled_labels_is_that_of_kl() -> None:
    tau = 2.0
    z, y, _ = drawn(kl(tau), 0, 1, 5)
    labels = sample_labels(y.expand(SAMPLE, 5), generator(0, "tests", "mean"), temperature=tau)
    gradients = sampled_cross_entropy(tau).output_gradient(z.expand(SAMPLE, 5), labels)
    error = gradients.std(0) / SAMPLE**0.5
    assert_within_z(gradients.mean(0), kl(tau).output_gradient(z, y)[0], error)
    with pytest.raises(AssertionError):
        assert_within_z(gradients.mean(0), tau * kl(tau).output_gradient(z, y)[0], error)


@pytest.mark.parametrize("name", LOSSES)
@given(SEEDS, st.floats(0.01, 100))
def test_a_scaled_loss_is_scaled_in_value_gradient_and_hessian(name: str, seed: int, factor: float) -> None:
    loss = LOSSES[name](1.5)
    z, y, v = drawn(loss, seed, 3, 4)
    ours = scaled(loss, factor)
    for found, plain in zip(ours.value_and_gradient(z, y), loss.value_and_gradient(z, y), strict=True):
        assert_close(found / factor, plain, FP64_FORMULA)
    assert_close(ours.hessian_product(z, y, v) / factor, loss.hessian_product(z, y, v), FP64_FORMULA)
    assert_close(ours.mean(z, y) / factor, loss.mean(z, y), FP64_FORMULA)


@pytest.mark.parametrize("name", LOSSES)
def test_a_scaled_loss_is_told_from_the_loss_and_from_other_multiples(name: str) -> None:
    loss = LOSSES[name](1.5)
    assert len({loss.name, scaled(loss, 2.0).name, scaled(loss, 3.0).name}) == 3
