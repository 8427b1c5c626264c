"""Rank correlations are scipy's; their intervals find what is planted, and nothing where settings are permuted."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from subtx_toy.results.rank_correlation import correlate, partial_spearman, ranks, spearman
from subtx_toy.seeding import generator
from subtx_toy.tolerances import FP64_STATISTIC

VALUES = st.lists(st.integers(0, 5), min_size=3, max_size=12)


@given(VALUES)
def test_equal_values_share_their_ranks(values: list[int]) -> None:
    assert ranks(np.array(values, dtype=float)).tolist() == stats.rankdata(values).tolist()


@given(st.integers(0, 10**6), st.integers(3, 20))
def test_rho_is_scipys(seed: int, n: int) -> None:
    rng = generator(seed, "tests", "rho")
    x, y = rng.integers(0, 6, n).astype(float), rng.standard_normal(n)
    if len(set(x.tolist())) > 1:
        assert spearman(x, y) == pytest.approx(stats.spearmanr(x, y).statistic, rel=FP64_STATISTIC, abs=FP64_STATISTIC)


def test_a_constant_has_no_rho() -> None:
    assert math.isnan(spearman(np.ones(5), np.arange(5.0)))


def test_what_a_third_number_explains_is_taken_out() -> None:
    rng = generator(0, "tests", "partial")
    naive = np.arange(200.0)
    x, y = (naive + 30 * rng.standard_normal(200) for _ in range(2))
    assert spearman(x, y) > 0.7
    assert abs(partial_spearman(x, y, naive)) < 0.2
    shared = 30 * rng.standard_normal(200)
    assert partial_spearman(naive + shared, naive + shared, naive) == pytest.approx(1)
    assert math.isnan(partial_spearman(2 * naive, y, naive))


def test_partial_rho_is_the_correlation_of_residuals() -> None:
    rng = generator(1, "tests", "partial")
    x, y, given_ = rng.standard_normal((3, 40))

    def left(values: np.ndarray) -> np.ndarray:
        own, other = ranks(values), ranks(given_)
        slope, offset = np.polyfit(other, own, 1)
        return np.asarray(own - slope * other - offset)

    expected = float(np.corrcoef(left(x), left(y))[0, 1])
    assert partial_spearman(x, y, given_) == pytest.approx(expected, rel=FP64_STATISTIC)


def test_an_interval_leaves_out_zero_where_a_predictor_is_good_and_the_permuted_one_holds_it() -> None:
    rng = generator(2, "tests", "bootstrap")
    target = rng.standard_normal(60)
    good, noise, naive = target + rng.standard_normal(60), rng.standard_normal(60), rng.standard_normal(60)
    found = correlate(good, target, naive)
    assert found.interval.low > 0.3
    assert found.interval.low < found.rho < found.interval.high
    assert found.permuted.low < 0 < found.permuted.high < found.rho
    assert found.gain_interval.low > 0
    none = correlate(noise, target, naive)
    assert none.permuted.low < none.rho < none.permuted.high


def test_the_control_has_the_width_that_theory_gives() -> None:
    rng = generator(3, "tests", "control")
    x, y = rng.standard_normal((2, 60))
    found = correlate(x, y, y)
    assert found.permuted.high == pytest.approx(1.96 / math.sqrt(59), abs=0.03)
    assert found.permuted.low == pytest.approx(-1.96 / math.sqrt(59), abs=0.03)


def test_the_same_numbers_give_the_same_intervals() -> None:
    x, y, z = generator(4, "tests", "same").standard_normal((3, 20))
    assert correlate(x, y, z) == correlate(x, y, z)
