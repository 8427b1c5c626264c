"""Intervals and comparisons against closed forms and against scipy's own tests."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats as scipy_stats

from subtx_toy.seeding import generator
from subtx_toy.stats import Estimate, difference, equivalence, estimate, holm, judged
from subtx_toy.tolerances import FP64_STATISTIC, SHARE_COVERAGE_MARGIN, Z_BOUND


def test_interval_is_students_t_with_the_sample_standard_deviation() -> None:
    values = [0.1, 0.4, 0.35, 0.8]
    low, high = scipy_stats.t.interval(0.95, 3, loc=np.mean(values), scale=scipy_stats.sem(values))
    ours = estimate(values)
    assert ours.mean - ours.ci95 == pytest.approx(low, rel=FP64_STATISTIC)
    assert ours.mean + ours.ci95 == pytest.approx(high, rel=FP64_STATISTIC)


def test_population_standard_deviation_and_1_96_would_be_noticed() -> None:
    values = [0.1, 0.4, 0.35, 0.8]
    wrong = 1.96 * float(np.std(values)) / 2
    assert estimate(values).ci95 > 1.5 * wrong


def test_interval_covers_the_truth_as_often_as_it_says() -> None:
    draws = generator(0, "test", "coverage").standard_normal((4000, 5))
    covered = sum(abs(one.mean) <= one.ci95 for one in map(estimate, draws.tolist()))
    # Binomial with p = .95: 5 standard deviations either side of 3800.
    assert abs(covered - 3800) <= 5 * math.sqrt(4000 * 0.95 * 0.05)


def test_one_value_has_no_interval() -> None:
    assert math.isnan(estimate([0.5]).ci95)
    assert math.isnan(estimate([0.5]).standard_error)


def test_no_value_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one"):
        estimate([])


def test_difference_is_welchs_test() -> None:
    rng = generator(1, "test", "welch")
    a, b = rng.standard_normal(12), 3 * rng.standard_normal(30) + 0.5
    theirs = scipy_stats.ttest_ind(a, b, equal_var=False)
    ours = difference(estimate(a.tolist()), estimate(b.tolist()))
    assert ours.standard_errors == pytest.approx(theirs.statistic, rel=FP64_STATISTIC)
    assert ours.p_value == pytest.approx(theirs.pvalue, rel=FP64_STATISTIC)
    assert ours.value == pytest.approx(float(a.mean() - b.mean()), rel=FP64_STATISTIC)


def test_a_lent_spread_is_one_variance_and_not_two() -> None:
    ours = estimate([0.1, 0.4, 0.2, 0.7, 0.3])
    sd = ours.standard_error * math.sqrt(5)
    theirs = Estimate(0.9, sd / math.sqrt(10), 10)
    found = difference(ours, theirs, lent=True)
    t = (ours.mean - 0.9) / (sd * math.sqrt(1 / 5 + 1 / 10))
    assert found.standard_errors == pytest.approx(t)
    assert found.p_value == pytest.approx(2 * scipy_stats.t.sf(abs(t), 4))
    # An error of reading beside it is known, so it adds degrees of freedom and no doubt of its own.
    read = Estimate(0.9, math.hypot(theirs.standard_error, 0.1), 10)
    freedom = (0.1**2 / (sd**2 * 0.3) + 1) ** 2 * 4
    wider = difference(ours, read, lent=True)
    assert wider.p_value == pytest.approx(2 * scipy_stats.t.sf(abs(wider.standard_errors), freedom))


def test_a_lent_spread_keeps_the_level_and_two_variances_would_not() -> None:
    rng, level, num = generator(0, "tests", "lent"), 0.01, 4000
    shares = {}
    for lent in (True, False):
        below = 0
        for _ in range(num):
            ours = estimate(rng.standard_normal(5).tolist())
            theirs = Estimate(rng.standard_normal() / math.sqrt(10), ours.standard_error * math.sqrt(5 / 10), 10)
            below += difference(ours, theirs, lent=lent).p_value < level
        shares[lent] = below / num
    error = math.sqrt(level * (1 - level) / num)
    assert abs(shares[True] - level) < 4 * error
    assert shares[False] > level + 4 * error


def test_difference_to_one_value_cannot_be_said() -> None:
    assert math.isnan(difference(estimate([0.5]), Estimate(0.4, 0.01, 10)).p_value)


def test_difference_without_any_spread_is_all_or_nothing() -> None:
    same = Estimate(0.5, 0.0, 3)
    assert difference(same, same).p_value == 1.0
    assert difference(Estimate(0.6, 0.0, 3), same).p_value == 0.0


def test_equivalence_is_two_one_sided_tests_of_welch() -> None:
    rng = generator(1, "test", "equivalence")
    a, b, margin = rng.normal(0.5, 0.02, 9), rng.normal(0.51, 0.05, 25), 0.03
    theirs = [
        scipy_stats.ttest_ind(a + margin, b, equal_var=False, alternative="greater").pvalue,
        scipy_stats.ttest_ind(a - margin, b, equal_var=False, alternative="less").pvalue,
    ]
    found = equivalence(estimate(a.tolist()), estimate(b.tolist()), margin=margin)
    assert found.p_value == pytest.approx(max(theirs), rel=FP64_STATISTIC)
    at_its_limit = equivalence(estimate(a.tolist()), estimate(b.tolist()), margin=found.within)
    assert at_its_limit.p_value == pytest.approx(0.05, rel=FP64_STATISTIC)


@pytest.mark.parametrize(("apart", "expected"), [(0.03, 0.05), (0.0, 1.0)])
def test_equivalence_keeps_the_level_at_the_margin_and_finds_equal_means(apart: float, expected: float) -> None:
    # Twenty seeds with a standard deviation of .01 on either side: equal means are found in 999 of 1,000 samples.
    rng, num = generator(2, "test", "equivalence"), 2000
    ours, theirs = rng.normal(0.5 + apart, 0.01, (num, 20)), rng.normal(0.5, 0.01, (num, 20))
    found = [
        equivalence(estimate(a.tolist()), estimate(b.tolist()), margin=0.03).p_value
        for a, b in zip(ours, theirs, strict=True)
    ]
    share, error = np.mean(np.array(found) < 0.05), math.sqrt(0.05 * 0.95 / num)
    assert share == pytest.approx(expected, abs=Z_BOUND * error if expected < 1 else 0.005)


def test_a_difference_that_was_not_found_is_not_yet_equivalence() -> None:
    wide = estimate([0.3, 0.5, 0.7, 0.45, 0.55])
    assert difference(wide, Estimate(0.5, 0.01, 25)).p_value > 0.5
    assert equivalence(wide, Estimate(0.5, 0.01, 25), margin=0.03).p_value > 0.3


def test_equivalence_of_one_value_or_without_a_spread() -> None:
    assert all(math.isnan(part) for part in equivalence(estimate([0.5]), Estimate(0.5, 0.1, 9), margin=0.03))
    still = Estimate(0.5, 0.0, 5)
    assert equivalence(still, Estimate(0.52, 0.0, 5), margin=0.03).p_value == 0
    assert equivalence(still, Estimate(0.54, 0.0, 5), margin=0.03).p_value == 1


def test_holm_multiplies_the_smallest_by_all_and_never_decreases() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])


def test_holm_leaves_out_what_cannot_be_said() -> None:
    adjusted = holm([0.01, math.nan, 0.04])
    assert adjusted[0] == pytest.approx(0.02)
    assert math.isnan(adjusted[1])


def test_holm_stops_at_one() -> None:
    assert holm([0.9, 0.8]) == [1.0, 1.0]


@pytest.mark.parametrize(("n", "num_images"), [(2, 200), (5, 50), (5, 500), (20, 100)])
@pytest.mark.parametrize("share", [0.03, 0.5, 0.9])
@pytest.mark.parametrize(("seeds", "images"), [(0.0, 0.0), (0.0, 1.5), (0.5, 0.5)], ids=["neither", "images", "both"])
def test_the_interval_of_a_share_covers_other_seeds_and_other_images(
    n: int, num_images: int, share: float, seeds: float, images: float
) -> None:
    """Outcomes are probit: the spreads over seeds and over images that all seeds share are in its units."""
    rng, num, covered = generator(0, "test", "share interval"), 300, 0
    middle = scipy_stats.norm.ppf(share) * math.sqrt(1 + seeds**2 + images**2)  # so that the mean share is ``share``
    for _ in range(num):
        levels = middle + seeds * rng.standard_normal((n, 1)) + images * rng.standard_normal(num_images)
        hits = rng.standard_normal((n, num_images)) < levels
        low, high = estimate(hits.mean(axis=1).tolist(), num_images=num_images).interval
        covered += low <= share <= high
    assert covered / num >= 0.95 - SHARE_COVERAGE_MARGIN


def test_students_interval_would_not_cover_where_seeds_share_the_images() -> None:
    """The planted error: images alone make the spread, and seeds that share them do not show it."""
    rng, covered = generator(0, "test", "share interval"), 0
    for _ in range(200):
        levels = 3.0 * rng.standard_normal(50)
        found = estimate((rng.standard_normal((5, 50)) < levels).mean(axis=1).tolist())
        covered += abs(found.mean - 0.5) <= found.ci95
    assert covered / 200 < 0.95 - SHARE_COVERAGE_MARGIN


@pytest.mark.parametrize("values", [[0.95, 0.95], [0.0, 0.0, 0.0], [1.0] * 5, [0.0, 1.0], [0.02, 0.0, 0.3]])
def test_the_interval_of_a_share_stays_between_zero_and_one_and_has_a_width(values: list[float]) -> None:
    found = estimate(values, num_images=200)
    low, high = found.interval
    assert 0 <= low < high <= 1
    assert low <= found.mean <= high


def test_the_interval_of_a_paired_difference_has_a_width_where_all_seeds_agree() -> None:
    low, high = estimate([0.0] * 5, num_images=100, paired=True).interval
    assert low < 0 < high
    assert high - low > 2 / 100


def test_one_seed_gives_no_interval() -> None:
    assert all(map(math.isnan, estimate([0.5], num_images=100).interval))


@pytest.mark.parametrize(("n", "verdict"), [(1, "needs 5 seeds"), (4, "needs 5 seeds"), (5, "agrees")])
def test_fewer_than_five_seeds_get_no_verdict(n: int, verdict: str) -> None:
    assert judged("agrees", n=n) == verdict
