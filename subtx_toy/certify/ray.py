"""The teacher's distilled outputs along the ray base + eps dT, enclosed layer by layer."""

from __future__ import annotations

from functools import cached_property

import numpy as np

from subtx_toy.certify.activations import ACTIVATIONS
from subtx_toy.certify.balls import Ball, dot
from subtx_toy.certify.balls.ball import stack, zeros
from subtx_toy.certify.description import Description
from subtx_toy.certify.jets import Box, Jet, from_terms
from subtx_toy.errors import InputError

START = Box(0.0, 0.0)


Layer = tuple[Ball, Ball, Ball, Ball]
"""One affine layer W ``[in, out]``, b and its direction of motion G, g."""


class OutputRay:
    """Forward passes along the ray of one description; what does not depend on eps is computed once."""

    def __init__(self, described: Description) -> None:
        self.described = described
        self.activation = ACTIVATIONS[described.activation]
        self.smooth = self.activation.smooth or described.num_layers == 1
        self.layers = [self._layer(number) for number in range(described.num_layers)]
        self.inputs = Ball.exact(described.arrays["inputs"])
        W, b, G, g = self.layers[0]
        # The first pre-activations are affine in eps.
        self._first = dot(self.inputs, W) + b, dot(self.inputs, G) + g

    def _layer(self, number: int) -> Layer:
        described = self.described
        rows = described.columns if number == described.num_layers - 1 else slice(None)
        W, b = described.base(number)
        # The second part of a direction is the radius about the first.
        G, g = map(Ball, described.direction(number), map(np.abs, described.low_direction(number)))
        weight_rate = Ball(G.mid[rows].T.copy(), G.rad[rows].T.copy())
        return Ball.exact(W[rows].T.copy()), Ball.exact(b[rows]), weight_rate, g[rows]

    def outputs(self, box: Box, order: int) -> Jet:
        """Enclose the distilled outputs ``[n, k]`` over a box, by Taylor's theorem of the given order."""
        z = self._first_layer(box, order)
        for layer in self.layers[1:]:
            z = self._affine(layer, z.map(self.activation.series, box), box)
        return z

    def _first_layer(self, box: Box, order: int) -> Jet:
        value, rate = self._first
        at_centre = value + rate * Ball.exact(box.centre)
        return from_terms([at_centre, rate, *[zeros(rate.shape)] * (order - 1)], box)

    def _affine(self, layer: Layer, a: Jet, box: Box) -> Jet:
        # z(eps) = a W(c) + b(c) + (eps - c)(a G + g), hence z_k = a_k W(c) + a_(k-1) G at the centre, and over the box
        # z_K = a_K W(c) + (a_(K-1) + (eps - c) a_K) G.
        (W, b, G, g), c = layer, Ball.exact(box.centre)
        K, rows = len(a.centre), a.centre[0].shape[0]
        moved = a.box[K - 1] + a.box[K] * box.power(1)
        through_weight = dot(stack(a.terms), W + G * c)
        through_rate = dot(stack([*a.centre[:-1], moved]), G)
        terms = [through_weight[k * rows : (k + 1) * rows] for k in range(K + 1)]
        for k in range(1, K + 1):
            terms[k] = terms[k] + through_rate[(k - 1) * rows : k * rows]
        terms[0] = terms[0] + (b + g * c)
        terms[1] = terms[1] + g
        return from_terms(terms, box)

    @cached_property
    def start(self) -> tuple[Ball, Ball]:
        """The outputs at the shared init and v = J dT there, both ``[n, k]``."""
        value, rate = self._first
        for number, (W, b, G, g) in enumerate(self.layers[1:]):
            if not self.smooth:
                refuse_kinks(value, number, "inputs")
            a, slope = self.activation.series([value, rate])
            value, rate = dot(a, W) + b, dot(slope, W) + dot(a, G) + g
        return value, rate


def refuse_kinks(z: Ball, layer: int, field: str) -> None:
    """Refuse pre-activations that may be zero, where the activation has a kink."""
    undecided = (z.lower() <= 0) & (z.upper() >= 0)
    if undecided.any():
        row, unit = np.argwhere(undecided)[0]
        raise InputError(
            f"{field}: expected no unit at its kink at the shared init, got layer {layer}, unit {unit}, at input "
            f"{row}: the Jacobian there is a convention, and the alignment can be negative for every eps"
        )
