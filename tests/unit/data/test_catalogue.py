from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from subtx_toy import data
from subtx_toy.data import catalogue
from subtx_toy.data.published_sets import FASHION, MNIST
from subtx_toy.errors import DataError
from subtx_toy.settings.datasets import DATASETS

if TYPE_CHECKING:
    from tests.unit.data.conftest import Tiny


@pytest.fixture(autouse=True)
def tiny_is_called_mnist(tiny: Tiny, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(catalogue._PUBLISHED, "mnist", tiny.spec)


@pytest.mark.parametrize(
    ("name", "hint"), [("minst", "; did you mean 'mnist'?"), ("MNIST", "; did you mean 'mnist'?"), ("x", "")]
)
def test_an_unknown_name_lists_the_names_and_the_nearest(name: str, hint: str) -> None:
    for function in (data.load, data.fetch, catalogue.place):
        with pytest.raises(DataError) as caught:
            function(name)
        assert str(caught.value) == f"data set: expected one of glyphs, mnist, fashion, got {name!r}{hint}"


def test_the_settings_name_the_data_sets_of_the_catalogue() -> None:
    assert set(DATASETS) == set(catalogue.available())


def test_the_first_so_many_are_loaded(tiny: Tiny) -> None:
    some = data.load("mnist", num_train=7, num_test=3)
    assert some.name == "mnist"
    assert some.train_images.tobytes() == tiny.contents["train-images-idx3-ubyte"][16 : 16 + 7 * 784]
    assert some.test_labels.shape == (3,)


def test_more_than_there_is_names_the_field() -> None:
    with pytest.raises(DataError, match=r"^num_test: expected an integer from 1 to 20 \(all that mnist has\), got 21$"):
        data.load("mnist", num_test=21)


def test_a_published_set_cannot_be_fetched_in_part() -> None:
    with pytest.raises(DataError, match="num_train: expected no number for mnist, which is kept whole, got 5"):
        data.fetch("mnist", num_train=5)


def test_entries_tell_cached_from_damaged_from_absent(tiny: Tiny, cache_dir: Path) -> None:
    assert {entry.state for entry in catalogue.entries()} == {"not cached"}
    assert not cache_dir.exists()
    sha256 = data.load("mnist").sha256
    drawn = data.load("glyphs", num_train=20, num_test=10)
    found = {(entry.name, entry.num_train): (entry.state, entry.sha256) for entry in catalogue.entries()}
    assert found == {
        ("glyphs", 20): ("cached", drawn.sha256),
        ("glyphs", 60_000): ("not cached", None),
        ("mnist", 30): ("cached", sha256),
        ("fashion", 60_000): ("not cached", None),
    }
    (cache_dir / "mnist" / "t10k-labels-idx1-ubyte").write_bytes(b"x")
    states = {entry.name: entry.state for entry in catalogue.entries()}
    assert states["mnist"] == "damaged"


def test_the_two_published_sets_have_the_same_shapes_and_different_content() -> None:
    assert [file.shape for file in MNIST.files] == [file.shape for file in FASHION.files]
    assert len({file.sha256 for file in (*MNIST.files, *FASHION.files)}) == 8
    assert MNIST.files[0].size == 47_040_016  # bytes of the published file
