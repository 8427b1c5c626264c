"""Activations, softmax and log-sum-exp of arb intervals: values, slopes and half of the second derivatives.

arb evaluates functions about the middle of an interval and is wide of the mark on long ones; increasing functions are
taken at both ends here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import reduce
from typing import NamedTuple

from flint import arb

_HALF, _ONE, _ZERO = arb(0.5), arb(1), arb(0)
_UNIT = arb(0.5, 0.5)  # [0, 1]


class Unit(NamedTuple):
    """An activation: ``value(z)``, and ``slopes(z)``, its derivative and half of its second one.

    Every result holds the truth for every number in z. An activation that is not ``smooth`` has its kink at 0, where
    its derivative is all that lies between those on either side; its second one is not used.
    """

    value: Callable[[arb], arb]
    slopes: Callable[[arb], tuple[arb, arb]]
    smooth: bool = True


def _ends(function: Callable[[arb], arb], z: arb) -> arb:
    if z.is_exact():
        return function(z)
    return function(z.lower()).union(function(z.upper()))


def _sigmoid_point(z: arb) -> arb:
    return _ONE / (_ONE + (-z).exp())


def _cdf_point(z: arb) -> arb:
    return (-z / arb(2).sqrt()).erfc() * _HALF


def _density(z: arb) -> arb:
    high, low = z.abs_upper(), z.abs_lower()
    points = [(-one * one * _HALF).exp() for one in (low, high)]
    return points[0].union(points[1]) / (2 * arb.pi()).sqrt()


def _softplus_point(z: arb) -> arb:
    return z.exp().log1p() if z < 0 else z + (-z).exp().log1p()


def _tanh_slopes(z: arb) -> tuple[arb, arb]:
    y = _ends(arb.tanh, z)
    slope = _ONE - y * y
    return slope, -y * slope


def _sigmoid_slopes(z: arb) -> tuple[arb, arb]:
    s = _ends(_sigmoid_point, z)
    slope = s * (_ONE - s)
    return slope, slope * (_HALF - s)


def _softplus_slopes(z: arb) -> tuple[arb, arb]:
    s = _ends(_sigmoid_point, z)
    return s, s * (_ONE - s) * _HALF


def _gelu(z: arb) -> arb:
    return z * _ends(_cdf_point, z)


def _gelu_slopes(z: arb) -> tuple[arb, arb]:
    density = _density(z)
    return _ends(_cdf_point, z) + z * density, (_ONE - z * z * _HALF) * density


def _relu(z: arb) -> arb:
    if z > 0:
        return z
    return _ZERO if z < 0 else z.lower().max(_ZERO).union(z.upper().max(_ZERO))


def _relu_slopes(z: arb) -> tuple[arb, arb]:
    if z > 0:
        return _ONE, _ZERO
    return (_ZERO, _ZERO) if z < 0 else (_UNIT, _ZERO)


UNITS = {
    "tanh": Unit(lambda z: _ends(arb.tanh, z), _tanh_slopes),
    "sigmoid": Unit(lambda z: _ends(_sigmoid_point, z), _sigmoid_slopes),
    "softplus": Unit(lambda z: _ends(_softplus_point, z), _softplus_slopes),
    "gelu": Unit(_gelu, _gelu_slopes),
    "relu": Unit(_relu, _relu_slopes, smooth=False),
}
"""By the names that files give; an activation of your own is one more entry."""


def softmax(row: Sequence[arb]) -> list[arb]:
    """Enclose softmax of one row: e^(w_i) over the sum, as 1/(1 + sum_{j != i} e^(w_j - w_i)), by its extreme cases."""
    if all(one.is_exact() for one in row):
        return [_ONE / sum(((other - one).exp() for other in row), _ZERO) for one in row]
    low, high, found = [one.lower() for one in row], [one.upper() for one in row], []
    for i in range(len(row)):
        rest = [j for j in range(len(row)) if j != i]
        least = _ONE / (_ONE + sum(((high[j] - low[i]).exp() for j in rest), _ZERO))
        most = _ONE / (_ONE + sum(((low[j] - high[i]).exp() for j in rest), _ZERO))
        found.append(least.union(most))
    return found


def log_sum_exp(row: Sequence[arb]) -> arb:
    """Enclose log of the sum of e^(w_i) of one row, which increases in every entry."""

    def at(point: Sequence[arb]) -> arb:
        top = reduce(arb.max, point)
        return top + sum(((one - top).exp() for one in point), _ZERO).log()

    return at([one.lower() for one in row]).union(at([one.upper() for one in row]))
