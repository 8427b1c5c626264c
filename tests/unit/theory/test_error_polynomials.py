"""Error polynomials of heavy ball and Nesterov: against matrices, closed forms and a scan."""

from __future__ import annotations

import itertools
from fractions import Fraction

import numpy as np
import pytest

from subtx_toy.errors import InputError
from subtx_toy.theory.error_polynomials import (
    asymptotic_crossing,
    first_crossing,
    fraction,
    gradient_descent,
    heavy_ball,
    heavy_ball_errors,
    last_that_may_cross,
    nesterov,
    nesterov_crossing,
    nesterov_iterate,
    nesterov_stability,
)
from subtx_toy.tolerances import FP64_FORMULA


@pytest.mark.parametrize("beta", [0.0, 0.5, 0.9])
@pytest.mark.parametrize("x", [0.0, 0.3, 1.2])
def test_polynomials_are_the_updates_written_as_torch_takes_them(beta: float, x: float) -> None:
    heavy, look, velocity, momentum = 1.0, 1.0, 0.0, 0.0
    for num_steps in range(1, 8):
        velocity = beta * velocity + x * heavy
        heavy -= velocity
        momentum = beta * momentum + x * look
        look -= x * look + beta * momentum
        assert float(heavy_ball(np.array(x), beta, num_steps)) == pytest.approx(heavy, abs=FP64_FORMULA)
        assert float(nesterov(np.array(x), beta, num_steps)) == pytest.approx(look, abs=FP64_FORMULA)
        if beta == 0:
            assert heavy == pytest.approx(float(gradient_descent(np.array(x), num_steps)), abs=FP64_FORMULA)


def test_a_student_of_heavy_ball_points_away_after_four_steps() -> None:
    assert round(float(1 - heavy_ball(np.array(1.6), 0.9, 4)), 3) == -0.037


def test_fractions_keep_their_digits_where_an_eigenvalue_is_tiny() -> None:
    found = fraction(np.array([1e-20, 1e-9, 1.0, 2.5]), 10)
    assert found == pytest.approx([1e-19, 1e-8 - 45e-18, 1.0, 1 - 1.5**10], rel=1e-15)


@pytest.mark.parametrize(
    ("beta", "crossing", "steps"),
    [(0.3, 2.3, 2), (0.75, 2.75, 2), (0.8, (4.6 - 0.2**0.5) / 2, 3), (0.9, 1.5087, 4), (0.99, 0.4064, 9)],
)
def test_first_crossings_and_their_regimes(beta: float, crossing: float, steps: int) -> None:
    limit, num_steps = first_crossing(beta)
    assert limit == pytest.approx(crossing, abs=5e-5)
    assert num_steps == steps


@pytest.mark.parametrize("beta", [0.2, 0.8, 0.9, 0.95])
def test_no_number_of_steps_crosses_before(beta: float) -> None:
    limit, steps = first_crossing(beta)
    x = np.linspace(0, limit, 2001)[:-1]
    assert max(float(heavy_ball(x, beta, num_steps).max()) for num_steps in range(1, 120)) <= 1 + FP64_FORMULA
    assert float(heavy_ball(np.array(limit + 1e-6), beta, steps)) > 1


@pytest.mark.parametrize("beta", [0.76, 0.8, 0.88, 0.9, 0.938, 0.99, 0.9998])
def test_the_numbers_of_steps_that_may_cross_before_are_few_and_do_not(beta: float) -> None:
    limit, steps = first_crossing(beta)
    last = last_that_may_cross(beta, limit)
    assert steps <= last <= steps + 2
    x = np.linspace(0, limit, 4001)[:-1]
    errors = itertools.islice(heavy_ball_errors(x, beta), 1, last + 1)
    assert max(float(now.max()) for now in errors) <= 1 + FP64_FORMULA


def test_what_keeps_a_later_crossing_out_on_a_grid() -> None:
    # Where e_k > 1 for the first time, k is not beyond the last that may cross.
    for beta, share in itertools.product([0.3, 0.7, 0.9, 0.97], [0.1, 0.3, 0.5, 0.7, 0.9, 0.99]):
        x = share * (1 + beta**0.5) ** 2
        errors = itertools.islice(heavy_ball_errors(np.array(x), beta), 400)
        crossing = next((k for k, now in enumerate(errors) if float(now) > 1 + FP64_FORMULA), 0)
        assert crossing <= last_that_may_cross(beta, x)


