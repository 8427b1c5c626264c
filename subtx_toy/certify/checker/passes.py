"""The teacher's passes: values, activations, softmax and log-sum-exp as Taylor enclosures."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from flint import arb, arb_mat

from subtx_toy.certify.checker.network import Network, Rows, matrix
from subtx_toy.certify.checker.path import Path, Range, dot, entrywise, nothing
from subtx_toy.certify.checker.rejected import Rejected
from subtx_toy.certify.checker.units import Unit, log_sum_exp, softmax


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
    entries, z1, rates = z.value.entries(), z.slope.entries(), z.coefficients(over, 1).entries()
    values, first, second = unit.at(entries)
    steps, last = z.step(over).entries(), z.last.entries()
    slope = [one * rate for one, rate in zip(first, z1, strict=True)]
    if z.half is None:
        there = map(unit.near, entries, first, second, steps)
        rest = [a * half + b * rate * rate for (a, b), rate, half in zip(there, rates, last, strict=True)]
        return Path.of([arb_mat(n, m, one) for one in (values, slope, rest)])
    z2, bends = z.half.entries(), z.coefficients(over, 2).entries()
    half = [a * one + b * rate * rate for a, b, one, rate in zip(first, second, z2, z1, strict=True)]
    near = map(unit.around, entries, values, first, second, steps)
    rest = [
        a * third + (2 * b * bend + c * rate * rate) * rate
        for (a, b, c), rate, bend, third in zip(near, rates, bends, last, strict=True)
    ]
    return Path.of([arb_mat(n, m, one) for one in (values, slope, half, rest)])


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
        still = nothing(rate)
        path = Path.of([value + rate * box.c, rate, *[still] * self.network.order][: self.network.order + 1])
        for layer in range(1, self.network.depth):
            path = self._affine(layer, activated(self.network.unit, path, box), box)
        return path

    def _affine(self, layer: int, a: Path, box: Range) -> Path:
        # z_k = a_k W(c) + a_(k-1) G at the middle; over the box, a_K W(c) + (a_(K-1) + t a_K) G
        fine, coarse = self.network.fine, self.network.coarse
        (W0, b0), (G0, g), G = self.base[layer], self.motions[layer], self.rates[layer]
        W, parts, order = W0 + G0 * box.c, a.parts(), self.network.order
        value, whole_W = fine(a.value) * fine(W) + b0 + g * box.c, coarse(W)
        moving = [*parts[: order - 1], a.coefficients(box, order - 1) + a.last * box.t]
        rest = [coarse(one) * whole_W + coarse(other) * G for one, other in zip(parts[1:], moving, strict=True)]
        return Path.of([value, rest[0] + g, *rest[1:]])

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
    """Send logits through softmax(z / tau) / tau."""
    w = z.linear(lambda one: one * (1 / temperature))
    at_middle, whole = _by_rows(_softmax_series, w.parts()[:-1]), _by_rows(_softmax_series, w.whole(over))
    parts = [*([row[0][k] for row in at_middle] for k in range(len(at_middle[0][0]))), [row[0][-1] for row in whole]]
    return Path.of([arb_mat(one) for one in parts]).linear(lambda one: one * (1 / temperature))


def mean_log_sum_exp(z: Path, over: Range) -> list[arb]:
    """Return the coefficients, the last one over the box, of the mean over rows of log sum e^z."""
    at_middle, whole = _by_rows(_softmax_series, z.parts()[:-1]), _by_rows(_softmax_series, z.whole(over))
    values = [log_sum_exp(row) for row in z.value.tolist()]
    means = [[row[1][k - 1] / k for row in at_middle] for k in range(1, len(at_middle[0][0]))]
    last = [row[1][-1] / len(row[1]) for row in whole]
    return [sum(one, arb(0)) / len(values) for one in (values, *means, last)]


def _softmax_series(*w: Sequence[arb]) -> tuple[list[list[arb]], list[arb]]:
    """Return the coefficients of p = softmax(w), and k times those of log sum e^w from the first on.

    p' = p (w' - <p, w'>) and (log sum e^w)' = <p, w'>, coefficient by coefficient.
    """
    p, means = [softmax(w[0])], list[arb]()
    rates = [[one * k for one in row] for k, row in enumerate(w)]
    gaps: list[list[arb]] = [[]]
    for k in range(1, len(w)):
        means.append(sum((dot(p[k - j], rates[j]) for j in range(1, k + 1)), arb(0)))
        gaps.append([one - means[-1] for one in rates[k]])
        products = ([a * b for a, b in zip(p[k - j], gaps[j], strict=True)] for j in range(1, k + 1))
        p.append([sum(one, arb(0)) / k for one in zip(*products, strict=True)])
    return p, means


def row_products(a: arb_mat, b: arb_mat) -> list[arb]:
    """Return the inner product of every row of ``a`` with that of ``b``."""
    return [dot(*rows) for rows in zip(a.tolist(), b.tolist(), strict=True)]


def _by_rows(
    function: Callable[..., tuple[list[list[arb]], list[arb]]], matrices: list[arb_mat]
) -> list[tuple[list[list[arb]], list[arb]]]:
    return [function(*rows) for rows in zip(*(one.tolist() for one in matrices), strict=True)]
