"""A folder of the user's own has to be right, or the user is told what is wrong."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from subtx_toy.data import catalogue
from subtx_toy.errors import DataError

if TYPE_CHECKING:
    from tests.unit.data.conftest import Tiny

TRAIN_IMAGES, TRAIN_LABELS, TEST_IMAGES, TEST_LABELS = (
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
)


@pytest.fixture(autouse=True)
def tiny_is_called_mnist(tiny: Tiny, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(catalogue._PUBLISHED, "mnist", tiny.spec)


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("below", [".", "mnist"])
def test_raw_and_packed_files_are_found_in_the_folder_and_below(
    tiny: Tiny, tmp_path: Path, cache_dir: Path, packed: bool, below: str
) -> None:
    tiny.write(tmp_path / "own" / below, packed=packed)
    loaded = catalogue.load("mnist", data_dir=tmp_path / "own")
    assert loaded.train_images.tobytes() == tiny.contents[TRAIN_IMAGES][16:]
    assert loaded.test_labels.tobytes() == tiny.contents[TEST_LABELS][8:]
    assert loaded.sha256 == catalogue.load("mnist").sha256
    assert tiny.asked == ["somewhere"]  # by the second load only
    assert isinstance(loaded.train_images, np.memmap) is not packed


def test_the_spelling_with_a_dot_is_understood(tiny: Tiny, tmp_path: Path) -> None:
    own = tiny.write(tmp_path / "own")
    (own / TRAIN_IMAGES).rename(own / "train-images.idx3-ubyte")
    catalogue.load("mnist", data_dir=own)
    assert tiny.asked == []


def test_the_environment_names_a_folder_too(tiny: Tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SUBTX_TOY_DATA", str(tiny.write(tmp_path / "own")))
    catalogue.load("mnist")
    assert tiny.asked == []


def test_reading_the_users_folder_writes_nothing(tiny: Tiny, tmp_path: Path, cache_dir: Path) -> None:
    catalogue.load("mnist", data_dir=tiny.write(tmp_path / "own"))
    assert not cache_dir.exists()


def test_fetch_copies_the_users_files_into_the_cache(tiny: Tiny, tmp_path: Path, cache_dir: Path) -> None:
    assert catalogue.fetch("mnist", data_dir=tiny.write(tmp_path / "own", packed=True)) == cache_dir / "mnist"
    assert {path.name: path.read_bytes() for path in (cache_dir / "mnist").iterdir()} == tiny.contents
    assert tiny.asked == []


def test_a_folder_without_any_of_the_files_is_passed_over_aloud(tiny: Tiny, tmp_path: Path) -> None:
    said: list[str] = []
    catalogue.load("mnist", data_dir=tmp_path, report=said.append)
    assert f"mnist: {tmp_path} holds none of its files" in said
    assert tiny.asked == ["somewhere"]


def refused(own: Path, tiny: Tiny, cache_dir: Path) -> tuple[str, ...]:
    """Load from ``own``, which has to fail without a look elsewhere; return the problems."""
    catalogue.fetch("mnist")  # the cache has a right copy, which must not be used instead
    tiny.asked.clear()
    with pytest.raises(DataError) as caught:
        catalogue.load("mnist", data_dir=own)
    assert tiny.asked == []
    assert [path.name for path in cache_dir.iterdir()] == ["mnist"]
    return caught.value.problems


def test_a_missing_folder_is_refused(tiny: Tiny, tmp_path: Path, cache_dir: Path) -> None:
    problems = refused(tmp_path / "nowhere", tiny, cache_dir)
    assert problems == (f"data_dir: expected a folder with IDX files, got {tmp_path / 'nowhere'}",)


def test_an_incomplete_folder_is_refused(tiny: Tiny, tmp_path: Path, cache_dir: Path) -> None:
    own = tiny.write(tmp_path / "own")
    (own / TEST_LABELS).unlink()
    assert refused(own, tiny, cache_dir) == (f"{own}: expected {TEST_LABELS} or {TEST_LABELS}.gz, got neither",)


def test_every_wrong_file_is_reported_at_once(tiny: Tiny, tmp_path: Path, cache_dir: Path) -> None:
    images = tiny.contents[TRAIN_IMAGES]
    corrupt = images[:100] + bytes([images[100] ^ 1]) + images[101:]
    own = tiny.write(
        tmp_path / "own",
        changed={TRAIN_IMAGES: corrupt, TEST_IMAGES: tiny.contents[TEST_IMAGES][:-5], TEST_LABELS: b""},
    )
    first, second, third = refused(own, tiny, cache_dir)
    assert first.startswith(f"{own / TRAIN_IMAGES}: expected content with sha256")
    assert second.startswith(f"{own / TEST_IMAGES}: expected 15696 bytes, got 15691 (truncated)")
    assert third.startswith(f"{own / TEST_LABELS}: expected 28 bytes")


@pytest.mark.parametrize(("one", "other"), [(TRAIN_IMAGES, TRAIN_LABELS), (TRAIN_IMAGES, TEST_IMAGES)])
def test_exchanged_files_are_recognised(tiny: Tiny, tmp_path: Path, cache_dir: Path, one: str, other: str) -> None:
    own = tiny.write(tmp_path / "own", changed={one: tiny.contents[other], other: tiny.contents[one]})
    problems = refused(own, tiny, cache_dir)
    assert len(problems) == 2
    assert all("files exchanged?" in problem for problem in problems)


@pytest.mark.parametrize("damage", ["cut", "flip", "not gzip"])
def test_a_damaged_gzip_file_is_refused(tiny: Tiny, tmp_path: Path, cache_dir: Path, damage: str) -> None:
    own = tiny.write(tmp_path / "own", packed=True)
    path = own / f"{TRAIN_IMAGES}.gz"
    good = path.read_bytes()
    middle = len(good) // 2
    bad = {
        "cut": good[:middle],
        "flip": good[:middle] + bytes([good[middle] ^ 0xFF]) + good[middle + 1 :],
        "not gzip": gzip.decompress(good),
    }
    path.write_bytes(bad[damage])
    (problem,) = refused(own, tiny, cache_dir)
    assert problem.startswith(f"{path}: expected 23536 bytes of {TRAIN_IMAGES}, got: ")


def test_a_gzip_file_of_another_length_is_refused(tiny: Tiny, tmp_path: Path, cache_dir: Path) -> None:
    own = tiny.write(tmp_path / "own", packed=True, changed={TRAIN_LABELS: tiny.contents[TRAIN_LABELS] + bytes(10**6)})
    (problem,) = refused(own, tiny, cache_dir)
    assert problem == f"{own / TRAIN_LABELS}.gz: expected 38 bytes, got 39 (too long)"
