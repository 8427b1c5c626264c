"""Second-order enclosures through the network: values and slopes at the middle of a box, half second derivatives on it.

For f along the ray, eps = c + t with t in the box about its middle c:

    f(eps) = f(c) + f'(c) t + (1/2) f''(xi) t^2,          f'(eps) = f'(c) + f''(xi) t

A ``Path`` holds f(c), f'(c) and an enclosure of f''/2 over the box. For relu it holds f(c) and an enclosure of the
slopes (Clarke's, so kinks may lie inside), by the mean value theorem.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from flint import arb, arb_mat

from subtx_toy.certify.checker.network import Network, grid, matrix, repeated
from subtx_toy.certify.checker.units import log_sum_exp, softmax


@dataclass(frozen=True)
class Range:
    """The step sizes of a box as ``c + t``: exact ``c`` and an enclosure of ``t``."""

    c: arb
    t: arb

    @property
    def t_squared(self) -> arb:
        """Enclose t^2, never below zero."""
        most = self.t.abs_upper()
        return arb(0).union(most * most)


@dataclass(frozen=True)
class Path:
    """A matrix along a box: ``value`` and, where smooth, ``slope`` at the middle; ``last`` encloses the rest.

    ``last`` is half the second derivative, or the slopes where ``slope`` is None.
    """

    value: arb_mat
    slope: arb_mat | None
    last: arb_mat

    def whole(self, over: Range) -> tuple[arb_mat, arb_mat]:
        """Enclose value and slope on the whole box."""
        if self.slope is None:
            return self.value + self.last * over.t, self.last
        return self.value + self.slope * over.t + self.last * over.t_squared, self.slope + self.last * (2 * over.t)

    def linear(self, function: Callable[[arb_mat], arb_mat]) -> Path:
        """Send it through a linear map that does not depend on eps."""
        return Path(function(self.value), None if self.slope is None else function(self.slope), function(self.last))

    def parts(self) -> list[arb_mat]:
        """Return the matrices that there are."""
        return [self.value, self.last] if self.slope is None else [self.value, self.slope, self.last]


def entrywise(function: Callable[..., arb], *matrices: arb_mat) -> arb_mat:
    """Apply a function entry by entry."""
    first = matrices[0]
    entries = [function(*one) for one in zip(*(each.entries() for each in matrices), strict=True)]
    return grid(first.nrows(), first.ncols(), entries)


def activated(network: Network, z: Path, over: Range) -> Path:
    """Send a path through the activation."""
    unit = network.unit
    value = entrywise(unit.value, z.value)
    whole, whole_slope = z.whole(over)
    if z.slope is None:
        return Path(value, None, entrywise(lambda at, slope: unit.slopes(at)[0] * slope, whole, whole_slope))
    slope = entrywise(lambda at, rate: unit.slopes(at)[0] * rate, z.value, z.slope)

    def bend(at: arb, rate: arb, half: arb) -> arb:
        first, second = unit.slopes(at)
        return first * half + second * rate * rate

    return Path(value, slope, entrywise(bend, whole, whole_slope, z.last))


class Outputs:
    """The teacher's distilled outputs along the ray."""

    def __init__(self, network: Network) -> None:
        self.network, self.rows = network, len(network.inputs)
        last = network.depth - 1
        chosen = [network.columns if layer == last else None for layer in range(network.depth)]
        self.weights = [network.weight(layer, rows=rows) for layer, rows in enumerate(chosen)]
        self.rates = [network.weight_rate(layer, rows=rows) for layer, rows in enumerate(chosen)]
        self.biases = [repeated(network.bias(layer, rows=rows), self.rows) for layer, rows in enumerate(chosen)]
        self.bias_rates = [
            repeated(network.bias_rate(layer, rows=rows), self.rows) for layer, rows in enumerate(chosen)
        ]
        x = matrix(network.inputs)
        self.first = x * self.weights[0] + self.biases[0], x * self.rates[0] + self.bias_rates[0]

    def over(self, box: Range) -> Path:
        """Enclose them over a box, ``[n, k]``."""
        value, rate = self.first
        at_middle = value + rate * box.c
        if self.network.smooth:
            path = Path(at_middle, rate, arb_mat(rate.nrows(), rate.ncols()))
        else:
            path = Path(at_middle, None, rate)
        for layer in range(1, self.network.depth):
            path = self._affine(layer, activated(self.network, path, box), box)
        return path

    def _affine(self, layer: int, a: Path, box: Range) -> Path:
        W = self.weights[layer] + self.rates[layer] * box.c
        b = self.biases[layer] + self.bias_rates[layer] * box.c
        G, g = self.rates[layer], self.bias_rates[layer]
        _, slope = whole = a.whole(box)
        if a.slope is None:
            return Path(a.value * W + b, None, a.last * W + (whole[0] + a.last * box.t) * G + g)
        moved = slope + a.last * box.t
        return Path(a.value * W + b, a.slope * W + a.value * G + g, a.last * W + moved * G)

    def start(self) -> tuple[arb_mat, arb_mat]:
        """Return outputs and v = J dT at the init."""
        unit, (value, rate) = self.network.unit, self.first
        for layer in range(1, self.network.depth):
            a = entrywise(unit.value, value)
            slope = entrywise(lambda at, one: unit.slopes(at)[0] * one, value, rate)
            value = a * self.weights[layer] + self.biases[layer]
            rate = slope * self.weights[layer] + a * self.rates[layer] + self.bias_rates[layer]
        return value, rate


