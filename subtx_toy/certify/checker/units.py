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
_THIRD, _SIXTH = _ONE / 3, _ONE / 6
_UNIT = arb(0.5, 0.5)  # [0, 1]
_BOTH = arb(0, 1)  # [-1, 1]
_FAR = arb(-1000)

# Third derivatives: that of tanh is -2 s (1 - 3 y^2), s = 1 - y^2, so at most 4 s in size, and (log s)' = -2 y, so s
# grows at most by e^(1/8) < 1.134 within 1/16. That of the logistic function p is s (1 - 6 s), s = p (1 - p), so at
# most s, and (log s)' = 1 - 2 p, so s grows at most by e^(1/16) < 1.065. That of softplus is s (1 - 2 p), the same s.
_AROUND_TANH, _AROUND_SIGMOID, _AROUND_SOFTPLUS = _BOTH * 2.27, _BOTH * 0.533, _BOTH * 1.065


class Unit(NamedTuple):
    """An activation: ``value(z)``, and ``slopes(z)``, its derivative and half of its second one.

    Every result holds the truth for every number in z. An activation that is not ``smooth`` has its kink at 0, where
    its derivative is all that lies between those on either side; its second one is not used. ``half_third``, from
    derivative and half second derivative at z, encloses half of the third one within 1/16 of z, where such a bound is
    known; ``jets(entries)`` gives values, derivatives and halves of the second ones of many numbers at once, where that
    is faster; ``sixth``, from value, derivative and half second derivative, is a sixth of the third one, as proofs of
    third order need.
    """

    value: Callable[[arb], arb]
    slopes: Callable[[arb], tuple[arb, arb]]
    smooth: bool = True
    half_third: Callable[[arb, arb], arb] | None = None
    jets: Callable[[list[arb]], tuple[list[arb], list[arb], list[arb]]] | None = None
    sixth: Callable[[arb, arb, arb], arb] | None = None

    def at(self, entries: list[arb]) -> tuple[list[arb], list[arb], list[arb]]:
        """Return values, derivatives and halves of the second derivatives."""
        if self.jets is not None:
            return self.jets(entries)
        pairs = [self.slopes(z) for z in entries]
        return [self.value(z) for z in entries], [first for first, _ in pairs], [second for _, second in pairs]

    def near(self, z: arb, first: arb, second: arb, step: arb) -> tuple[arb, arb]:
        """Enclose ``slopes(z + step)``, by Taylor's theorem from those at z where the step is short."""
        if self.half_third is None or not step.abs_upper() < _SHORT:
            return self.slopes(z + step)
        moved = second + self.half_third(first, second) * step
        return first + step * (second + moved), moved

    def around(self, z: arb, value: arb, first: arb, second: arb, step: arb) -> tuple[arb, arb, arb]:
        """Enclose the derivatives at z + step over 1, 2 and 6, from what is known at z."""
        assert self.sixth is not None
        slope, bend = self.near(z, first, second, step)
        if not step.abs_upper() < _SHORT:
            return slope, bend, self.sixth(self.value(z + step), slope, bend)
        third = self.sixth(value + step * slope, slope, bend)
        moved = 3 * third * step
        return first + step * (2 * second + moved), second + moved, third


_SHORT = arb(0.0625)  # steps of pre-activations for which Taylor's theorem is the tighter bound
_NARROW = arb(2.0**-4)  # radius up to which arb is not far too wide: by 7 % at most, for tanh


def _ends(function: Callable[[arb], arb], z: arb) -> arb:
    # An increasing function: at z itself where that is narrow, else at both ends.
    if z.rad() < _NARROW:
        return function(z)
    return function(z.lower()).union(function(z.upper()))


def _sigmoid_point(z: arb) -> arb:
    if z < _FAR:  # where e^(-z) may be beyond the range of arb, but e^z is not
        power = z.exp()
        return power / (_ONE + power)
    return _ONE / (_ONE + (-z).exp())


def _cdf_point(z: arb) -> arb:
    return (-z / arb(2).sqrt()).erfc() * _HALF


def _density(z: arb) -> arb:
    high, low = z.abs_upper(), z.abs_lower()
    points = [(-one * one * _HALF).exp() for one in (low, high)]
    return points[0].union(points[1]) / (2 * arb.pi()).sqrt()


def _softplus_point(z: arb) -> arb:
    return z.exp().log1p() if z < 0 else z + (-z).exp().log1p()


def _tanh_jets(entries: list[arb]) -> tuple[list[arb], list[arb], list[arb]]:
    values = [z.tanh() for z in entries]
    slopes = [_ONE - y * y for y in values]
    return values, slopes, [-y * slope for y, slope in zip(values, slopes, strict=True)]


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


def _tanh_third(first: arb, _: arb) -> arb:
    return _AROUND_TANH * first


def _sigmoid_third(first: arb, _: arb) -> arb:
    return _AROUND_SIGMOID * first


def _softplus_third(_: arb, second: arb) -> arb:
    return _AROUND_SOFTPLUS * second


def _tanh_sixth(y: arb, slope: arb, _: arb) -> arb:
    return slope * (y * y - _THIRD)


def _sigmoid_sixth(_: arb, slope: arb, __: arb) -> arb:
    return slope * (_SIXTH - slope)


def _softplus_sixth(_: arb, p: arb, second: arb) -> arb:
    return second * (_THIRD - p * 2 * _THIRD)


UNITS = {
    "tanh": Unit(
        lambda z: _ends(arb.tanh, z), _tanh_slopes, half_third=_tanh_third, jets=_tanh_jets, sixth=_tanh_sixth
    ),
    "sigmoid": Unit(
        lambda z: _ends(_sigmoid_point, z), _sigmoid_slopes, half_third=_sigmoid_third, sixth=_sigmoid_sixth
    ),
    "softplus": Unit(
        lambda z: _ends(_softplus_point, z), _softplus_slopes, half_third=_softplus_third, sixth=_softplus_sixth
    ),
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
