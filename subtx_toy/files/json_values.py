"""Numbers as JSON can hold them."""

from __future__ import annotations

import math


def finite(value: float) -> float | None:
    """Return a number, or None for nan and infinity, which JSON has not.

    >>> finite(0.5), finite(math.nan)
    (0.5, None)
    """
    return value if math.isfinite(value) else None
