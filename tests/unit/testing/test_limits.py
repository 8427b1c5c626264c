from __future__ import annotations

import math

import pytest

from subtx_toy.testing.limits import limit_at_zero


def limit(function: object, predicted: float, *, noise: float = 0.0) -> bool:
    found = limit_at_zero(function, unit=1.0, noise=lambda _: noise, predicted=predicted)  # type: ignore[arg-type]
    return found.is_close_to(predicted)


def test_smooth_functions_settle_where_they_go() -> None:
    assert limit(lambda eps: math.exp(40 * eps), 1.0)
    assert not limit(lambda eps: 1.01 * math.exp(40 * eps), 1.0)
    assert not limit(lambda eps: -math.exp(40 * eps), 1.0)


def test_what_has_no_limit_is_close_to_nothing() -> None:
    assert not limit(lambda eps: 1 / eps, 1.0)
    assert not limit(lambda eps: 1 + math.sin(1 / eps), 1.0)
    assert not limit(lambda _: math.nan, 1.0)


@pytest.mark.parametrize("size", [1e-3, 1e-9])
def test_rounding_decides_nothing(size: float) -> None:
    assert limit(lambda eps: size * math.sin(1 / eps), 0.0, noise=size)
    assert not limit(lambda _: 100 * size, 0.0, noise=size)
