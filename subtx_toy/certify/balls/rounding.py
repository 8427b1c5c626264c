"""The rounding model: what is assumed of float64 arithmetic, in one place.

1. ``+ - * /`` and ``sqrt`` on arrays are correctly rounded to nearest (IEEE 754): the result is ``(1 + d)`` times the
   exact one with |d| <= U = 2^-53, plus at most 2^-1075 where a product or quotient underflows; a sum is exact there.
   Comparisons, ``abs``, ``min``, ``max``, ``rint``, ``ldexp``, ``frexp`` and ``nextafter`` are exact.
2. A matrix product, in whatever order its terms are summed and with or without fused multiply-adds, differs from the
   exact one by at most k U |x| |y| entry by entry, k terms a sum (Jeannerod & Rump 2013, doi:10.1137/120894488), plus
   2^-1074 for every term that underflows. Products by Strassen's method do not obey this; ``gemm`` tests for them.
3. Subnormal numbers are kept, neither operands nor results are flushed to zero; ``gemm`` tests this too.

Nothing is assumed of exp, tanh or any other function of numpy's; ``functions`` has its own.

A radius is a sum of products of non-negative numbers. Computed to nearest with at most 24 roundings on the way to any
term it is at least (1 - U)^24 times the exact value, less what underflows: under 2^-960 in all, as long as no
underflowed number is multiplied again. ``inflate`` makes up for both: (1 + 2^-48)(1 - U)^26 > 1. A sum of k terms has
k - 1 roundings more: ``ball`` multiplies it by 1 + 4 k U or more before.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np

Array: TypeAlias = Any
"""A float64 array, or the float64 scalar that numpy makes of an array without axes."""

U = 2.0**-53
"""Unit roundoff."""

TINY = 2.0**-960
"""More than all underflows of one operation together, and far below anything that matters."""

_GROW = 1 + 2.0**-48


def inflate(radius: Array) -> Array:
    """Return a number at least as large as the exact value of a radius computed with up to 24 roundings."""
    return radius * _GROW + TINY


def down(x: Array) -> Array:
    """Return the next float64 below: at most the exact value of a result rounded to nearest."""
    return np.nextafter(x, -np.inf)


def up(x: Array) -> Array:
    """Return the next float64 above."""
    return np.nextafter(x, np.inf)
