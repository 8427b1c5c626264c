"""Taylor enclosures along the ray: coefficients at the middle of a box, and the last one over all of it.

For f along the ray, eps = c + t with t in the box about its middle c, and f_k the k-th derivative over k!:

    f(eps) = f_0(c) + f_1(c) t + ... + f_K(xi) t^K,     likewise for the lower coefficients

A ``Path`` holds f_0 ... f_{K-1} at c and an enclosure of f_K over the box. For relu K is 1: the last enclose the slopes
(Clarke's, so kinks may lie inside), by the mean value theorem.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import reduce
from math import comb

from flint import arb, arb_mat


@dataclass(frozen=True)
class Range:
    """The step sizes of a box as ``c + t``: exact ``c`` and an enclosure of ``t``."""

    c: arb
    t: arb

    def power(self, number: int) -> arb:
        """Enclose t^number over the box; an even power is not below zero, but for rounding."""
        if number <= 1:
            return self.t if number else arb(1)
        low, high = self.t.lower(), self.t.upper()
        ends = (low**number).union(high**number)
        return ends.union(arb(0)) if number % 2 == 0 and low < 0 < high else ends


@dataclass(frozen=True)
class Path:
    """A matrix along a box: coefficients 0, 1 and 2 at the middle are ``value``, ``slope``, ``half``.

    ``last`` encloses coefficient K over the box. ``half`` is None where K is 2, and ``slope`` too where it is 1.
    """

    value: arb_mat
    slope: arb_mat | None
    last: arb_mat
    half: arb_mat | None = None

    @classmethod
    def of(cls, parts: Sequence[arb_mat]) -> Path:
        """Build one from its coefficients at the middle and the last one."""
        value, *between, last = parts
        return cls(value, between[0] if between else None, last, between[1] if len(between) > 1 else None)

    def parts(self) -> list[arb_mat]:
        """Return the coefficients at the middle, then the last one over the box."""
        return [one for one in (self.value, self.slope, self.half) if one is not None] + [self.last]

    def coefficients(self, over: Range, number: int) -> arb_mat:
        """Enclose one coefficient on the whole box, by Taylor's theorem."""
        parts = self.parts()
        found = parts[number]
        for k in range(number + 1, len(parts)):
            found = found + parts[k] * (over.power(k - number) * comb(k, number))
        return found

    def whole(self, over: Range) -> list[arb_mat]:
        """Enclose every coefficient on the whole box, from the value on."""
        return [*(self.coefficients(over, number) for number in range(len(self.parts()) - 1)), self.last]

    def step(self, over: Range) -> arb_mat:
        """Enclose the difference from the middle on the whole box."""
        _, first, *higher = self.parts()
        found = first * over.t
        for k, one in enumerate(higher, start=2):
            found = found + one * over.power(k)
        return found

    def linear(self, function: Callable[[arb_mat], arb_mat]) -> Path:
        """Send it through a linear map that does not depend on eps."""
        return Path.of([function(one) for one in self.parts()])


def entrywise(function: Callable[..., arb], *matrices: arb_mat) -> arb_mat:
    """Apply a function entry by entry."""
    first = matrices[0]
    entries = [function(*one) for one in zip(*(each.entries() for each in matrices), strict=True)]
    return arb_mat(first.nrows(), first.ncols(), entries)


def nothing(like: arb_mat) -> arb_mat:
    """Return zeros of the same shape."""
    return arb_mat(like.nrows(), like.ncols())


def multiplied(a: Path, b: Path, over: Range, product: Callable[[arb_mat, arb_mat, int], arb_mat]) -> Path:
    """Multiply two paths by a bilinear ``product``, which is told the coefficient that it is for."""
    order = len(a.parts()) - 1
    at_middle = [
        _sum(product(a.parts()[j], b.parts()[k - j], k) for j in range(k + 1)) for k in range(order)
    ]  # fmt: skip
    whole_a, whole_b = a.whole(over), b.whole(over)
    return Path.of([*at_middle, _sum(product(whole_a[j], whole_b[order - j], order) for j in range(order + 1))])


def _sum(matrices: Iterable[arb_mat]) -> arb_mat:
    return reduce(arb_mat.__add__, matrices)


def dot(a: Sequence[arb], b: Sequence[arb]) -> arb:
    """Return the inner product."""
    return sum((x * y for x, y in zip(a, b, strict=True)), arb(0))
