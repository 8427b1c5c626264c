from __future__ import annotations

import numpy as np
import pytest
from flint import arb, ctx

from subtx_toy.certify.balls import Ball, ball, dot, functions, gemm, nonlinear
from subtx_toy.errors import InputError
from subtx_toy.seeding import generator
from tests.unit.certify.containment import OPERATIONS, balls, points, violations

QUICK, THOROUGH = 10_000, 1_200_000


@pytest.mark.parametrize("name", OPERATIONS)
def test_every_operation_holds_the_truth(name: str) -> None:
    rng = generator(0, "tests", "containment", name)
    assert list(violations(name, rng, QUICK // len(OPERATIONS))) == []


@pytest.mark.slow
@pytest.mark.timeout(3000)
@pytest.mark.parametrize("name", OPERATIONS)
def test_every_operation_holds_the_truth_a_million_times(name: str) -> None:
    for part in range(20):
        rng = generator(0, "tests", "containment, thorough", name, part)
        assert list(violations(name, rng, THOROUGH // len(OPERATIONS) // 20)) == []


@pytest.mark.parametrize("name", ["add", "multiply", "scaled", "over", "sum", "dot"])
def test_a_missing_rounding_term_is_caught(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    # Radii then speak of the operands' radii alone, as if the centres were computed exactly.
    monkeypatch.setattr(ball, "U", 0.0)
    rng = generator(0, "tests", "containment", name)
    assert next(violations(name, rng, QUICK // len(OPERATIONS)), None) is not None


@pytest.mark.parametrize("name", ["exp_bounds", "tanh_bounds", "normal_cdf_bounds", "log1p_bounds"])
def test_a_missing_error_of_a_polynomial_is_caught(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    bounds = getattr(functions, name)

    def as_if_exact(x: np.ndarray) -> functions.Bounds:
        lower, upper = bounds(x)
        return 0.5 * lower + 0.5 * upper, 0.5 * lower + 0.5 * upper

    monkeypatch.setattr(functions, name, as_if_exact)
    monkeypatch.setattr(ball, "inflate", lambda radius: radius)
    reached = {
        "exp_bounds": "exp",
        "tanh_bounds": "tanh",
        "normal_cdf_bounds": "normal_cdf",
        "log1p_bounds": "softplus",
    }
    assert next(violations(reached[name], generator(0, "tests", name), 2000), None) is not None


@pytest.mark.parametrize("name", ["exp", "tanh", "sigmoid", "softplus", "normal_cdf", "normal_density"])
def test_enclosures_of_points_are_thin(name: str) -> None:
    x = np.linspace(-8, 8, 4001)
    found = getattr(nonlinear, name)(Ball.exact(x))
    assert (found.rad <= 6e-14 * np.maximum(np.abs(found.mid), 1.0)).all()


def test_the_tail_left_out_of_the_normal_distribution_is_small_at_the_end_of_its_range() -> None:
    before, ctx.prec = ctx.prec, 200
    try:
        z = arb(8.5)
        term = kept = z
        left = arb(0)
        for n in range(1, 2000):
            term = term * z * z / (2 * n + 1)
            if n <= functions._CDF_TERMS:
                kept += term
            else:
                left += term
        assert left * 2 / kept < arb(2) ** -60
        assert (-z * z / 2).exp() / (2 * arb.pi()).sqrt() / z < arb(2) ** -56
    finally:
        ctx.prec = before


def test_what_overflows_becomes_the_whole_line_and_never_nan() -> None:
    huge = Ball.exact(np.array([1e308, -1e308, 1e-308]))
    with np.errstate(all="ignore"):
        for found in (huge * huge, huge + huge, dot(huge.T[None], huge.T[:, None]), huge.square(), nonlinear.exp(huge)):
            assert np.isfinite(found.mid).all()
            assert not np.isnan(found.rad).any()
            assert np.isinf(found.rad).any()
            assert not np.isnan((found * Ball.exact(np.zeros(1))).rad).any()


def test_steps_of_relu_are_anything_between_where_the_sign_is_not_known() -> None:
    found = nonlinear.step(Ball(np.array([1.0, -1.0, 0.0, 0.5]), np.array([0.5, 0.5, 0.0, 0.5])))
    assert (found.lower() <= [1, 0, 0, 0]).all()
    assert (found.upper() >= [1, 0, 1, 1]).all()
    assert found.upper()[1] < 0.5 < found.lower()[0]


def test_this_machine_obeys_the_rounding_model() -> None:
    gemm.check_products()
    assert gemm.kernel()


def test_a_product_by_strassens_method_is_refused() -> None:
    rng = generator(0, "tests", "strassen")
    a = rng.standard_normal((64, 64)) * 2.0 ** rng.integers(-40, 41, (64, 1))
    b = rng.standard_normal((64, 64)) * 2.0 ** rng.integers(-40, 41, (1, 64))
    assert gemm.worst_error(a, b, a @ b) <= 1
    assert gemm.worst_error(a, b, _strassen(a, b)) > 100


def test_single_precision_products_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    exact = gemm.worst_error
    monkeypatch.setattr(gemm, "worst_error", lambda a, b, c: exact(a, b, c.astype(np.float32).astype(np.float64)))
    with pytest.raises(InputError, match="BLAS: expected products within"):
        gemm.check_products()


def test_points_and_balls_of_the_fuzz_reach_every_range() -> None:
    rng = generator(0, "tests", "fuzz")
    x = points(rng, (5000,))
    size = np.abs(x)
    assert ((size > 0) & (size < 2.0**-1022)).any()
    assert (size > 1e300).any()
    found = balls(rng, x)
    assert (found.rad == 0).any()
    assert (found.rad > size).any()


def _strassen(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    h = len(a) // 2
    a11, a12, a21, a22, b11, b12, b21, b22 = (x[i : i + h, j : j + h] for x in (a, b) for i in (0, h) for j in (0, h))
    m1, m2, m3 = (a11 + a22) @ (b11 + b22), (a21 + a22) @ b11, a11 @ (b12 - b22)
    m4, m5, m6, m7 = a22 @ (b21 - b11), (a11 + a12) @ b22, (a21 - a11) @ (b11 + b12), (a12 - a22) @ (b21 + b22)
    return np.block([[m1 + m4 - m5 + m7, m3 + m5], [m2 + m4, m1 - m2 + m3 + m6]])
