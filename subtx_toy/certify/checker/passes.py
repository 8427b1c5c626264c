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

from subtx_toy.certify.checker.network import Network, Rows, matrix
from subtx_toy.certify.checker.rejected import Rejected
from subtx_toy.certify.checker.units import Unit, log_sum_exp, softmax


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
        return self.value + self.step(over), self.slope + self.last * (2 * over.t)

    def step(self, over: Range) -> arb_mat:
        """Enclose the difference from the middle on the whole box, where smooth."""
        assert self.slope is not None
        return self.slope * over.t + self.last * over.t_squared

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
    return arb_mat(first.nrows(), first.ncols(), entries)


def nothing(like: arb_mat) -> arb_mat:
    """Return zeros of the same shape."""
    return arb_mat(like.nrows(), like.ncols())


def at_init(network: Network, x: arb_mat, rows: list[int]) -> list[tuple[arb_mat, arb_mat]]:
    """Return input and pre-activation of every layer at the shared init; of the last layer the outputs ``rows``."""
    passed, z = [], x
    for layer in range(network.depth):
        a = entrywise(network.unit.value, z) if layer else x
        chosen: Rows = rows if layer == network.depth - 1 else slice(None)
        z = a * network.weight(layer, rows=chosen) + network.bias(layer, a.nrows(), rows=chosen)
        passed.append((a, z))
    return passed


def activated(unit: Unit, z: Path, over: Range) -> Path:
    """Send a path through the activation."""
    n, m = z.value.nrows(), z.value.ncols()
    if z.slope is None:
        whole, whole_slope = z.whole(over)
        slopes = entrywise(lambda at, slope: unit.slopes(at)[0] * slope, whole, whole_slope)
        return Path(entrywise(unit.value, z.value), None, slopes)
    # One list of entries after the other: this is where most of the time goes.
    entries, rates = z.value.entries(), (z.slope + z.last * (2 * over.t)).entries()
    values, first, second = unit.at(entries)
    slope = [one * rate for one, rate in zip(first, z.slope.entries(), strict=True)]
    steps = z.step(over).entries()
    there = map(unit.near, entries, first, second, steps)
    last = [a * half + b * rate * rate for (a, b), rate, half in zip(there, rates, z.last.entries(), strict=True)]
    return Path(*(arb_mat(n, m, one) for one in (values, slope, last)))


class Outputs:
    """The teacher's distilled outputs along the ray."""

    def __init__(self, network: Network) -> None:
        self.network, n = network, len(network.inputs)
        chosen: list[Rows] = [*[slice(None)] * (network.depth - 1), network.columns]
        self.base = [
            (network.weight(layer, rows=rows), network.bias(layer, n, rows=rows)) for layer, rows in enumerate(chosen)
        ]
        self.motions = [network.motion(layer, n, rows=rows) for layer, rows in enumerate(chosen)]
        self.rates = [network.coarse(G) for G, _ in self.motions]
        x, (W, b), (G, g) = matrix(network.inputs), self.base[0], self.motions[0]
        self.first = x * W + b, x * G + g

    def over(self, box: Range) -> Path:
        """Enclose them over a box, ``[n, k]``."""
        value, rate = self.first
        at_middle = value + rate * box.c
        path = Path(at_middle, rate, nothing(rate)) if self.network.smooth else Path(at_middle, None, rate)
        for layer in range(1, self.network.depth):
            path = self._affine(layer, activated(self.network.unit, path, box), box)
        return path

    def _affine(self, layer: int, a: Path, box: Range) -> Path:
        fine, coarse = self.network.fine, self.network.coarse
        (W0, b0), (G0, g), G = self.base[layer], self.motions[layer], self.rates[layer]
        W, b = W0 + G0 * box.c, b0 + g * box.c
        value, whole_W = fine(a.value) * fine(W) + b, coarse(W)
        whole, slope = a.whole(box)
        through = coarse(a.last) * whole_W
        if a.slope is None:
            return Path(value, None, through + coarse(whole + a.last * box.t) * G + g)
        return Path(
            value, coarse(a.slope) * whole_W + coarse(a.value) * G + g, through + coarse(slope + a.last * box.t) * G
        )

    def start(self) -> tuple[arb_mat, arb_mat]:
        """Return outputs and v = J dT at the init."""
        unit, (value, rate) = self.network.unit, self.first
        for (W, b), (G, g) in zip(self.base[1:], self.motions[1:], strict=True):
            a = entrywise(unit.value, value)
            slope = entrywise(lambda at, one: unit.slopes(at)[0] * one, value, rate)
            value, rate = a * W + b, slope * W + a * G + g
        return value, rate

    def refuse_kinks(self) -> None:
        """Refuse a unit at its kink at the init, where the Jacobian is a convention.

        Raises:
            Rejected: if there is one.
        """
        hidden = at_init(self.network, matrix(self.network.inputs), self.network.columns)[:-1]
        if any(one.contains(0) for _, z in hidden for one in z.entries()):
            raise Rejected("a unit stands at its kink at the shared init")


