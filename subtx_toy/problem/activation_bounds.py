"""Upper bounds of a nonlinearity over the whole real line, as the theory and the certificates each list them."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class ActivationBounds:
    """Of a nonlinearity s: |s'| <= slope, |s''| <= bend, |s(z)| <= offset + growth |z|, |s(z)| <= ceiling."""

    slope: float
    bend: float
    offset: float = 0.0
    growth: float = 1.0
    ceiling: float = math.inf
