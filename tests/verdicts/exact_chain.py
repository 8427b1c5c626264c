"""What a chain's certificate claims, at one step size with 60 digits: each layer and its derivative by definition."""

from __future__ import annotations

from itertools import product
from typing import Any

import mpmath
import numpy as np

from tests.verdicts.exact_quantity import UNITS

DIGITS = 60


class ExactChain:
    """The alignment of a file's settings and arrays, or the least over its inputs: positive where the claim is true."""

    def __init__(self, settings: dict[str, Any], arrays: dict[str, np.ndarray], quantity: str) -> None:
        self.settings, self.quantity = settings, quantity
        self.arrays = {name: np.vectorize(mpmath.mpf, otypes=[object])(value) for name, value in arrays.items()}
        with mpmath.workdps(DIGITS):
            self.outputs, self.v = self._distilled(mpmath.mpf(0))
            self.still = self._answer(self.outputs)

    def __call__(self, eps: Any) -> Any:
        """Return a(eps)."""
        with mpmath.workdps(DIGITS):
            rho = self._answer(self._distilled(mpmath.mpf(eps))[0]) - self.still
            each = (self.v * rho).sum(1)
            return min(each) if self.quantity == "every-batch" else each.sum() / len(each)

    def _part(self, name: str, eps: Any) -> tuple[Any, Any] | None:
        if name not in self.arrays:
            return None
        rate = self.arrays[f"direction.{name}"] + self.arrays.get(f"direction_low.{name}", 0)
        return self.arrays[name] + eps * rate, rate

    def _distilled(self, eps: Any) -> tuple[Any, Any]:
        found, rates = [], []
        for row in self.arrays["inputs"]:
            x = row.reshape(self.settings["input_shape"])
            dx = x * 0
            for number, words in enumerate(self.settings["layers"]):
                weight, bias = (self._part(f"layers.{number}.{kind}", eps) for kind in ("weight", "bias"))
                x, dx = _layer(words, x, dx, weight, bias)
            found.append(x[self.settings["columns"]])
            rates.append(dx[self.settings["columns"]])
        return np.array(found), np.array(rates)

    def _answer(self, z: Any) -> Any:
        if self.settings["loss"] == "squared_error":
            return z
        tau = mpmath.mpf(self.settings["temperature"])
        powers = np.vectorize(lambda one: mpmath.exp(one / tau), otypes=[object])(z)
        return powers / powers.sum(1)[:, None] / tau


def _layer(words: dict[str, Any], x: Any, dx: Any, weight: Any, bias: Any) -> tuple[Any, Any]:
    kind = words["kind"]
    if kind == "flatten":
        return x.ravel(), dx.ravel()
    if kind in UNITS:
        value, slope = (np.vectorize(one, otypes=[object]) for one in UNITS[kind])
        return value(x), slope(x) * dx
    if kind == "linear":
        (W, G), (b, g) = weight, bias or (0, 0)
        return x.dot(W.T) + b, dx.dot(W.T) + x.dot(G.T) + g
    if kind == "layer_norm":
        return _normalised(words, x, dx, weight or (1, 0), bias or (0, 0))
    if kind == "conv2d":
        (W, G), (b, g) = weight, bias or ([mpmath.mpf(0)] * len(weight[0]),) * 2
        z, dz = _windows(words, x, W, b), _windows(words, dx, W, g)
        return z, dz + _windows(words, x, G, [0] * len(G))
    kernel = words["kernel"]
    mean = np.full((1, 1, *kernel), 1 / mpmath.mpf(kernel[0] * kernel[1]))
    return tuple(np.concatenate([_windows(words, one[None], mean, [0]) for one in channels]) for channels in (x, dx))  # type: ignore[return-value]


def _windows(words: dict[str, Any], x: Any, W: Any, b: Any) -> Any:
    (height, width), (sy, sx), (py, px) = x.shape[1:], words["stride"], words["padding"]
    (ey, ex), groups, (ky, kx) = words.get("dilation", (1, 1)), words.get("groups", 1), W.shape[2:]
    rows, columns = (height + 2 * py - ey * (ky - 1) - 1) // sy + 1, (width + 2 * px - ex * (kx - 1) - 1) // sx + 1
    z = np.full((len(W), rows, columns), mpmath.mpf(0))
    for output, i, j in product(range(len(W)), range(rows), range(columns)):
        first = output // (len(W) // groups) * W.shape[1]
        total = mpmath.mpf(0) + b[output]
        for channel, p, q in product(range(W.shape[1]), range(ky), range(kx)):
            row, column = i * sy + p * ey - py, j * sx + q * ex - px
            if 0 <= row < height and 0 <= column < width:
                total += W[output, channel, p, q] * x[first + channel, row, column]
        z[output, i, j] = total
    return z


def _normalised(words: dict[str, Any], x: Any, dx: Any, weight: Any, bias: Any) -> tuple[Any, Any]:
    axes = tuple(range(x.ndim - len(words["shape"]), x.ndim))
    count = mpmath.mpf(int(np.prod(words["shape"])))

    def mean(value: Any) -> Any:
        return value.sum(axis=axes, keepdims=True) / count

    d, slope = x - mean(x), dx - mean(dx)
    variance = np.asarray(mean(d * d), dtype=object)
    root = np.vectorize(lambda one: 1 / mpmath.sqrt(one + mpmath.mpf(words["eps"])), otypes=[object])(variance)
    y, dy = d * root, slope * root - d * mean(d * slope) * root**3
    return y * weight[0] + bias[0], dy * weight[0] + y * weight[1] + bias[1]
