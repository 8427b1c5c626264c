"""Upper bounds of a nonlinearity over the whole real line, and with them of a perceptron's outputs along a ray."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class ActivationBounds:
    """Of a nonlinearity s: |s'| <= slope, |s''| <= bend, |s(z)| <= offset + growth |z|, |s(z)| <= ceiling."""

    slope: float
    bend: float
    offset: float = 0.0
    growth: float = 1.0
    ceiling: float = math.inf


@dataclass(frozen=True)
class LayerNorms:
    """||b||, ||c|| and bounds on ||W||, ||G|| of one layer W + sG, b + sc, and the number of its outputs."""

    W: float
    b: float
    G: float
    c: float
    num_outputs: int


def path_bounds(
    layers: list[LayerNorms],
    limits: ActivationBounds,
    inputs: np.ndarray,
    eps: float | np.ndarray,
    *,
    slack: float,
    slack_of_few: float = 1.0,
) -> tuple[np.ndarray, np.ndarray]:
    """Bound ||z'(s)|| and ||z''(s)|| of the outputs ``[n]`` for s in [0, eps], from the norms ``[n]`` of the inputs.

    Several eps ``[s, 1]`` give bounds ``[s, n]``.

    With w = ||W|| + eps ||G|| of a layer, and a, a', a'' bounds on its input:

        ||z'|| <= ||G|| a + ||c|| + w a'          ||a'|| <= sup|s'| ||z'||
        ||z''|| <= 2 ||G|| a' + w a''             ||a''|| <= sup|s''| ||z'||^2 + sup|s'| ||z''||

    In real arithmetic these hold for every s. The factors a little above 1 cover the rounding of a layer's sums and, if
    that of the few operations in between matters, theirs: all numbers are sums and products of non-negative ones.
    """
    a = inputs
    a1 = a2 = z1 = z2 = np.zeros_like(a)
    for number, layer in enumerate(layers):
        w = (layer.W + eps * layer.G) * slack_of_few
        z = (w * a + layer.b + eps * layer.c) * slack
        z1 = (layer.G * a + layer.c + w * a1) * slack
        z2 = (2 * layer.G * a1 + w * a2) * slack
        if number < len(layers) - 1:
            root = math.sqrt(layer.num_outputs) * slack_of_few
            a = np.minimum((limits.offset * root + limits.growth * z) * slack_of_few, limits.ceiling * root)
            a1, a2 = limits.slope * z1 * slack_of_few, (limits.bend * z1**2 + limits.slope * z2) * slack_of_few
    return z1, z2
