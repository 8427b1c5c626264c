"""Value and first two derivatives along a ray, each enclosed over a range of the step size."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from subtx_toy.theory.taylor.ball import Ball, bilinear, linear


@dataclass(frozen=True, eq=False)
class Jet:
    """Balls that hold x(s), x'(s) and x''(s) for every s of a range; ``order`` of them are asked for."""

    value: Ball
    first: Ball
    second: Ball

    @classmethod
    def constant(cls, value: Tensor) -> Jet:
        """Return what does not move."""
        zero = torch.zeros_like(value)
        return cls(Ball.exact(value), Ball.exact(zero), Ball.exact(zero))

    @property
    def shape(self) -> torch.Size:
        """That of the value."""
        return self.value.mid.shape

    def each(self, move: Callable[[Tensor], Tensor]) -> Jet:
        """Apply what only moves or copies entries."""
        return Jet(*(one.each(move) for one in self.balls))

    @property
    def balls(self) -> tuple[Ball, Ball, Ball]:
        """The three."""
        return self.value, self.first, self.second

    def mapped(self, map_: Callable[[Tensor], Tensor], *, terms: int) -> Jet:
        """Apply a linear map with entries >= 0, see ``linear``."""
        return Jet(*(linear(map_, one, terms=terms) for one in self.balls))

    def scaled(self, factor: float | Tensor) -> Jet:
        """Multiply by numbers that do not move."""
        return Jet(*(one.scaled(factor) for one in self.balls))

    def __add__(self, other: Jet) -> Jet:
        return Jet(*(mine + yours for mine, yours in zip(self.balls, other.balls, strict=True)))

    def __sub__(self, other: Jet) -> Jet:
        return self + -other

    def __neg__(self) -> Jet:
        return Jet(*(-one for one in self.balls))

    def __mul__(self, other: Jet) -> Jet:
        return product(torch.mul, self, other, terms=1)

    def tightened(self, centre: Jet, half: float) -> Jet:
        """Enclose value and first derivative by the mean-value theorem too, from the middle of the range.

        x(s) is within ``half`` sup |x'| of x(middle); ``centre`` is the jet at the middle.
        """
        first = self.first.tightened(_around(centre.first, self.second, half))
        return Jet(self.value.tightened(_around(centre.value, first, half)), first, self.second)


def _around(centre: Ball, slope: Ball, half: float) -> Ball:
    return Ball(centre.mid, centre.rad + half * slope.size).rounded()


def product(map_: Callable[[Tensor, Tensor], Tensor], a: Jet, b: Jet, *, terms: int) -> Jet:
    """Return the jet of a bilinear map: B(a, b)'' = B(a'', b) + 2 B(a', b') + B(a, b'')."""

    def pair(x: Ball, y: Ball) -> Ball:
        return bilinear(map_, x, y, terms=terms)

    value = pair(a.value, b.value)
    zero = Ball.exact(torch.zeros_like(value.mid))

    def total(*pairs: tuple[Ball, Ball, float]) -> Ball:
        found = zero
        for x, y, weight in pairs:
            if not (x.is_zero() or y.is_zero()):
                found = found + pair(x, y).scaled(weight)
        return found

    first = total((a.first, b.value, 1.0), (a.value, b.first, 1.0))
    second = total((a.second, b.value, 1.0), (a.first, b.first, 2.0), (a.value, b.second, 1.0))
    return Jet(value, first, second)


def square(a: Jet) -> Jet:
    """Return the squares; the product of an interval with itself is never negative."""
    low, high, size = a.value.low, a.value.high, a.value.size
    least = torch.where((low > 0) | (high < 0), torch.minimum(low.abs(), high.abs()), torch.zeros_like(low))
    value = Ball.between(least * least, size * size).rounded()
    twice = a.scaled(2.0)
    return Jet(value, twice.value * a.first, twice.first * a.first + twice.value * a.second)
