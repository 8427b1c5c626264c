"""Jets: Taylor coefficients at the centre of a box of step sizes, and their enclosures over the whole box."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import reduce

import numpy as np

from subtx_toy.certify.activations import Series
from subtx_toy.certify.balls import Ball
from subtx_toy.certify.balls.ball import tighter
from subtx_toy.certify.balls.rounding import down, up


@dataclass(frozen=True)
class Box:
    """The step sizes from ``lo`` to ``hi``; a box that begins at 0 is expanded about 0, others about their middle."""

    lo: float
    hi: float

    @property
    def centre(self) -> float:
        """Where the thin coefficients are taken: any float64 number inside."""
        return 0.0 if self.lo == 0 else min(max(0.5 * self.lo + 0.5 * self.hi, self.lo), self.hi)

    @property
    def at_zero(self) -> bool:
        """Whether the box begins at the shared initialisation, where a power of eps is divided out."""
        return self.lo == 0

    def power(self, m: int) -> Ball:
        """Enclose (eps - centre)^m over the box."""
        if m == 0:
            return Ball.exact(1.0)
        low = 0.0 if self.centre == self.lo else float(down(np.float64(self.lo - self.centre)))
        high = 0.0 if self.centre == self.hi else float(up(np.float64(self.hi - self.centre)))
        step = Ball.between(np.float64(low), np.float64(high))
        total = step
        for _ in range(m - 1):
            total = total * step
        if m % 2 == 0 or low == 0:  # never negative
            return Ball.between(np.float64(0.0), total.upper())
        return total

    def eps(self) -> Ball:
        """Enclose the step sizes themselves."""
        return Ball.between(np.float64(self.lo), np.float64(self.hi))


@dataclass(frozen=True)
class Jet:
    """An array along the ray: coefficients 0 .. K-1 at the centre of a box, and 0 .. K over all of it."""

    centre: Series
    box: Series

    @property
    def terms(self) -> Series:
        """The terms of Taylor's theorem: coefficients 0 .. K-1 at the centre, and coefficient K over the box."""
        return [*self.centre, self.box[-1]]

    def map(self, function: Callable[[Series], Series], box: Box) -> Jet:
        """Send both through a nonlinear function of series."""
        return tightened(Jet(function(self.centre), function(self.box)), box)


def tightened(jet: Jet, box: Box) -> Jet:
    """Narrow the enclosures of the lower coefficients by Taylor's theorem with Lagrange's remainder.

    f_j(eps) = sum_{k=j}^{K-1} C(k,j) f_k(c) (eps - c)^(k-j) + C(K,j) f_K(xi) (eps - c)^(K-j), of which the narrower of
    this and what was there is kept. For K = 1 it is the mean value theorem, which holds for Lipschitz functions whose
    derivative lies in ``box[1]`` almost everywhere.
    """
    enclosures = from_terms(jet.terms, box).box
    return Jet(jet.centre, [tighter(new, old) for new, old in zip(enclosures, jet.box, strict=True)])


def from_terms(terms: Series, box: Box) -> Jet:
    """Build a jet whose enclosures are those of Taylor's theorem alone."""
    K = len(terms) - 1
    return Jet(terms[:K], [*(taylor(terms, box, j) for j in range(K)), terms[K]])


def taylor(terms: Series, box: Box, j: int) -> Ball:
    """Enclose coefficient j < K over the box from those at its centre and the enclosure of coefficient K."""
    K = len(terms) - 1
    total = terms[K].scaled(float(math.comb(K, j))) * box.power(K - j)
    for k in range(K - 1, j, -1):
        total = total + terms[k].scaled(float(math.comb(k, j))) * box.power(k - j)
    return total + terms[j]


def multiplied(a: Jet, b: Jet, box: Box, product: Callable[[Ball, Ball], Ball]) -> Jet:
    """Send two jets through a product that is linear in each."""
    K = len(a.centre)
    pairs = [[(a.centre[j], b.centre[k - j]) for j in range(k + 1)] for k in range(K)]
    pairs.append([(a.box[j], b.box[K - j]) for j in range(K + 1)])
    return from_terms([reduce(Ball.__add__, (product(*one) for one in terms)) for terms in pairs], box)


def divided(terms: Series, box: Box, power: int) -> Ball:
    """Enclose f / eps^power over a box that begins at 0, for an f whose coefficients below ``power`` vanish exactly.

    f(eps) = sum_{k=power}^{K-1} f_k(0) eps^k + f_K(xi) eps^K, so the power of eps is divided out without 0/0.
    """
    K = len(terms) - 1
    total = terms[K] * box.power(K - power)
    for k in range(K - 1, power - 1, -1):
        total = total + terms[k] * box.power(k - power)
    return total


def quotient(value: Ball, box: Box, power: int) -> Ball:
    """Enclose value / eps^power over a box with lo > 0: each end by the end of the box that moves it outwards."""
    lower, upper = value.lower(), value.upper()
    small, large = np.float64(box.lo), np.float64(box.hi)
    with np.errstate(all="ignore"):
        for _ in range(power):
            lower = np.nextafter(lower / np.where(lower > 0, large, small), -np.inf)
            upper = np.nextafter(upper / np.where(upper > 0, small, large), np.inf)
    return Ball.between(lower, upper)
