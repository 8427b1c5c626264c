"""The layers of a chain as maps of second-order paths, each written down from its definition."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import product
from typing import NamedTuple

from flint import arb, arb_mat

from subtx_toy.certify.checker.chain import Chain, Layer
from subtx_toy.certify.checker.path import Path, Range, dot

Row = list[arb]


class Rounding(NamedTuple):
    """What is done to a matrix before it is multiplied: for values, and for slopes and remainders."""

    fine: Callable[[arb_mat], arb_mat]
    coarse: Callable[[arb_mat], arb_mat]


def numbers(chain: Chain, layer: Layer, kind: str) -> tuple[Row, Row] | None:
    """Return an array of a layer at the init and its direction, the exact sum of its parts; None if it has none."""
    base = chain.array(layer, kind)
    if base is None:
        return None
    motion = chain.array(layer, kind, "direction.")
    assert motion is not None
    low = chain.array(layer, kind, "direction_low.")
    moved = [arb(one) for one in motion.ravel().tolist()]
    if low is not None:
        moved = [one + arb(other) for one, other in zip(moved, low.ravel().tolist(), strict=True)]
    return [arb(one) for one in base.ravel().tolist()], moved


def _seen(layer: Layer, kernel: Sequence[int], channels: Sequence[int], y: int, x: int) -> list[int]:
    """Return which inputs the output at ``(y, x)`` sees in these channels, tap by tap; -1 for the zeros around."""
    _, height, width = layer.before
    (step_y, step_x), (pad_y, pad_x) = layer.words["stride"], layer.words["padding"]
    far_y, far_x = layer.words.get("dilation", (1, 1))
    found = []
    for channel, tap_y, tap_x in product(channels, range(kernel[0]), range(kernel[1])):
        row, column = y * step_y - pad_y + tap_y * far_y, x * step_x - pad_x + tap_x * far_x
        inside = 0 <= row < height and 0 <= column < width
        found.append((channel * height + row) * width + column if inside else -1)
    return found


class Affine:
    """A linear layer or a convolution, as a product of the numbers that each position sees with one matrix."""

    def __init__(self, chain: Chain, layer: Layer) -> None:
        assert layer.weight is not None
        weight, bias = numbers(chain, layer, "weight"), numbers(chain, layer, "bias")
        assert weight is not None
        self.outputs = layer.weight[0]
        self.convolves = layer.kind == "conv2d"
        self.positions, self.width = layer.windows
        self.seen: list[int] | None = None
        if self.convolves:
            places = product(*(range(size) for size in layer.after[1:]))
            channels, kernel = range(layer.before[0]), layer.weight[2:]
            self.seen = [one for y, x in places for one in _seen(layer, kernel, channels, y, x)]
        self.W, self.G = (self._matrix(layer, one) for one in weight)
        rows = len(chain.inputs) * self.positions
        zero = [arb(0)] * self.outputs
        self.b, self.g = (arb_mat(rows, self.outputs, one * rows) for one in (bias or (zero, zero)))

    def _matrix(self, layer: Layer, entries: Row) -> arb_mat:
        # [numbers of a position, outputs]; a channel of another group has no part in an output
        shape = layer.weight
        assert shape is not None
        if not self.convolves:
            return arb_mat(self.outputs, self.width, entries).transpose()
        per_group, taps = shape[1], math.prod(shape[2:])
        outputs_per_group = self.outputs // layer.words["groups"]
        found = []
        for channel, tap, output in product(range(layer.before[0]), range(taps), range(self.outputs)):
            group, place = divmod(channel, per_group)
            own = output // outputs_per_group == group
            found.append(entries[(output * per_group + place) * taps + tap] if own else arb(0))
        return arb_mat(self.width, self.outputs, found)

    def _windows(self, values: arb_mat) -> arb_mat:
        if self.seen is None:
            return values if self.positions == 1 else _shaped(values, self.width)
        entries: Row = []
        for row in values.tolist():
            framed = [*row, arb(0)]  # at place -1
            entries += [framed[place] for place in self.seen]
        return arb_mat(values.nrows() * self.positions, self.width, entries)

    def _rows(self, values: arb_mat) -> arb_mat:
        entries, size = values.entries(), self.positions * self.outputs
        if not self.convolves:
            return arb_mat(len(entries) // size, size, entries)
        order = [place * self.outputs + output for output in range(self.outputs) for place in range(self.positions)]
        inputs = range(0, len(entries), size)
        return arb_mat(len(inputs), size, [entries[begin + place] for begin in inputs for place in order])

    def through(self, a: Path, over: Range, by: Rounding) -> Path:
        """Send a path through: z = a (W + eps G) + b + eps g, and its derivatives by the product rule."""
        fine, coarse = by
        W, b, G = self.W + self.G * over.c, self.b + self.g * over.c, coarse(self.G)
        a = a.linear(self._windows)
        value, whole_W = fine(a.value) * fine(W) + b, coarse(W)
        whole, slope = a.whole(over)[:2]
        around = coarse(a.last) * whole_W
        if a.slope is None:
            found = Path(value, None, around + coarse(whole + a.last * over.t) * G + self.g)
        else:
            at_middle = coarse(a.slope) * whole_W + coarse(a.value) * G + self.g
            found = Path(value, at_middle, around + coarse(slope + a.last * over.t) * G)
        return found.linear(self._rows)


class Pool:
    """Means over windows of a channel, the zeros of the padding included."""

    def __init__(self, layer: Layer) -> None:
        kernel = layer.words["kernel"]
        places = product(*(range(size) for size in layer.after))
        windows = [_seen(layer, kernel, [channel], y, x) for channel, y, x in places]
        self.windows = [[place for place in window if place >= 0] for window in windows]
        self.count = arb(math.prod(kernel))

    def _means(self, values: arb_mat) -> arb_mat:
        return arb_mat(
            [
                [sum((row[place] for place in window), arb(0)) / self.count for window in self.windows]
                for row in values.tolist()
            ]
        )

    def through(self, a: Path) -> Path:
        """Send a path through."""
        return a.linear(self._means)


class LayerNorm:
    """(x - mean) / sqrt(var + eps) over the last axes, times a weight, plus a bias."""

    def __init__(self, chain: Chain, layer: Layer) -> None:
        self.width, self.eps = math.prod(layer.words["shape"]), arb(float(layer.words["eps"]))
        self.weight, self.bias = numbers(chain, layer, "weight"), numbers(chain, layer, "bias")

    def through(self, x: Path, over: Range) -> Path:
        """Send a path through."""
        size = x.value.ncols()
        centred = x.linear(lambda values: _shaped(values, self.width)).linear(_centred)
        whole, whole_slope = (one.tolist() for one in centred.whole(over)[:2])
        parts = [one.tolist() for one in centred.parts()]
        smooth = x.slope is not None
        found = [
            (self._smooth if smooth else self._kinked)(over, *rows)
            for rows in zip(whole, whole_slope, *parts, strict=True)
        ]
        found = [self._scaled(rows, over) for rows in found]
        value, *rest = (arb_mat([rows[part] for rows in found]) for part in range(len(parts)))
        path = Path(value, rest[0] if smooth else None, rest[-1])
        return path.linear(lambda values: _shaped(values, size))

    def _mean(self, a: Row, b: Row) -> arb:
        found: arb = dot(a, b) / self.width
        return found

    def _root(self, variance: arb) -> arb:
        # At both ends: it falls. The variance is not negative, whatever its enclosure says.
        inside: arb = (variance + self.eps).max(self.eps)
        ends: list[arb] = [inside.upper().rsqrt(), inside.lower().rsqrt()]
        return ends[0].union(ends[1])

    def _smooth(self, over: Range, whole: Row, whole_slope: Row, d: Row, slope: Row, half: Row) -> list[Row]:
        t, t_squared = over.t, over.power(2)
        v, v1 = self._mean(d, d), 2 * self._mean(d, slope)
        v2 = self._mean(whole_slope, whole_slope) + 2 * self._mean(whole, half)  # half of the second derivative
        V = _narrower(v + v1 * t + v2 * t_squared, self._mean(whole, whole))
        V1 = v1 + 2 * v2 * t
        r, R = self._root(v), self._root(V)
        r1, R1 = -v1 * r**3 / 2, -V1 * R**3 / 2
        R2 = V1 * V1 * R**5 * 3 / 8 - v2 * R**3 / 2
        return [
            [one * r for one in d],
            [one * r + other * r1 for one, other in zip(slope, d, strict=True)],
            [a * R + b * R1 + c * R2 for a, b, c in zip(half, whole_slope, whole, strict=True)],
        ]

    def _kinked(self, over: Range, whole: Row, slopes: Row, d: Row, _: Row) -> list[Row]:
        v, V1 = self._mean(d, d), 2 * self._mean(whole, slopes)
        R = self._root(_narrower(v + V1 * over.t, self._mean(whole, whole)))
        R1, r = -V1 * R**3 / 2, self._root(v)
        return [[one * r for one in d], [a * R + b * R1 for a, b in zip(slopes, whole, strict=True)]]

    def _scaled(self, parts: list[Row], over: Range) -> list[Row]:
        if self.weight is not None:
            weights, rates = self.weight
            columns = zip(*parts, weights, rates, strict=True)
            parts = [list(row) for row in zip(*(_times(one, over) for one in columns), strict=True)]
        if self.bias is not None:
            biases, rates = self.bias
            parts[0] = [y + b + g * over.c for y, b, g in zip(parts[0], biases, rates, strict=True)]
            parts[1] = [y + g for y, g in zip(parts[1], rates, strict=True)]
        return parts


def _times(given: Sequence[arb], over: Range) -> list[arb]:
    """Multiply a path of one number by a weight that moves: its parts, then the weight at the init and its rate."""
    *parts, base, rate = given
    weight, value, last = base + rate * over.c, parts[0], parts[-1]
    if len(parts) == 2:
        return [value * weight, last * (weight + rate * over.t) + (value + last * over.t) * rate]
    slope = parts[1]
    moving = slope + last * (2 * over.t)
    return [value * weight, slope * weight + value * rate, last * (weight + rate * over.t) + moving * rate]


def _narrower(a: arb, b: arb) -> arb:
    """Return what two enclosures of one number have in common."""
    return a.intersection(b) if a.is_finite() and b.is_finite() else b


def _centred(values: arb_mat) -> arb_mat:
    found = []
    for row in values.tolist():
        mean = sum(row, arb(0)) / len(row)
        found.append([one - mean for one in row])
    return arb_mat(found)


def _shaped(values: arb_mat, width: int) -> arb_mat:
    entries = values.entries()
    return arb_mat(len(entries) // width, width, entries)
