from __future__ import annotations

from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from subtx_toy.data.noise import blur_map, draw_noise
from subtx_toy.seeding import generator
from subtx_toy.tolerances import FP32_ROUNDING, FP64_FORMULA
from subtx_toy.training.inputs import (
    FreshNoise,
    ImageInputs,
    InputPool,
    Inputs,
    PoolSettings,
    batches,
    distillation_inputs,
    shuffled_batches,
)
from tests.reference.closeness import assert_close, assert_within_z

DTYPES = {torch.float32: FP32_ROUNDING, torch.float64: FP64_FORMULA}
SEEDS = st.integers(0, 10**6)


def pictures(num: int) -> np.ndarray:
    return generator(0, "tests", "pictures").integers(256, size=(num, 4, 3)).astype(np.uint8)


def every_kind(dtype: torch.dtype, *, seed: int = 1, num: int = 10) -> list[Inputs]:
    rng = generator(seed, "tests", "inputs")
    return [
        ImageInputs(pictures(num), dtype=dtype),
        InputPool(draw_noise("uniform", rng, torch.empty(num, 12, dtype=dtype))),
        FreshNoise(partial(draw_noise, "gaussian"), num, 12, rng, dtype=dtype),
    ]


@pytest.mark.parametrize("dtype", DTYPES)
@given(index=st.lists(st.integers(0, 9), max_size=30))
def test_images_are_gathered_and_scaled_in_the_order_asked_for(dtype: torch.dtype, index: list[int]) -> None:
    x = ImageInputs(pictures(10), dtype=dtype).gather(np.array(index, dtype=np.int64))
    by_hand = torch.tensor(pictures(10).reshape(10, 12)[index] / 255 * 2 - 1)
    assert x.dtype == dtype
    assert_close(x, by_hand, DTYPES[dtype])


@pytest.mark.parametrize("dtype", DTYPES)
@given(seed=SEEDS, index=st.lists(st.integers(0, 9), max_size=30))
def test_a_pool_is_one_draw_read_in_the_order_asked_for(dtype: torch.dtype, seed: int, index: list[int]) -> None:
    drawn = draw_noise("uniform", generator(seed, "tests"), torch.empty(10, 12, dtype=dtype))
    pool, at = InputPool(drawn.clone()), np.array(index, dtype=np.int64)
    assert torch.equal(pool.gather(at), drawn[index])
    assert torch.equal(pool.gather(at), drawn[index])


def test_fresh_noise_continues_its_stream_and_never_repeats() -> None:
    source = FreshNoise(partial(draw_noise, "uniform"), 10, 12, generator(3, "tests"), dtype=torch.float64)
    index = np.arange(4)
    twice = torch.cat([source.gather(index).clone(), source.gather(index).clone()])
    assert torch.equal(twice, draw_noise("uniform", generator(3, "tests"), torch.empty(8, 12).double()))
    assert len({tuple(row.tolist()) for row in twice}) == 8


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("which", [0, 1, 2])
def test_a_larger_batch_after_a_smaller_one_and_none_at_all_are_served(dtype: torch.dtype, which: int) -> None:
    source = every_kind(dtype)[which]
    assert (source.num, source.dim) == (10, 12)
    for num in (3, 10, 0, 7):
        x = source.gather(np.arange(num))
        assert x.shape == (num, 12)
        assert x.dtype == dtype
        assert torch.isfinite(x).all()


@pytest.mark.parametrize("which", [0, 1])
def test_writing_to_a_batch_does_not_change_the_source(which: int) -> None:
    source = every_kind(torch.float64)[which]
    index = np.arange(10)
    before = source.gather(index).clone()
    source.gather(index).zero_()
    assert torch.equal(source.gather(index), before)


def gathered(config: PoolSettings) -> tuple[Inputs, Tensor]:
    source = distillation_inputs(config, pictures(20), seed=5, dtype=torch.float64)
    return source, source.gather(np.arange(config.num_inputs)).clone()


@pytest.mark.parametrize(("kind", "pool"), [("uniform", "fixed"), ("gaussian", "fixed"), ("uniform", "fresh")])
def test_noise_of_the_configured_kind_comes_from_the_stream_given(kind: str, pool: str) -> None:
    config = PoolSettings(inputs=kind, input_pool=pool, num_inputs=8)
    source, x = gathered(config)
    assert (source.num, source.dim) == (8, 12)
    assert torch.equal(x, draw_noise(kind, generator(5, "inputs"), torch.empty(8, 12).double()))
    again = source.gather(np.arange(8))
    assert torch.equal(again, x) == (pool == "fixed")


