"""The teacher's distilled outputs along the ray base + eps dT, enclosed layer by layer."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from subtx_toy.certify.activations import ACTIVATIONS
from subtx_toy.certify.balls import Ball, dot
from subtx_toy.certify.balls.ball import stack, zeros
from subtx_toy.certify.description import Description
from subtx_toy.certify.jets import Box, Jet, from_remainder
from subtx_toy.certify.series import Series
from subtx_toy.errors import InputError

START = Box(0.0, 0.0)


@dataclass(frozen=True)
class Layer:
    """One affine layer as it is used: transposed, ``[in, out]``, and its direction of motion."""

    weight: Ball
    bias: Ball
    weight_rate: Ball
    bias_rate: Ball


class OutputRay:
    """Forward passes along the ray of one description; what does not depend on eps is computed once."""

    def __init__(self, described: Description) -> None:
        self.described = described
        self.activation = ACTIVATIONS[described.activation]
        self.smooth = self.activation.smooth or described.num_layers == 1
        self.layers = [self._layer(number) for number in range(described.num_layers)]
        self.inputs = Ball.exact(described.arrays["inputs"])
        first = self.layers[0]
        # The first pre-activations are affine in eps.
        self._first = dot(self.inputs, first.weight) + first.bias, dot(self.inputs, first.weight_rate) + first.bias_rate

    def _layer(self, number: int) -> Layer:
        described = self.described
        rows = described.columns if number == described.num_layers - 1 else slice(None)
        W, b = described.base(number)
        G, c = described.direction(number)
        low = described.low_direction(number)
        gW, gb = (np.zeros_like(G), np.zeros_like(c)) if low is None else (np.abs(low[0]), np.abs(low[1]))
        return Layer(
            Ball.exact(W[rows].T.copy()), Ball.exact(b[rows]), Ball(G[rows].T.copy(), gW[rows].T.copy()),
            Ball(c[rows], gb[rows]),
        )  # fmt: skip

    def outputs(self, box: Box, order: int) -> Jet:
        """Enclose the distilled outputs ``[n, k]`` over a box, by Taylor's theorem of the given order."""
        z = self._first_layer(box, order)
        for layer in self.layers[1:]:
            z = self._affine(layer, z.map(self.activation.series, box), box)
        return z

    def _first_layer(self, box: Box, order: int) -> Jet:
        value, rate = self._first
        at_centre = value + rate * Ball.exact(box.centre)
        rest = [zeros(rate.shape) for _ in range(order - 2)]
        if order == 1:
            return from_remainder([at_centre], rate, box)
        return from_remainder([at_centre, rate, *rest], zeros(rate.shape), box)

    def _affine(self, layer: Layer, a: Jet, box: Box) -> Jet:
        # z(eps) = a W(c) + b(c) + (eps - c)(a G + g), hence z_k = a_k W(c) + a_(k-1) G at the centre, and over the box
        # z_K = a_K W(c) + (a_(K-1) + (eps - c) a_K) G.
        K, rows = a.order, a.centre[0].shape[0]
        at_centre = layer.weight + layer.weight_rate * Ball.exact(box.centre)
        moved = a.box[K - 1] + a.box[K] * box.power(1)
        through_weight = dot(stack([*a.centre, a.box[K]]), at_centre)
        through_rate = dot(stack([*a.centre[:-1], moved]), layer.weight_rate)
        terms = [through_weight[k * rows : (k + 1) * rows] for k in range(K + 1)]
        for k in range(1, K + 1):
            terms[k] = terms[k] + through_rate[(k - 1) * rows : k * rows]
        terms[0] = terms[0] + (layer.bias + layer.bias_rate * Ball.exact(box.centre))
        terms[1] = terms[1] + layer.bias_rate
        return from_remainder(terms[:K], terms[K], box)

    @cached_property
    def start(self) -> tuple[Ball, Ball]:
        """The outputs at the shared init and v = J dT there, both ``[n, k]``."""
        value, rate = self._first
        z: Series = [value, rate]
        for number, layer in enumerate(self.layers[1:]):
            if not self.smooth:
                refuse_kinks(z[0], number, "inputs")
            a = self.activation.series(z)
            z = [dot(a[0], layer.weight) + layer.bias,
                 dot(a[1], layer.weight) + dot(a[0], layer.weight_rate) + layer.bias_rate]  # fmt: skip
        return z[0], z[1]


def refuse_kinks(z: Ball, layer: int, field: str) -> None:
    """Refuse pre-activations that may be zero, where the activation has a kink."""
    undecided = (z.lower() <= 0) & (z.upper() >= 0)
    if undecided.any():
        row, unit = np.argwhere(undecided)[0]
        raise InputError(
            f"{field}: expected no unit at its kink at the shared init, got layer {layer}, unit {unit}, at input "
            f"{row}: the Jacobian there is a convention, and the alignment can be negative for every eps"
        )
