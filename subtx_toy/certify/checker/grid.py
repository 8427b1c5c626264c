"""Rounding arb matrices to a grid, where products of full precision would take most of the time and prove no more.

arb multiplies matrices of numbers that are multiples of one power of two, and have few bits, several times faster. What
rounding changes is added to the radii, so every enclosure still holds.
"""

from __future__ import annotations

from functools import lru_cache

from flint import arb, arb_mat, ctx

FINE, COARSE = 56, 32
"""Bits below the largest entries: for values, and for slopes and remainders over a box, which need few digits."""

_SAMPLE = 64  # rows and columns looked at for the largest entries; a wrong guess costs digits or time alone
_LARGEST_EXPONENT = 2**20


def on_grid(given: arb_mat, bits: int | None) -> arb_mat:
    """Round to multiples of 2^-bits of a power of two near the largest entry, outwards; as it is without ``bits``."""
    if bits is None:
        return given
    top = _top(given)
    if top is None:
        return given
    shift = _ones(given.nrows(), given.ncols()) * (arb(1.5) * arb(2) ** (top + 2))
    with ctx.workprec(bits):
        return (given + shift) - shift


def _top(given: arb_mat) -> int | None:
    rows, columns = (range(0, size, size // _SAMPLE + 1) for size in (given.nrows(), given.ncols()))
    found = arb(0)
    for place, row in enumerate(rows):  # along diagonals: one entry of every row, then one of every column
        found = found.max(given[row, columns[place % len(columns)]].abs_upper())
    for place, column in enumerate(columns):
        found = found.max(given[rows[place % len(rows)], column].abs_upper())
    if not found.is_finite() or found.is_zero():
        return None
    mantissa, exponent = found.man_exp()
    top = int(exponent) + mantissa.bit_length()
    return top if abs(top) < _LARGEST_EXPONENT else None


@lru_cache(maxsize=8)
def _ones(rows: int, columns: int) -> arb_mat:
    return arb_mat(rows, columns, [1] * (rows * columns))