def probabilities(z: Path, temperature: arb, over: Range) -> Path:
    """Send logits through softmax(z / tau) / tau: p' = p (w' - <p, w'>), and p'' from that."""
    w = z.linear(lambda one: one * (1 / temperature))
    whole, whole_slope = w.whole(over)
    value = _by_rows(softmax, w.value)
    if w.slope is None:
        made = Path(value, None, _by_rows(_first, _by_rows(softmax, whole), whole_slope))
    else:
        p = _by_rows(softmax, whole)
        made = Path(value, _by_rows(_first, value, w.slope), _by_rows(_second, p, whole_slope, w.last))
    return made.linear(lambda one: one * (1 / temperature))


def mean_log_sum_exp(z: Path, over: Range) -> list[arb]:
    """Return value, slope (if smooth) and last of the mean over rows of log sum e^z."""
    whole, whole_slope = z.whole(over)
    p = _by_rows(softmax, whole)
    rows = range(z.value.nrows())
    values = [log_sum_exp(_row(z.value, i)) for i in rows]
    if z.slope is None:
        parts = [values, [_dot(_row(p, i), _row(whole_slope, i)) for i in rows]]
    else:
        at = _by_rows(softmax, z.value)
        slopes = [_dot(_row(at, i), _row(z.slope, i)) for i in rows]
        first = _by_rows(_first, p, whole_slope)
        lasts = [
            _dot(_row(first, i), _row(whole_slope, i)) / 2 + _dot(_row(p, i), _row(z.last, i)) for i in rows
        ]  # fmt: skip
        parts = [values, slopes, lasts]
    return [sum(one, arb(0)) / len(rows) for one in parts]


def _first(p: Sequence[arb], rate: Sequence[arb]) -> list[arb]:
    mean = _dot(p, rate)
    return [a * (b - mean) for a, b in zip(p, rate, strict=True)]


def _second(p: Sequence[arb], rate: Sequence[arb], half: Sequence[arb]) -> list[arb]:
    # (1/2) p'' = (1/2) p' (w' - <p, w'>) + p (w''/2 - <p', w'>/2 - <p, w''/2>)
    mean, slopes = _dot(p, rate), _first(p, rate)
    shift = _dot(slopes, rate) / 2 + _dot(p, half)
    return [s * (r - mean) / 2 + a * (h - shift) for a, s, r, h in zip(p, slopes, rate, half, strict=True)]


def _dot(a: Sequence[arb], b: Sequence[arb]) -> arb:
    total = arb(0)
    for x, y in zip(a, b, strict=True):
        total += x * y
    return total


def _row(of: arb_mat, i: int) -> list[arb]:
    return [of[i, j] for j in range(of.ncols())]


def _by_rows(function: Callable[..., Sequence[arb]], *matrices: arb_mat) -> arb_mat:
    first = matrices[0]
    entries: list[arb] = []
    for i in range(first.nrows()):
        entries += function(*(_row(one, i) for one in matrices))
    return grid(first.nrows(), first.ncols(), entries)
