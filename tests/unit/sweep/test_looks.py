"""Stopping at planned looks, halving, shards: what is spent, what is kept, and what belongs together."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from subtx_toy.errors import InputError
from subtx_toy.stats import estimate
from subtx_toy.sweep.looks import Until, best, looks, rungs
from subtx_toy.sweep.shard import Shard
from subtx_toy.tolerances import Z_BOUND


def test_the_level_is_shared_out_among_the_looks() -> None:
    for num in (5, 6, 40, 1000):
        found = looks(num)
        assert math.fsum(look.level for look in found) == pytest.approx(0.05)
        assert found[-1].num_seeds == num
        assert all(look.level > 0 for look in found)


def test_an_interval_at_a_look_is_students_at_its_level() -> None:
    values = np.random.default_rng(0).normal(size=10).tolist()
    look = looks(40)[1]
    low, high = stats.t.interval(1 - look.level, 9, loc=np.mean(values), scale=stats.sem(values))
    assert look.half_width(estimate(values)) == pytest.approx((high - low) / 2)
    assert look.half_width(estimate(values[:1])) == math.inf


def _covered(draws: np.ndarray, width: float, *, naive: bool) -> bool:
    """Stop at the first look whose interval is narrow, and say whether it holds the mean, 0."""
    for look in looks(len(draws)):
        found = estimate(draws[: look.num_seeds].tolist())
        half = found.ci95 if naive else look.half_width(found)
        if half < width or look.num_seeds == len(draws):
            return abs(found.mean) <= half
    raise AssertionError


def test_the_interval_covers_wherever_it_stops_and_the_usual_one_does_not() -> None:
    draws = np.random.default_rng(1).standard_t(3, size=(2000, 40)) / math.sqrt(3)
    planned, naive = (np.mean([_covered(row, 0.5, naive=choice) for row in draws]) for choice in (False, True))
    error = math.sqrt(0.05 * 0.95 / len(draws))
    assert planned > 0.95 - Z_BOUND * error
    assert naive < 0.95  # the planted error: stopping when an ordinary interval happens to be narrow


@pytest.mark.parametrize("text", ["", "ci95", "ci95<0", "ci95<-1", "ci95<x", "ci95>0.1", "ci95<1e999", "a b.ci95<.1"])
def test_what_is_no_width_is_refused(text: str) -> None:
    with pytest.raises(InputError, match=r"^until: expected"):
        Until.parse(text)


def test_halving_keeps_the_best_and_gives_them_the_seeds() -> None:
    assert rungs(9, 27, factor=3) == [(9, 3), (3, 9), (1, 27)]
    assert best([0.1, math.nan, 0.5, 0.3], 2) == [2, 3]
    with pytest.raises(InputError, match="halving: expected an integer >= 2"):
        rungs(4, 4, factor=1)


@given(st.integers(0, 200), st.integers(1, 40))
def test_shards_are_the_plan_without_overlap(total: int, num: int) -> None:
    parts = [Shard(index, num).of(range(total)) for index in range(1, num + 1)]
    assert sorted(one for part in parts for one in part) == list(range(total))
    assert max(map(len, parts)) - min(map(len, parts)) <= 1


@pytest.mark.parametrize("text", ["", "3", "0/4", "5/4", "-1/4", "1/0", "a/b", "1/1000000", "1/4/2"])
def test_what_is_no_shard_is_refused(text: str) -> None:
    with pytest.raises(InputError, match=r"^shard: expected"):
        Shard.parse(text)
