"""Glyphs are the same for everyone, a small set is the start of a large one, and test fonts are unseen."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from subtx_toy.data import catalogue, drawn, glyphs, warp
from subtx_toy.errors import DataError
from subtx_toy.seeding import generator


def test_test_fonts_are_never_seen_in_training() -> None:
    assert not set(glyphs.TRAIN_FONTS) & set(glyphs.TEST_FONTS)
    assert len({*glyphs.TRAIN_FONTS, *glyphs.TEST_FONTS}) == 22
    families = {"DejaVuSans-", "DejaVuSansMono", "DejaVuSerif", "STIX", "cm"}
    assert all(any(font.startswith(family) for font in glyphs.TEST_FONTS) for family in families)


def test_each_split_is_drawn_with_its_own_fonts(monkeypatch: pytest.MonkeyPatch) -> None:
    used: list[str] = []
    original = glyphs.outlines

    def watched(font: str) -> tuple[np.ndarray, float]:
        used.append(font)
        return original(font)

    monkeypatch.setattr(glyphs, "outlines", watched)
    glyphs._outlines.cache_clear()
    glyphs.render("test", 1)
    assert tuple(used) == glyphs.TEST_FONTS


@pytest.mark.parametrize("font", [*glyphs.TRAIN_FONTS, *glyphs.TEST_FONTS])
def test_every_font_has_ten_different_digits(font: str) -> None:
    fields, half_stroke = glyphs.outlines(font)
    assert len({(field > 0).tobytes() for field in fields}) == 10
    assert 0.5 < half_stroke < 4  # pixels
    assert (fields[:, [0, -1]] < 0).all()  # no digit touches the edge of its canvas
    assert (fields[:, :, [0, -1]] < 0).all()


def test_distance_to_the_outline_changes_by_one_a_pixel() -> None:
    fields, _ = glyphs.outlines("DejaVuSans")
    step = np.abs(np.diff(fields, axis=1)) * glyphs.OVERSAMPLE
    # 2 across an outline, where the distance to the other side jumps from -1 to 1 sample
    assert step.max() <= 2 + 1e-5


@pytest.mark.parametrize("split", ["train", "test"])
def test_a_smaller_set_is_the_start_of_a_larger_one(split: str) -> None:
    images, labels = glyphs.render(split, 1100)
    for count in (1, 499, 501):
        few_images, few_labels = glyphs.render(split, count)
        np.testing.assert_array_equal(few_images, images[:count])
        np.testing.assert_array_equal(few_labels, labels[:count])


def test_chunks_and_splits_differ() -> None:
    images, labels = glyphs.render("train", 1000)
    assert (images[:500] != images[500:]).any(axis=(1, 2)).all()
    assert (labels[:500] != labels[500:]).any()
    assert (glyphs.render("test", 500)[0] != images[:500]).any(axis=(1, 2)).all()


def test_labels_are_balanced_and_shuffled() -> None:
    _, labels = glyphs.render("train", 1000)
    for start in range(0, 1000, 100):
        np.testing.assert_array_equal(np.bincount(labels[start : start + 100]), np.full(10, 10))
    assert len({labels[start : start + 100].tobytes() for start in range(0, 1000, 100)}) == 10


def test_nearest_mean_image_finds_most_labels() -> None:
    """The labels belong to the images: a tenth would be right by chance."""
    images, labels = glyphs.render("train", 2000)
    means = np.stack([images[labels == digit].mean(axis=0) for digit in range(10)])
    test_images, test_labels = glyphs.render("test", 500)
    distances = ((test_images[:, None] - means) ** 2).sum(axis=(2, 3))
    assert (distances.argmin(axis=1) == test_labels).mean() > 0.4  # .56 when written


def test_an_undistorted_look_is_the_identity_and_a_quarter_turn_turns() -> None:
    still: dict[str, np.ndarray] = {
        "angle": np.zeros(1),
        "scale": np.ones(1),
        "shear": np.zeros(1),
        "shift": np.zeros((1, 2)),
        "elastic": np.zeros((1, 2, 28, 28), np.float32),
    }
    image = generator(0, "tests", "warp").random((1, 28, 28), np.float32)
    which = np.zeros(1, np.int64)
    looks = warp.sample_points(**still) + np.float32(13.5)
    np.testing.assert_allclose(warp.bilinear(image, which, looks), image, atol=2e-3)  # edge held 1e-3 inside
    turned = warp.sample_points(**{**still, "angle": np.full(1, np.pi / 2)}) + np.float32(13.5)
    np.testing.assert_allclose(warp.bilinear(image, which, turned)[0], np.rot90(image[0]), atol=2e-3)
    moved = warp.sample_points(**{**still, "shift": np.array([[2.0, -3.0]])}) + np.float32(13.5)
    np.testing.assert_allclose(warp.bilinear(image, which, moved)[0, 2:-1, 1:-3], image[0, :-3, 4:], atol=2e-3)


def test_blur_keeps_the_ink_and_spreads_it_by_sigma() -> None:
    point = np.zeros((2, 28, 28), np.float32)
    point[:, 14, 14] = 1
    blurred = warp.gaussian_blur(point, np.array([0.0, 0.9]))
    np.testing.assert_array_equal(blurred[0], point[0])
    assert blurred[1].sum() == pytest.approx(1, abs=1e-6)
    spread = (blurred[1].sum(axis=1) * (np.arange(28) - 14) ** 2).sum()
    assert spread == pytest.approx(0.81, rel=0.02)  # the kernel ends at 3.3 sigma


def test_elastic_field_has_unit_variance_everywhere() -> None:
    knots = generator(0, "tests", "elastic").standard_normal((4000, 2, warp.KNOTS, warp.KNOTS), np.float32)
    deviation = warp.elastic_field(knots).std(axis=0)
    np.testing.assert_allclose(deviation, 1, atol=5 / np.sqrt(2 * 4000))  # five standard errors


def test_loading_twice_draws_once(cache_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    calls: list[tuple[str, int, int | None, str]] = []
    first = catalogue.load(
        "glyphs", num_train=60, num_test=40, report=said.append, progress=lambda *call: calls.append(call)
    )
    monkeypatch.setattr(glyphs, "render", lambda *_args, **_options: pytest.fail("drawn again"))
    again = catalogue.load("glyphs", num_train=60, num_test=40)
    assert said == ["glyphs: drawing 60 training and 40 test images from matplotlib's fonts"]
    assert calls[-1] == ("glyphs", 100, 100, "images")
    assert first.sha256 == again.sha256
    assert isinstance(again.train_images, np.memmap)
    assert not again.train_images.flags.writeable
    assert again.train_images.shape == (60, 28, 28)
    assert again.test_labels.shape == (40,)


@pytest.mark.parametrize("broken", ["manifest.json", "t10k-labels-idx1-ubyte"])
def test_a_damaged_folder_is_drawn_again(cache_dir: Path, broken: str) -> None:
    good = catalogue.load("glyphs", num_train=20, num_test=10)
    (drawn.place(20, 10) / broken).write_bytes(b"{}")
    said: list[str] = []
    again = catalogue.load("glyphs", num_train=20, num_test=10, report=said.append)
    assert again.sha256 == good.sha256
    assert broken in said[0]
    assert [path.name for path in (cache_dir / "glyphs").iterdir()] == [drawn.place(20, 10).name]


def test_another_version_of_a_library_has_a_folder_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    here = drawn.place(60, 40)
    assert drawn.place(61, 40) != here
    monkeypatch.setattr(drawn, "version", lambda _library: "0.0")
    assert drawn.place(60, 40) != here


def test_a_font_that_is_missing_is_named(cache_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(glyphs, "TEST_FONTS", ("NoSuchFont",))
    with pytest.raises(DataError, match=r"does not ship the font NoSuchFont\.ttf"):
        catalogue.load("glyphs", num_train=1, num_test=1)
    assert list((cache_dir / "glyphs").iterdir()) == []


def test_sizes_out_of_range_are_all_named() -> None:
    with pytest.raises(DataError) as caught:
        catalogue.load("glyphs", num_train=0, num_test=-3)
    assert caught.value.problems == (
        "num_train: expected an integer from 1 to 10000000, got 0",
        "num_test: expected an integer from 1 to 10000000, got -3",
    )
