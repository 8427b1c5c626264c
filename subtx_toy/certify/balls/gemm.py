"""A test of the matrix product before it is trusted, and the name of the BLAS kernel that did it."""

from __future__ import annotations

import ctypes
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from subtx_toy.errors import InputError
from subtx_toy.seeding import generator

_SHAPES = ((3, 5, 2), (64, 64, 64), (200, 257, 256), (256, 784, 64))
_LOOKED_AT = 8  # rows and columns of a product whose entries are computed exactly


def check_products() -> None:
    """Compare matrix products with exact ones, entry by entry, under the rounding model.

    Rows and columns are scaled by powers of two from 2^-40 to 2^40: a product by rows and columns does not see it, one
    by Strassen's method mixes them and loses the small entries. Subnormals must survive.
    """
    for number, (n, k, m) in enumerate(_SHAPES):
        rng = generator(0, "certify", "gemm", number)
        a = rng.standard_normal((n, k)) * 2.0 ** rng.integers(-40, 41, (n, 1))
        b = rng.standard_normal((k, m)) * 2.0 ** rng.integers(-40, 41, (1, m))
        worst = worst_error(a, b, a @ b)
        if not worst <= 1:
            raise InputError(
                f"BLAS: expected products within k u |x||y|, got {worst:.3g} times that at {(n, k, m)} with {kernel()}"
            )
    least = np.full((2, 2), 2.0**-1074)
    if not (np.array_equal(least @ np.eye(2), least) and np.array_equal(least * 1.0 + 0.0, least)):
        raise InputError("arithmetic: expected subnormal numbers to be kept, got them flushed to zero")


def worst_error(a: np.ndarray, b: np.ndarray, product: np.ndarray) -> float:
    """Return the largest error of a product in units of k u |x||y|, over some rows and columns, computed exactly."""
    rows = np.unique(np.linspace(0, a.shape[0] - 1, _LOOKED_AT).astype(int))
    columns = np.unique(np.linspace(0, b.shape[1] - 1, _LOOKED_AT).astype(int))
    # Numbers as integers times one power of two, so that Python's integers add them without rounding.
    left, right = _integers(a[rows]), _integers(b[:, columns])
    exact, size = left @ right, np.abs(left) @ np.abs(right)
    found = _integers(product[np.ix_(rows, columns)], 2 * _SCALE)
    gaps = np.abs(found - exact)
    return max(
        int(gap) * 2**53 / (int(one) * a.shape[1]) if one else float(gap > 0)
        for gap, one in zip(gaps.ravel(), size.ravel(), strict=True)
    )


_SCALE = 200  # entries of the test are multiples of 2^-200


def _integers(values: np.ndarray, scale: int = _SCALE) -> np.ndarray:
    found = np.empty(values.shape, dtype=object)
    for place, value in np.ndenumerate(values):
        top, bottom = float(value).as_integer_ratio()
        found[place] = top * 2**scale // bottom
    return found


@cache
def kernel() -> str:
    """Name the BLAS of numpy, its version and, for OpenBLAS, the kernel chosen for this processor."""
    built = np.__config__.CONFIG["Build Dependencies"]["blas"]
    name = f"{built.get('name', 'unknown')} {built.get('version', '')}".strip()
    ask = _openblas("get_corename")
    if ask is None:
        return name
    ask.restype = ctypes.c_char_p
    return f"{name}, kernel {ask().decode()}"


def one_thread() -> None:
    """Ask OpenBLAS for one thread; several of these sizes wait for one another longer than they compute."""
    ask = _openblas("set_num_threads")
    if ask is not None:
        ask.restype = None
        ask(ctypes.c_int(1))


def _openblas(function: str) -> Any:
    # The library that numpy's wheel brings along, already loaded; the names carry the prefix and suffix of its build.
    for library in sorted((Path(np.__file__).parent.parent / "numpy.libs").glob("*openblas*")):
        for symbol in (f"scipy_openblas_{function}64_", f"openblas_{function}64_", f"openblas_{function}"):
            try:
                return getattr(ctypes.CDLL(str(library)), symbol)
            except (OSError, AttributeError):
                continue
    return None
