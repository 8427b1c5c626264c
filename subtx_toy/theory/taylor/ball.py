"""Tensors of balls: sets of numbers by a midpoint and a radius each, with the rounding of every operation inside."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

UNIT = torch.finfo(torch.float64).eps / 2
_TINY = torch.finfo(torch.float64).tiny


@dataclass(frozen=True, eq=False)
class Ball:
    """All tensors whose entries lie within ``rad`` of those of ``mid``; both of one shape, float64, ``rad >= 0``."""

    mid: Tensor
    rad: Tensor

    @classmethod
    def exact(cls, value: Tensor) -> Ball:
        """Return the set of one tensor."""
        return cls(value, torch.zeros_like(value))

    @classmethod
    def between(cls, low: Tensor, high: Tensor) -> Ball:
        """Return balls that hold everything from ``low`` to ``high``."""
        mid = low + (high - low) / 2
        return cls(mid, torch.maximum(high - mid, mid - low) * (1 + 4 * UNIT) + UNIT * mid.abs())

    @property
    def size(self) -> Tensor:
        """The largest absolute values."""
        return self.mid.abs() + self.rad

    @property
    def low(self) -> Tensor:
        """Lower ends, rounded down."""
        return self.mid - self.rad - 2 * UNIT * self.size

    @property
    def high(self) -> Tensor:
        """Upper ends, rounded up."""
        return self.mid + self.rad + 2 * UNIT * self.size

    def each(self, move: Callable[[Tensor], Tensor]) -> Ball:
        """Apply what only moves or copies entries."""
        return Ball(move(self.mid), move(self.rad))

    def rounded(self, terms: int = 1, size: Tensor | None = None) -> Ball:
        """Widen by the rounding of a sum of so many terms whose absolute values add up to ``size``."""
        slack = (terms + 4) * UNIT
        return Ball(self.mid, self.rad * (1 + 2 * slack) + slack * (self.mid.abs() if size is None else size))

    def __add__(self, other: Ball) -> Ball:
        return Ball(self.mid + other.mid, self.rad + other.rad).rounded()

    def __sub__(self, other: Ball) -> Ball:
        return self + -other

    def __neg__(self) -> Ball:
        return Ball(-self.mid, self.rad)

    def __mul__(self, other: Ball) -> Ball:
        return bilinear(torch.mul, self, other, terms=1)

    def scaled(self, factor: float | Tensor) -> Ball:
        """Multiply by numbers that are known exactly."""
        size = abs(factor) if isinstance(factor, float | int) else factor.abs()
        return Ball(self.mid * factor, self.rad * size).rounded()

    def is_zero(self) -> bool:
        """Whether nothing but 0 is in it."""
        return not (self.mid.any() or self.rad.any())

    def tightened(self, other: Ball) -> Ball:
        """Of two sets that hold the same numbers, take the smaller for each entry."""
        better = other.rad < self.rad
        return Ball(torch.where(better, other.mid, self.mid), torch.where(better, other.rad, self.rad))


def linear(map_: Callable[[Tensor], Tensor], a: Ball, *, terms: int) -> Ball:
    """Return the balls of a linear map with entries >= 0 that sums up to ``terms`` entries, such as a mean."""
    return Ball(map_(a.mid), map_(a.rad)).rounded(terms, map_(a.mid.abs()))


def bilinear(map_: Callable[[Tensor, Tensor], Tensor], a: Ball, b: Ball, *, terms: int) -> Ball:
    """Return the balls of a bilinear map that sums up products, ``terms`` of them, such as a matrix product.

    |B(a, b) - B(mid a, mid b)| <= B(|mid a|, rad b) + B(rad a, |mid b| + rad b).

    Reference: Rump 1999, BIT 39, 534-554, midpoint-radius arithmetic.
    """
    slack = (terms + 4) * UNIT
    mid, size = map_(a.mid, b.mid), b.mid.abs()
    rad = map_(a.mid.abs(), b.rad + slack * size) + map_(a.rad, size + b.rad)
    # A product that underflows errs by the least positive number; one that rounds to 0 with its radius is left out.
    return Ball(mid, rad * (1 + 2 * slack) + terms * _TINY * (rad > 0))
