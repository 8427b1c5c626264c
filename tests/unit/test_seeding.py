from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from subtx_toy.seeding import _words, generator
from tests.reference.closeness import assert_within_z

SEEDS = st.integers(0, 2**70)
LABELS = st.lists(st.text(max_size=4) | st.integers(-5, 5), max_size=3).map(tuple)
SAMPLE = 20_000


def first(seed: int, *labels: str | int) -> float:
    return float(generator(seed, *labels).random())


@given(SEEDS, LABELS)
def test_the_same_name_is_the_same_stream(seed: int, labels: tuple[str | int, ...]) -> None:
    assert (generator(seed, *labels).random(5) == generator(seed, *labels).random(5)).all()


@given(st.tuples(SEEDS, LABELS), st.tuples(SEEDS, LABELS))
def test_another_name_is_another_stream(
    one: tuple[int, tuple[str | int, ...]], other: tuple[int, tuple[str | int, ...]]
) -> None:
    # Equality of names with types: 1 and True do not occur, "1" and 1 differ as they should.
    assert (first(one[0], *one[1]) == first(other[0], *other[1])) == (one == other)


@pytest.mark.parametrize("zeros", [0, 4, 9])
def test_words_give_the_stream_of_the_integer_whatever_zeros_it_ends_in(zeros: int) -> None:
    digest = bytes(range(1, 33 - zeros)) + bytes(zeros)
    wanted = np.random.SeedSequence(int.from_bytes(digest, "little")).generate_state(4)
    assert (np.random.SeedSequence(_words(digest)).generate_state(4) == wanted).all()


def test_labels_are_told_apart_by_type_and_by_where_they_end() -> None:
    names: list[tuple[str | int, ...]] = [
        (),
        ("1",),
        (1,),
        ("a", "b"),
        ("ab",),
        ("a, b",),
        ("a', 'b",),
        ("b", "a"),
        ("a", ""),
        ("a",),
        (1, 2),
        (12,),
    ]
    values = [first(0, *name) for name in names]
    assert len(set(values)) == len(names)


def test_numpy_integers_name_the_same_stream_as_python_ones() -> None:
    assert first(int(np.int64(7)), "init") == first(7, "init")


def test_seeds_beyond_32_bits_are_streams_of_their_own_unlike_with_torch() -> None:
    def torch_first(seed: int) -> float:
        return float(torch.rand(1, generator=torch.Generator().manual_seed(seed)))

    assert torch_first(1) == torch_first(1 + 2**32)
    assert first(1, "init") != first(1 + 2**32, "init")


def test_a_negative_seed_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^seed: expected an integer >= 0, got -1$"):
        generator(-1, "init")


def test_streams_of_neighbouring_seeds_are_uniform_and_uncorrelated() -> None:
    draws = torch.tensor(np.array([generator(seed, "test").random(SAMPLE) for seed in range(8)]))
    assert_within_z(draws.mean(1), 0.5, (1 / 12 / SAMPLE) ** 0.5)
    correlations = torch.stack([torch.corrcoef(draws)[i, j] for i, j in itertools.combinations(range(8), 2)])
    assert_within_z(correlations, 0.0, SAMPLE**-0.5)


def test_the_first_numbers_of_consecutive_seeds_are_uniform() -> None:
    starts = torch.tensor([first(seed, "test") for seed in range(2_000)])
    assert_within_z(starts.mean(), 0.5, (1 / 12 / len(starts)) ** 0.5)


def test_the_streams_are_what_they_were_when_results_were_stored() -> None:
    # Change these only together with RESULTS_VERSION.
    assert generator(0, "init").integers(2**32, size=2).tolist() == [4026746808, 1523739091]
    assert generator(12, "labels", "aux").integers(2**32, size=2).tolist() == [2942688377, 1205889638]