def probabilities(z: Path, temperature: arb, over: Range) -> Path:
    """Send logits through softmax(z / tau) / tau: p' = p (w' - <p, w'>), and p'' from that."""
    w = z.linear(lambda one: one * (1 / temperature))
    whole, whole_slope = w.whole(over)
    value, p = _by_rows(softmax, w.value), _by_rows(softmax, whole)
    if w.slope is None:
        found = Path(value, None, _by_rows(_first, p, whole_slope))
    else:
        found = Path(value, _by_rows(_first, value, w.slope), _by_rows(_second, p, whole_slope, w.last))
    return found.linear(lambda one: one * (1 / temperature))


def mean_log_sum_exp(z: Path, over: Range) -> list[arb]:
    """Return value, slope (if smooth) and last of the mean over rows of log sum e^z."""
    whole, whole_slope = z.whole(over)
    p = _by_rows(softmax, whole)
    values = [log_sum_exp(row) for row in z.value.tolist()]
    if z.slope is None:
        parts = [values, row_products(p, whole_slope)]
    else:
        bends = row_products(_by_rows(_first, p, whole_slope), whole_slope)
        lasts = [bend / 2 + half for bend, half in zip(bends, row_products(p, z.last), strict=True)]
        parts = [values, row_products(_by_rows(softmax, z.value), z.slope), lasts]
    return [sum(one, arb(0)) / len(values) for one in parts]


def _first(p: Sequence[arb], rate: Sequence[arb]) -> list[arb]:
    mean = dot(p, rate)
    return [a * (b - mean) for a, b in zip(p, rate, strict=True)]


def _second(p: Sequence[arb], rate: Sequence[arb], half: Sequence[arb]) -> list[arb]:
    # (1/2) p'' = (1/2) p' (w' - <p, w'>) + p (w''/2 - <p', w'>/2 - <p, w''/2>)
    mean, slopes = dot(p, rate), _first(p, rate)
    shift = dot(slopes, rate) / 2 + dot(p, half)
    return [s * (r - mean) / 2 + a * (h - shift) for a, s, r, h in zip(p, slopes, rate, half, strict=True)]


def dot(a: Sequence[arb], b: Sequence[arb]) -> arb:
    """Return the inner product."""
    return sum((x * y for x, y in zip(a, b, strict=True)), arb(0))


def row_products(a: arb_mat, b: arb_mat) -> list[arb]:
    """Return the inner product of every row of ``a`` with that of ``b``."""
    return [dot(*rows) for rows in zip(a.tolist(), b.tolist(), strict=True)]


def _by_rows(function: Callable[..., Sequence[arb]], *matrices: arb_mat) -> arb_mat:
    return arb_mat([list(function(*rows)) for rows in zip(*(one.tolist() for one in matrices), strict=True)])
