"""Arrays of numbers with more than 200 correct bits: numpy's arithmetic on arb's numbers, and a few functions.

Each number is an enclosure, so what is printed of it is known to be right. Nothing here is differentiated by rules.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce
from typing import Any

import numpy as np
import torch
from flint import arb

PRECISION, HUGE_PRECISION = 640, 4096
"""Bits at work, where 200 are to be right. A second derivative is a difference of values that are 2^-100 apart, twice,
and up to 80 bits are lost where inputs lie around 1e12. With outputs of 1e150 a small eps is about 1e-450."""

Array = Any  # of arb, in numpy


def exact(values: torch.Tensor) -> Array:
    """Return the same numbers, exactly."""
    return np.vectorize(arb, otypes=[object])(values.detach().numpy())


def each(function: Callable[[arb], arb]) -> Callable[[Array], Array]:
    """Return a function of numbers as one of arrays."""
    return np.frompyfunc(function, 1, 1)


tanh, exp, log, sqrt, erf, atan, sin, cos = (
    each(one) for one in (arb.tanh, arb.exp, arb.log, arb.sqrt, arb.erf, arb.atan, arb.sin, arb.cos)
)


def power(x: Array, exponent: int) -> Array:
    """Return a whole power, by products: arb's own is not a number where the enclosure holds 0."""
    return x if exponent == 1 else x * power(x, exponent - 1)


def sigmoid(x: Array) -> Array:
    """Return 1 / (1 + exp(-x))."""
    return 1 / (1 + exp(-x))


def softplus(x: Array) -> Array:
    """Return log(1 + exp(x))."""
    return log(1 + exp(x))


def larger(x: Array, y: Any) -> Array:
    """Return max(x, y), number by number."""
    return np.frompyfunc(lambda a, b: a if a > b else b, 2, 1)(x, arb(y) if isinstance(y, int | float) else y)


def smaller(x: Array, y: Any) -> Array:
    """Return min(x, y), number by number."""
    return -larger(-x, -y)


def clamp(x: Array, low: float, high: float) -> Array:
    """Return min(max(x, low), high)."""
    return smaller(larger(x, low), high)


def total(x: Array) -> Array:
    """Return sums over the last axis, which stays."""
    return x.sum(axis=-1, keepdims=True)


def mean(x: Array) -> Array:
    """Return means over the last axis, which stays."""
    return total(x) / x.shape[-1]


def largest(x: Array) -> Array:
    """Return maxima over the last axis, which stays."""
    return reduce(larger, np.moveaxis(x, -1, 0))[..., None]


def ranked(x: Array) -> Array:
    """Return the last axis in ascending order."""
    rows = [sorted(row, key=_Key) for row in x.reshape(-1, x.shape[-1])]
    return np.array(rows, dtype=object).reshape(x.shape)


class _Key:
    # sorted() asks for <, and enclosures that overlap are not ordered
    def __init__(self, value: arb) -> None:
        self.value = value

    def __lt__(self, other: _Key) -> bool:
        return bool(self.value < other.value)


def root(x: Array) -> Array:
    """Return square roots of what is not negative, also where the enclosure holds numbers below 0."""
    return sqrt(each(arb.nonnegative_part)(x))


def norm(x: Array) -> Array:
    """Return Euclidean norms over the last axis, which stays."""
    return root(total(x * x))


def softmax(x: Array) -> Array:
    """Return exp(x) / sum exp(x) over the last axis."""
    powers = exp(x)
    return powers / total(powers)


def normalised(x: Array) -> Array:
    """Return (x - mean) / sqrt(variance + 1e-5) over the last axis."""
    gap = x - mean(x)
    return gap / sqrt(mean(gap * gap) + 1e-5)


def padded(x: Array, value: Any) -> Array:
    """Return the last axis with one more number at both ends."""
    edge = np.full((*x.shape[:-1], 1), arb(value), dtype=object)
    return np.concatenate([edge, x, edge], axis=-1)


def log2(x: arb) -> float:
    """Return the logarithm to base 2 of a positive number, which may be outside the range of float64."""
    return float(x.log() / arb(2).log())