def test_the_steps_of_the_proof_up_to_a_momentum_of_three_quarters() -> None:
    assert all(last_that_may_cross(beta, 1 + beta) == 0 or beta > 0.5 for beta in np.linspace(0.01, 0.75, 75))
    for beta in np.linspace(0.5, 0.75, 26):
        assert last_that_may_cross(beta, 2 + beta) <= 4
        assert last_that_may_cross(beta, 1.5 + beta) <= 3
        assert heavy_ball(np.linspace(1.5, 2, 101) + beta, beta, 4).max() <= FP64_FORMULA
    for beta in np.linspace(0.0, 0.5, 26):
        errors = itertools.islice(heavy_ball_errors(np.linspace(1, 2, 101) + beta, beta), 2, 60)
        assert max(float(abs(now).max()) for now in errors) <= 1 + FP64_FORMULA


@pytest.mark.parametrize(("beta", "x"), [(0.0, 1.0), (1.0, 1.0), (0.9, 3.9)])
def test_where_no_number_of_steps_is_excluded_none_is_returned(beta: float, x: float) -> None:
    with pytest.raises(InputError, match=r"expected a momentum in \(0, 1\) and x < "):
        last_that_may_cross(beta, x)


def missing_exactly(x: float, beta: float, num_steps: int) -> Fraction:
    """Return e_K of heavy ball in exact rationals."""
    before = now = Fraction(1)
    for _ in range(num_steps):
        before, now = now, (1 + Fraction(beta) - Fraction(x)) * now - Fraction(beta) * before
    return now


@pytest.mark.parametrize(
    ("beta", "steps", "off"), [(0.999, 20, 0.069), (0.9998, 36, 0.0043), (0.9999, 45, 0.0254), (0.99999, 99, 0.00055)]
)
def test_narrow_first_crossings_near_a_momentum_of_one(beta: float, steps: int, off: float) -> None:
    limit, num_steps = first_crossing(beta)
    assert num_steps == steps
    assert missing_exactly(limit * (1 - 1e-9), beta, steps) < 1 < missing_exactly(limit * (1 + 1e-9), beta, steps)
    # A scan of all x below: of more than a period of its smallest, and of two periods of the largest.
    x = np.linspace(limit / 4, limit, 4001)[:-1]
    assert max(float(now.max()) for now in itertools.islice(heavy_ball_errors(x, beta), 1, 3 * steps)) <= 1
    assert limit / asymptotic_crossing(beta) - 1 == pytest.approx(off, rel=0.02)


@pytest.mark.parametrize(("beta", "percent"), [(0.999, -6), (0.9, 23)])
def test_the_asymptotic_crossing_is_as_far_off_as_its_description_says(beta: float, percent: int) -> None:
    assert round(100 * (asymptotic_crossing(beta) / first_crossing(beta)[0] - 1)) == percent


def test_nesterov_never_points_away_inside_its_limit_on_a_grid() -> None:
    # 60 momenta, 60 x and 60 numbers of steps: 216,000 cases.
    worst = -np.inf
    for beta in np.linspace(0, 0.999, 60):
        x = np.linspace(0, nesterov_crossing(beta), 61)[1:] * (1 - 1e-9)
        worst = max(worst, *(float(nesterov(x, beta, num_steps).max()) for num_steps in range(1, 61)))
    assert worst < 1


@pytest.mark.parametrize("beta", [0.1, 0.5, 0.9])
def test_nesterov_points_away_beyond_it_though_it_is_stable(beta: float) -> None:
    x = nesterov_crossing(beta) + 1e-6
    assert x < nesterov_stability(beta)
    assert float(nesterov(np.array(x), beta, 2)) > 1
    # The iterates, which torch does not hold, do not.
    assert all(float(nesterov_iterate(np.array(x), beta, num_steps)) <= 1 for num_steps in range(1, 60))


def test_a_momentum_that_is_none_is_refused() -> None:
    with pytest.raises(InputError, match=r"beta: expected a momentum in \[0, 1\), got 1.5"):
        first_crossing(1.5)


def test_a_momentum_too_near_one_to_search_is_refused() -> None:
    with pytest.raises(InputError, match=r"first crossing is found in 80 steps, got 0\.9999"):
        first_crossing(0.9999, max_steps=80)
