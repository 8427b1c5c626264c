from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from subtx_toy.data.noise import blur_map, draw_noise, grey_noise, grey_pixels, pixels, restored, subspace_map
from subtx_toy.seeding import generator
from subtx_toy.tolerances import FP32_ROUNDING, FP64_FORMULA
from tests.reference.closeness import assert_close, assert_within_z

DTYPES = {torch.float32: FP32_ROUNDING, torch.float64: FP64_FORMULA}
SAMPLE = (1_000, 50)


@pytest.mark.parametrize("dtype", DTYPES)
def test_every_grey_level_is_mapped_to_its_place_between_minus_one_and_one(dtype: torch.dtype) -> None:
    levels = np.arange(256, dtype=np.uint8).reshape(4, 8, 8)
    x = pixels(levels, torch.empty(4, 64, dtype=dtype))
    by_hand = torch.tensor([2 * u / 255 - 1 for u in range(256)], dtype=torch.float64)
    assert x.dtype == dtype
    assert float(x.min()) == -1.0
    assert_close(x.flatten(), by_hand, DTYPES[dtype])


def test_pixels_are_written_to_the_buffer_given_row_by_row() -> None:
    images = generator(0, "tests", "pixels").integers(256, size=(3, 2, 5)).astype(np.uint8)
    out = torch.empty(3, 10)
    assert pixels(images, out).data_ptr() == out.data_ptr()
    for image, row in zip(images, out, strict=True):
        assert_close(row, torch.tensor(image.flatten() * (2 / 255) - 1), FP32_ROUNDING)


def test_pixels_leaves_the_images_as_they_are() -> None:
    images = np.full((1, 2, 2), 7, dtype=np.uint8)
    images.flags.writeable = False
    pixels(images, torch.empty(1, 4))
    assert (images == 7).all()


# Mean, variance and variance of the square of one pixel.
LAWS = {"uniform": (1 / 3, 1 / 5 - 1 / 9), "gaussian": (1.0, 2.0)}


@pytest.mark.parametrize("kind", LAWS)
def test_noise_has_the_moments_of_its_law_and_independent_pixels(kind: str) -> None:
    x = draw_noise(kind, generator(0, "tests", kind), torch.empty(SAMPLE, dtype=torch.float64))
    (variance, variance_of_square), n = LAWS[kind], x.numel()
    assert_within_z(x.mean(), 0.0, (variance / n) ** 0.5)
    assert_within_z((x**2).mean(), variance, (variance_of_square / n) ** 0.5)
    neighbours = x[:, 1:] * x[:, :-1]
    assert_within_z(neighbours.mean(), 0.0, variance / neighbours.numel() ** 0.5)
    images = x[1:] * x[:-1]
    assert_within_z(images.mean(), 0.0, variance / images.numel() ** 0.5)


def test_grey_noise_is_the_uniform_noise_of_the_same_stream_rounded_to_the_middles_of_256_cells() -> None:
    rows = 4096 + 3  # more than are drawn at a time
    levels = grey_noise(generator(0, "tests", "grid"), rows, 5)
    x = grey_pixels(levels, torch.empty(rows, 5))
    noise = draw_noise("uniform", generator(0, "tests", "grid"), torch.empty(rows, 5))
    assert float((x - noise).abs().max()) <= 1 / 256 + 1e-6
    assert torch.equal(torch.from_numpy(levels).float(), torch.floor((noise + 1) * 128).clamp(0, 255))
    assert sorted(set(levels.flatten().tolist())) == list(range(256))


def test_every_grey_level_of_noise_is_a_bfloat16_number() -> None:
    levels = np.arange(256, dtype=np.uint8).reshape(4, 8, 8)
    x = grey_pixels(levels, torch.empty(4, 64))
    assert x.flatten().tolist() == [(2 * u - 255) / 256 for u in range(256)]
    assert torch.equal(x.bfloat16().float(), x)
    images = pixels(levels, torch.empty(4, 64))
    assert not torch.equal(images.bfloat16().float(), images)


def test_uniform_noise_stays_within_minus_one_and_one() -> None:
    x = draw_noise("uniform", generator(0, "tests", "range"), torch.empty(SAMPLE))
    assert float(x.min()) >= -1
    assert float(x.max()) < 1


@pytest.mark.parametrize("kind", LAWS)
@given(seed=st.integers(0, 10**6), n=st.integers(0, 5), d=st.integers(1, 5))
def test_two_precisions_and_any_layout_see_the_same_images(kind: str, seed: int, n: int, d: int) -> None:
    def draw(out: torch.Tensor) -> torch.Tensor:
        returned = draw_noise(kind, generator(seed, "tests"), out)
        assert returned.data_ptr() == out.data_ptr()
        return returned

    single = draw(torch.empty(n, d))
    double = draw(torch.empty(n, d, dtype=torch.float64))
    strided = draw(torch.empty(n, 2 * d)[:, ::2])
    assert torch.equal(double, single.double())
    assert torch.equal(strided, single)


def test_consecutive_draws_continue_one_stream() -> None:
    rng = generator(1, "tests")
    parts = torch.cat([draw_noise("uniform", rng, torch.empty(num, 4)) for num in (3, 2)])
    assert torch.equal(parts, draw_noise("uniform", generator(1, "tests"), torch.empty(5, 4)))


def test_another_kind_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^inputs: expected 'uniform' or 'gaussian', got 'images'$"):
        draw_noise("images", generator(0), torch.empty(1, 1))


@pytest.mark.parametrize("sd", [0.5, 1.0, 2.0])
def test_the_blur_is_a_convolution_with_a_reflected_border(sd: float) -> None:
    height, width = 9, 11
    image = generator(0, "tests", "blur").standard_normal((height, width))
    radius = int(3 * sd + 0.5)
    at = np.arange(-radius, radius + 1)
    kernel = np.exp(-(at[:, None] ** 2 + at[None, :] ** 2) / (2 * sd**2))
    kernel /= kernel.sum()
    padded = np.pad(image, radius, mode="reflect")
    by_hand = [
        [
            np.sum(padded[row : row + 2 * radius + 1, column : column + 2 * radius + 1] * kernel)
            for column in range(width)
        ]
        for row in range(height)
    ]
    ours = image.ravel() @ blur_map((height, width), sd)
    assert_close(torch.tensor(ours), torch.tensor(by_hand).flatten(), FP64_FORMULA)


@given(seed=st.integers(0, 2**40), dim=st.integers(0, 12))
def test_a_subspace_map_is_an_orthogonal_projection_of_that_rank(seed: int, dim: int) -> None:
    found = torch.tensor(subspace_map(12, dim, generator(seed, "tests", "subspace")))
    assert_close(found @ found, found, FP64_FORMULA)
    assert_close(found.T, found, FP64_FORMULA)
    assert_close(found.trace(), torch.tensor(float(dim)).double(), FP64_FORMULA)


def test_a_subspace_larger_than_the_image_is_refused() -> None:
    with pytest.raises(ValueError, match="noise_dim: expected at most 12"):
        subspace_map(12, 13, generator(0, "tests", "subspace"))


def test_a_restored_map_keeps_the_mean_variance_of_independent_pixels() -> None:
    found = restored(blur_map((5, 6), 1.5))
    assert float(np.square(found).sum(axis=0).mean()) == pytest.approx(1.0, rel=FP64_FORMULA)
