"""The claim of a file over a box: an enclosure of the rate, by whose lower end the sign is proved."""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce
from math import comb
from typing import Any

import numpy as np
from flint import arb, arb_mat

from subtx_toy.certify.checker.chain import Chain
from subtx_toy.certify.checker.chain_outputs import ChainOutputs
from subtx_toy.certify.checker.network import Network
from subtx_toy.certify.checker.passes import Outputs, probabilities, row_products
from subtx_toy.certify.checker.path import Path, Range, nothing
from subtx_toy.certify.checker.update import Update


@dataclass(frozen=True)
class Enclosed:
    """The smallest rate (over inputs, for every-batch): on the whole box, and at its middle or its beginning at 0.

    Only signs of ``whole`` count, it may be off by a positive factor; ``at_point`` is the rate itself. ``spread`` is
    how much of the value at the middle the remainder over the box takes away: below 1 where the sign is proved.
    """

    whole: arb
    at_point: arb
    spread: float = 1.0


def network_of(
    settings: dict[str, Any], arrays: dict[str, np.ndarray], quantity: str, *, exact: bool = True
) -> Network | Chain:
    """Return the perceptron or the chain that a file's settings and arrays describe.

    Raises:
        Rejected: with what is wrong with its form.
    """
    if "layers" in settings:
        return Chain(settings, arrays, quantity, exact=exact)
    return Network(settings, arrays, quantity, exact=exact)


class ClaimedRate:
    """F(eps) / eps^power of the quantity that a file names."""

    def __init__(self, network: Network | Chain) -> None:
        self.network = network
        if isinstance(network, Chain):
            self.outputs: Outputs | ChainOutputs = ChainOutputs(network)
        else:
            self.outputs = Outputs(network)
            if not network.smooth:
                self.outputs.refuse_kinks()
        self.z0, self.v = self.outputs.start()
        still = Path.of([self.z0, nothing(self.z0)])
        self.answer0 = self._answer(still, Range(arb(0), arb(0))).value
        self.update: Update | None = None
        if isinstance(network, Network) and network.quantity in ("trait-loss", "distance"):
            self.update = Update(network)
        self.loss0 = self.update.loss_at_init() if self.update and network.quantity == "trait-loss" else arb(0)

    @property
    def order(self) -> int:
        """Of Taylor's theorem, by which the remainder over a box shrinks with its width; 2 where it is less."""
        return max(self.network.order, 2)

    def _answer(self, z: Path, over: Range) -> Path:
        return z if self.network.loss == "squared_error" else probabilities(z, self.network.temperature, over)

    def enclose(self, lo: float, hi: float) -> Enclosed:
        """Enclose the rate over a box; one that begins at 0 is expanded there, and the power of eps divided out."""
        at_zero = lo == 0
        c = arb(0) if at_zero else ((arb(lo) + arb(hi)) / 2).mid()
        over = Range(c, (arb(lo) - c).union(arb(hi) - c))
        answer = self._answer(self.outputs.over(over), over)
        value = answer.value - self.answer0
        rho = Path.of([nothing(value) if at_zero else value, *answer.parts()[1:]])
        if self.network.quantity == "distance":
            return self._distance(rho, over, at_zero=at_zero)
        if self.network.quantity == "trait-loss":
            assert self.update is not None
            parts = self.update.trait_loss(rho, over)
            return _rate([self.loss0 - parts[0], *(-one for one in parts[1:])], over, at_zero=at_zero)
        found = [_rate(list(parts), over, at_zero=at_zero) for parts in self._aligned(rho)]
        return Enclosed(
            reduce(arb.min, [one.whole for one in found]),
            reduce(arb.min, [one.at_point for one in found]),
            max(one.spread for one in found),
        )

    def _aligned(self, rho: Path) -> list[list[arb]]:
        # <v, rho> of every input, or their mean: value, slope, last
        parts = [row_products(self.v, part) for part in rho.parts()]
        if self.network.quantity != "every-batch":
            parts = [[sum(one, arb(0)) / len(one)] for one in parts]
        return [list(one) for one in zip(*parts, strict=True)]

    def _distance(self, rho: Path, over: Range, *, at_zero: bool) -> Enclosed:
        assert self.update is not None
        lr, deltas = self.network.student_lr, self.update.backward(rho)
        (aligned,) = self._aligned(rho)
        if at_zero:
            # 2 a/eps - student_lr ||dS/eps||^2 with both quotients enclosed over the box
            update = self.update
            whole, at_point = (
                _divided(aligned, box) * 2 - lr * update.constant_norm([_over_eps(one, box) for one in deltas])
                for box in (over, Range(arb(0), arb(0)))
            )
            return Enclosed(whole, at_point)
        norms = self.update.squared_norm(deltas, over)
        # eps a: coefficients a_k c + a_(k-1), and over the box a_K eps + a_(K-1)
        times = [value * over.c + before for value, before in zip(aligned[:-1], [arb(0), *aligned], strict=False)]
        times.append(aligned[-1] * (over.c + over.t) + _coefficient(aligned, over, len(aligned) - 2))
        parts = [2 * a - lr * b for a, b in zip(times, norms, strict=True)]
        found = _rate(parts, over, at_zero=False)
        return Enclosed(found.whole, found.at_point / over.c, found.spread)


def _rate(parts: list[arb], over: Range, *, at_zero: bool) -> Enclosed:
    if at_zero:
        return Enclosed(_divided(parts, over), _divided(parts, Range(over.c, arb(0))))
    # Only the sign matters over the box: F itself, not F / eps.
    whole = _coefficient(parts, over, 0)
    return Enclosed(whole, parts[0] / over.c, float((1 - whole.lower() / parts[0]).mid()))


def _coefficient(parts: list[arb], over: Range, number: int) -> arb:
    """Enclose a coefficient over the box."""
    terms = (parts[k] * (over.power(k - number) * comb(k, number)) for k in range(number, len(parts)))
    return sum(terms, arb(0))


def _divided(parts: list[arb], over: Range) -> arb:
    """Enclose F / eps over a box at 0, where F(0) = 0: F' + (F''/2) t and so on, or the slopes of a mean value."""
    return sum((parts[k] * over.power(k - 1) for k in range(1, len(parts))), arb(0))


def _over_eps(delta: Path, over: Range) -> arb_mat:
    _, found, *higher = delta.parts()
    for k, one in enumerate(higher, start=1):
        found = found + one * over.power(k)
    return found
