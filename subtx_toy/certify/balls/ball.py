"""Balls: arrays of centres and radii, and the operations on them that never lose the truth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from subtx_toy.certify.balls.rounding import Array, U, down, inflate, up

_MIN_NORMAL = 2.0**-1022


@dataclass(frozen=True, eq=False)
class Ball:
    """An array of intervals ``[mid - rad, mid + rad]``, ``rad`` >= 0 and possibly infinite; no entry is ever nan."""

    mid: Array
    rad: Array

    @classmethod
    def exact(cls, values: Any) -> Ball:
        """Wrap float64 numbers that are exact."""
        mid = np.asarray(values, dtype=np.float64)
        return cls(mid, np.zeros_like(mid))

    @classmethod
    def between(cls, lower: Array, upper: Array) -> Ball:
        """Enclose every number from ``lower`` to ``upper``."""
        with np.errstate(all="ignore"):
            mid = 0.5 * lower + 0.5 * upper
            return _whole(mid, inflate(np.maximum(upper - mid, mid - lower)))

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the array."""
        return tuple(self.mid.shape)

    @property
    def T(self) -> Ball:  # noqa: N802, numpy's own name
        """The transpose."""
        return Ball(self.mid.T, self.rad.T)

    def __getitem__(self, index: Any) -> Ball:
        return Ball(self.mid[index], self.rad[index])

    def lower(self) -> Array:
        """Return numbers at most as large as everything inside."""
        return down(self.mid - self.rad)

    def upper(self) -> Array:
        """Return numbers at least as large as everything inside."""
        return up(self.mid + self.rad)

    def magnitude(self) -> Array:
        """Return numbers at least as large as the absolute value of everything inside."""
        return up(np.abs(self.mid) + self.rad)

    def __neg__(self) -> Ball:
        return Ball(-self.mid, self.rad)

    def __add__(self, other: Ball) -> Ball:
        with np.errstate(all="ignore"):
            mid = self.mid + other.mid
            return _whole(mid, inflate(self.rad + other.rad + U * np.abs(mid)))

    def __sub__(self, other: Ball) -> Ball:
        return self + (-other)

    def __mul__(self, other: Ball) -> Ball:
        # (a + da)(b + db) = ab + a db + da (b + db)
        with np.errstate(all="ignore"):
            mid = self.mid * other.mid
            spread = np.abs(self.mid) * other.rad + self.rad * (np.abs(other.mid) + other.rad)
            return _whole(mid, inflate(spread + U * np.abs(mid)))

    def scaled(self, factor: float) -> Ball:
        """Multiply by one exact number."""
        with np.errstate(all="ignore"):
            mid = self.mid * factor
            return _whole(mid, inflate(abs(factor) * self.rad + U * np.abs(mid)))

    def over(self, divisor: float) -> Ball:
        """Divide by one exact number that is not zero."""
        with np.errstate(all="ignore"):
            mid = self.mid / divisor
            return _whole(mid, inflate(self.rad / abs(divisor) + U * np.abs(mid)))

    def square(self) -> Ball:
        """Return the square, whose lower end is never below zero."""
        with np.errstate(all="ignore"):
            high = self.magnitude()
            low = np.maximum(np.abs(self.mid) - self.rad, 0.0)
            low = np.maximum(down(low), 0.0)
            return Ball.between(np.maximum(down(low * low), 0.0), up(high * high))

    def sum(self, axis: int | None = None) -> Ball:
        """Add the entries along an axis, or all of them.

        Any order of k terms errs by at most k U times the sum of absolute values, and so does that sum itself.
        """
        with np.errstate(all="ignore"):
            terms = self.mid.size if axis is None else self.mid.shape[axis]
            mid = self.mid.sum(axis)
            spread = (self.rad + (1.01 * terms * U) * np.abs(self.mid)).sum(axis)
            return _whole(np.asarray(mid), np.asarray(inflate(spread * (1 + 4 * terms * U))))


def dot(a: Ball, b: Ball) -> Ball:
    """Return the matrix product of ``a`` ``[n, k]`` and ``b`` ``[k, m]``.

    |ab - fl(mid a . mid b)| <= |mid a| (rad b + k U |mid b|) + rad a (|mid b| + rad b), entry by entry.
    """
    terms = a.shape[1]
    with np.errstate(all="ignore"):
        mid = a.mid @ b.mid
        size = np.abs(b.mid)
        # The last summand outweighs what the others lose to underflow before they are multiplied again.
        spread = np.abs(a.mid) @ (b.rad + (1.01 * terms * U) * size + _MIN_NORMAL)
        if a.rad.any():
            spread = spread + a.rad @ (size + b.rad)
        return _whole(mid, inflate(spread * (1 + 4 * (terms + 2) * U)))


def stack(balls: Sequence[Ball], *, axis: int = 0) -> Ball:
    """Join arrays along an axis that they have."""
    return Ball(np.concatenate([one.mid for one in balls], axis), np.concatenate([one.rad for one in balls], axis))


def tighter(a: Ball, b: Ball) -> Ball:
    """Of two enclosures of the same numbers keep the narrower one, entry by entry."""
    first = a.rad <= b.rad
    return Ball(np.where(first, a.mid, b.mid), np.where(first, a.rad, b.rad))


def zeros(shape: tuple[int, ...]) -> Ball:
    """Return exact zeros."""
    return Ball(np.zeros(shape), np.zeros(shape))


def _whole(mid: Array, rad: Array) -> Ball:
    """Replace what overflowed by the whole real line."""
    # One sum tells whether anything did; it may itself overflow, which only costs the second look.
    if not np.isfinite(np.sum(mid) + np.sum(rad)):
        lost = ~(np.isfinite(mid) & np.isfinite(rad))
        mid, rad = np.where(lost, 0.0, mid), np.where(lost, np.inf, rad)
    return Ball(mid, rad)