def test_distillation_on_images_takes_the_first_training_images() -> None:
    source, x = gathered(PoolSettings(inputs="images", num_inputs=8))
    assert (source.num, source.dim) == (8, 12)
    assert_close(x, torch.tensor(pictures(20)[:8].reshape(8, 12) / 255 * 2 - 1), FP64_FORMULA)


@pytest.mark.parametrize("kind", ["shuffled_images", "permuted_images"])
def test_reordered_images_keep_every_images_pixels(kind: str) -> None:
    source, x = gathered(PoolSettings(inputs=kind, num_inputs=8))
    images = torch.tensor(pictures(20)[:8].reshape(8, 12) / 255 * 2 - 1)
    assert_close(x.sort(dim=1).values, images.sort(dim=1).values, FP64_FORMULA)
    assert not torch.allclose(x, images)
    assert torch.equal(source.gather(np.arange(8)), x)  # one order for all epochs


def test_permuted_images_share_one_order_and_shuffled_ones_do_not() -> None:
    same = np.tile(np.arange(12, dtype=np.uint8).reshape(1, 3, 4), (8, 1, 1))
    shared = {}
    for kind in ("shuffled_images", "permuted_images"):
        config = PoolSettings(inputs=kind, num_inputs=8)
        x = distillation_inputs(config, same, seed=5, dtype=torch.float64).gather(np.arange(8))
        shared[kind] = bool((x == x[0]).all())
    assert shared == {"shuffled_images": False, "permuted_images": True}


def test_added_noise_stays_within_its_bounds_and_is_not_shared_between_pixels() -> None:
    base = PoolSettings(inputs="images", num_inputs=8)
    (_, plain), (_, noisy) = gathered(base), gathered(replace(base, added_noise=0.25))
    added = noisy - plain
    assert float(added.abs().max()) <= 0.25
    assert len(torch.unique(added)) == added.numel()


def test_the_limit_cuts_noise_off_and_changes_nothing_within() -> None:
    base = PoolSettings(inputs="gaussian", num_inputs=50)
    (_, free), (_, cut) = gathered(base), gathered(replace(base, noise_limit=1.0))
    assert torch.equal(cut, free.clamp(-1, 1))
    assert (cut != free).any()


@pytest.mark.parametrize("pool", ["fixed", "fresh"])
def test_projected_noise_lies_in_a_subspace_and_keeps_its_contrast_where_asked(pool: str) -> None:
    base = PoolSettings(inputs="gaussian", num_inputs=2_000, input_pool=pool)
    for contrast, variance in (("restored", 1.0), ("kept", 3 / 12)):
        _, x = gathered(replace(base, noise_dim=3, noise_contrast=contrast))
        assert int(torch.linalg.matrix_rank(x, tol=1e-8)) == 3
        # chi-squared with 3 x 2,000 degrees of freedom, spread over 12 pixels
        assert_within_z(x.square().mean(), variance, variance * (2 / 6_000) ** 0.5)


def test_blurred_noise_is_the_pool_put_through_the_blur() -> None:
    base = PoolSettings(inputs="uniform", num_inputs=9, noise_contrast="kept")
    (_, plain), (_, blurred) = gathered(base), gathered(replace(base, noise_blur=1.0))
    assert_close(blurred, plain @ torch.tensor(blur_map((4, 3), 1.0)), FP64_FORMULA)


@given(st.integers(0, 60), st.integers(1, 20))
def test_batches_are_the_indices_in_order(num: int, batch_size: int) -> None:
    cut = list(batches(num, batch_size))
    assert [int(at) for index in cut for at in index] == list(range(num))
    assert all(len(index) == batch_size for index in cut[:-1])
    assert all(1 <= len(index) <= batch_size for index in cut)


@given(SEEDS, st.integers(0, 60), st.integers(1, 20))
def test_an_epoch_holds_every_index_once_in_an_order_of_its_own(seed: int, num: int, batch_size: int) -> None:
    rng = generator(seed, "tests", "order")
    epochs = [list(shuffled_batches(num, batch_size, rng)) for _ in range(2)]
    for epoch in epochs:
        assert [len(index) for index in epoch] == [len(index) for index in batches(num, batch_size)]
        assert sorted(int(at) for index in epoch for at in index) == list(range(num))
    if num >= 20:  # two orders agree with probability 1/20! or less
        assert any((a != b).any() for a, b in zip(*epochs, strict=True))


@given(SEEDS, st.integers(1, 60), st.integers(1, 20), st.integers(1, 20))
def test_the_order_does_not_depend_on_the_batch_size(seed: int, num: int, one: int, other: int) -> None:
    ours, theirs = (
        np.concatenate(list(shuffled_batches(num, size, generator(seed, "tests")))) for size in (one, other)
    )
    np.testing.assert_array_equal(ours, theirs)
