"""One scan and one bisection, on functions whose sign changes are known."""

from __future__ import annotations

import math

import numpy as np
import pytest

from subtx_toy.problem.sign_change import bisected, confirmed_gap, last_holding, scan_points, sign_changes


def test_a_scan_looks_at_460_points_up_to_the_cap() -> None:
    points = scan_points(50.0)
    assert len(points) == 459  # both grids end at the cap
    assert (points[0], points[-1]) == (pytest.approx(5e-5), 50.0)


def test_a_scan_yields_what_is_not_positive_and_the_last_positive_point_before() -> None:
    values = {1.0: 2.0, 2.0: 0.0, 3.0: 1.0, 4.0: -1.0, 5.0: math.nan, 6.0: math.inf}
    found = list(sign_changes(values.__getitem__, values, start=0.5))
    assert [pair[:2] for pair in found] == [(1.0, 2.0), (3.0, 4.0), (3.0, 5.0), (3.0, 6.0)]


def test_a_change_is_confirmed_at_the_first_gap_that_holds_it() -> None:
    gaps = (1e-9, 1e-6, 1e-3)
    assert confirmed_gap(lambda eps: 1 if eps < 1 + 1e-7 else -1, 1.0, gaps) == 1e-6
    assert confirmed_gap(lambda eps: 1 if eps < 2 else -1, 1.0, gaps) is None


@pytest.mark.parametrize("end", [3e-200, 0.3, 1.0, 7e20])
@pytest.mark.parametrize("cap", [1e21, math.inf])
def test_the_end_of_a_condition_is_closed_in_from_below(end: float, cap: float) -> None:
    found = last_holding(lambda eps: eps <= end, halvings=30, cap=cap)
    assert found is not None
    assert end * (1 - 2.0**-30) <= found <= end


def test_the_cap_and_the_absence_of_any_end_are_reported() -> None:
    assert last_holding(lambda eps: eps < 9, halvings=3, cap=8.0) == 8.0
    assert last_holding(np.zeros_like, halvings=3, cap=8.0) is None


@pytest.mark.parametrize("halvings", [1, 5, 17])
def test_halvings_in_groups_are_those_of_bisection_one_by_one(halvings: int) -> None:
    def holds(points: np.ndarray) -> np.ndarray:
        # True and false in turns: which crossing is found depends on the order.
        return np.asarray(np.sin(40 * points) > -0.2)

    lower, upper = 0.1, 2.9
    found = bisected(holds, lower, upper, halvings=halvings)
    for _ in range(halvings):
        middle = (lower + upper) / 2
        lower, upper = (middle, upper) if holds(np.array([middle]))[0] else (lower, middle)
    assert found == (lower, upper)
