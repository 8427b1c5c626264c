"""Layers of a chain as maps of jets: linear ones that move with the step size, pooling, activations, normalisation.

The numbers of one input stand in one row, channels behind one another, whatever their shape.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from subtx_toy.certify.activations import ACTIVATIONS, Series, product_term, square_term
from subtx_toy.certify.balls import Ball, dot, nonlinear
from subtx_toy.certify.balls.ball import stack, zeros
from subtx_toy.certify.chain.layout import Shape, Words, all_channels, seen
from subtx_toy.certify.jets import Box, Jet, from_terms


@dataclass(frozen=True)
class Moving:
    """An array along the ray: what it is at the shared init, and its rate; both zero where a layer has none."""

    base: Ball
    rate: Ball

    def at(self, eps: float) -> Ball:
        """Enclose it at one step size."""
        return self.base + self.rate * Ball.exact(eps)


class Affine:
    """A linear layer or a convolution: every position sees some inputs, and all positions share the weights."""

    def __init__(self, words: Words, shape: Shape, weight: Moving, bias: Moving) -> None:
        self.weight, self.bias = weight, bias
        if words["kind"] == "conv2d":
            kernel = weight.base.shape[2:]
            taps = all_channels(seen(words, shape, kernel), shape[0], math.prod(shape[1:]))
            self.seen = taps.transpose(1, 0, 2).reshape(taps.shape[1], -1)
            self.weight = _moved(weight, lambda array: _ungrouped(array, words["groups"]))
            self.channels_first = True
        else:
            self.seen = np.arange(math.prod(shape)).reshape(-1, shape[-1])
            self.weight = _moved(weight, lambda array: array.T.copy())
            self.channels_first = False

    def _windows(self, x: Ball) -> Ball:
        # [rows, inputs] -> [rows * positions, inputs of a position]; column -1 is the zero of the padding
        padded = stack([x, zeros((x.shape[0], 1))], axis=1)
        return reshaped(padded[:, self.seen], -1, self.seen.shape[1])

    def __call__(self, a: Jet, box: Box) -> Jet:
        """Send a jet through: z_k = a_k W(c) + a_(k-1) G, and over the box z_K = a_K W(c) + (a_(K-1) + t a_K) G."""
        K = len(a.centre)
        moved = a.box[K - 1] + a.box[K] * box.power(1)
        rows, windows = a.centre[0].shape[0] * len(self.seen), self._windows
        through_weight = dot(windows(stack(a.terms)), self.weight.at(box.centre))
        through_rate = dot(windows(stack([*a.centre[:-1], moved])), self.weight.rate)
        terms = [through_weight[k * rows : (k + 1) * rows] for k in range(K + 1)]
        for k in range(1, K + 1):
            terms[k] = terms[k] + through_rate[(k - 1) * rows : k * rows]
        terms[0] = terms[0] + self.bias.at(box.centre)
        terms[1] = terms[1] + self.bias.rate
        return from_terms([self._in_rows(one) for one in terms], box)

    def _in_rows(self, z: Ball) -> Ball:
        positions, outputs = len(self.seen), z.shape[1]
        z = reshaped(z, -1, positions, outputs)
        if self.channels_first:
            z = Ball(z.mid.transpose(0, 2, 1), z.rad.transpose(0, 2, 1))
        return reshaped(z, -1, positions * outputs)


class Pool:
    """Means over windows of each channel; the zeros of the padding count."""

    def __init__(self, words: Words, shape: Shape) -> None:
        taps = seen(words, shape, tuple(words["kernel"]))
        self.seen = all_channels(taps, shape[0], math.prod(shape[1:])).reshape(-1, taps.shape[1])

    def _means(self, x: Ball) -> Ball:
        padded = stack([x, zeros((x.shape[0], 1))], axis=1)
        return padded[:, self.seen].sum(-1).over(float(self.seen.shape[1]))

    def __call__(self, a: Jet, box: Box) -> Jet:
        """Send a jet through."""
        return from_terms([self._means(one) for one in a.terms], box)


class Pointwise:
    """An activation."""

    def __init__(self, words: Words) -> None:
        self.activation = ACTIVATIONS[words["kind"]]
        self.smooth = self.activation.smooth

    def __call__(self, a: Jet, box: Box) -> Jet:
        """Send a jet through."""
        return a.map(self.activation.series, box)


class Normalise:
    """Layer normalisation over the last axes: (x - mean) / sqrt(var + eps), then a weight and a bias that move."""

    def __init__(self, words: Words, weight: Moving | None, bias: Moving | None) -> None:
        self.width, self.eps = math.prod(words["shape"]), float(words["eps"])
        self.weight, self.bias = (
            None if one is None else _moved(one, lambda array: array.reshape(1, -1)) for one in (weight, bias)
        )

    def series(self, x: Series) -> Series:
        """Return the coefficients of (x - mean) / sqrt(var + eps) for those of rows ``[n, width]``."""
        gaps = [one - _column(one.sum(-1).over(float(self.width))) for one in x]
        variance = [square_term(gaps, k).sum(-1).over(float(self.width)) for k in range(len(x))]
        scale = inverse_root(variance, self.eps)
        return [product_term(gaps, [_column(one) for one in scale], k) for k in range(len(x))]

    def __call__(self, a: Jet, box: Box) -> Jet:
        """Send a jet through."""
        rows = a.centre[0].shape[0]

        def shaped(terms: Series, *shape: int) -> Series:
            return [reshaped(one, *shape) for one in terms]

        flat = Jet(shaped(a.centre, -1, self.width), shaped(a.box, -1, self.width))
        y = flat.map(self.series, box)
        if self.weight is not None:
            y = self._scaled(y, self.weight, box)
        if self.bias is not None:
            terms = y.terms
            terms[0] = terms[0] + self.bias.at(box.centre)
            terms[1] = terms[1] + self.bias.rate
            y = from_terms(terms, box)
        return Jet(shaped(y.centre, rows, -1), shaped(y.box, rows, -1))

    def _scaled(self, y: Jet, weight: Moving, box: Box) -> Jet:
        K, at_centre = len(y.centre), weight.at(box.centre)
        terms = [one * at_centre for one in y.terms]
        for k in range(1, K):
            terms[k] = terms[k] + y.centre[k - 1] * weight.rate
        terms[K] = terms[K] + (y.box[K - 1] + y.box[K] * box.power(1)) * weight.rate
        return from_terms(terms, box)


def inverse_root(v: Series, eps: float) -> Series:
    """Return the coefficients of s = (v + eps)^(-1/2) for v >= 0: 2 (v + eps) s' = -v' s.

    Order by order, k (v_0 + eps) s_k = - sum_{j=1}^k (k - j/2) v_j s_(k-j), and 1/(v_0 + eps) = s_0^2.
    """
    first = v[0] + Ball.exact(eps)
    lower = np.maximum(first.lower(), eps)
    found = [nonlinear.inverse_root(Ball.between(lower, np.maximum(first.upper(), lower)))]
    inverse = found[0].square()
    for k in range(1, len(v)):
        total = (v[1] * found[k - 1]).scaled(k - 0.5)
        for j in range(2, k + 1):
            total = total + (v[j] * found[k - j]).scaled(k - 0.5 * j)
        found.append(-(total.over(float(k)) * inverse))
    return found


def reshaped(ball: Ball, *shape: int) -> Ball:
    """Return the same numbers in another shape."""
    return Ball(ball.mid.reshape(shape), ball.rad.reshape(shape))


def _column(ball: Ball) -> Ball:
    return Ball(ball.mid[..., None], ball.rad[..., None])


def _moved(value: Moving, function: Callable[[np.ndarray], np.ndarray]) -> Moving:
    base, rate = (Ball(function(one.mid), function(one.rad)) for one in (value.base, value.rate))
    return Moving(base, rate)


def _ungrouped(weight: np.ndarray, groups: int) -> np.ndarray:
    # [out, in of a group, y, x] -> [in * y * x, out], with zeros where a group does not see the channel
    outputs, channels, *kernel = weight.shape
    whole = np.zeros((outputs, groups, channels, *kernel))
    per_group = outputs // groups
    for output in range(outputs):
        whole[output, output // per_group] = weight[output]
    return np.ascontiguousarray(whole.reshape(outputs, -1).T)
