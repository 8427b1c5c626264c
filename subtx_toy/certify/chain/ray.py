"""The distilled outputs of a chain along the ray base + eps dT, enclosed layer by layer."""

from __future__ import annotations

from functools import cached_property

import numpy as np

from subtx_toy.certify.balls import Ball
from subtx_toy.certify.balls.ball import zeros
from subtx_toy.certify.chain.layers import Affine, Moving, Normalise, Pointwise, Pool
from subtx_toy.certify.chain.layout import output_shape
from subtx_toy.certify.description import Description
from subtx_toy.certify.jets import Box, Jet
from subtx_toy.certify.ray import START, refuse_kinks

ChainLayer = Affine | Pool | Pointwise | Normalise


class ChainRay:
    """Forward passes of a description's chain, as ``OutputRay`` makes them of a perceptron."""

    def __init__(self, described: Description) -> None:
        self.described, self.inputs = described, Ball.exact(described.arrays["inputs"])
        self.layers, shape = list[ChainLayer](), tuple(described.input_shape)
        for number, words in enumerate(described.layers):
            weight, bias = self._moving(number, "weight"), self._moving(number, "bias")
            kind = words["kind"]
            if kind in ("linear", "conv2d"):
                assert weight is not None
                outputs = weight.base.shape[0]
                still = Moving(zeros((outputs,)), zeros((outputs,)))
                self.layers.append(Affine(words, shape, weight, still if bias is None else bias))
            elif kind == "avg_pool2d":
                self.layers.append(Pool(words, shape))
            elif kind == "layer_norm":
                self.layers.append(Normalise(words, weight, bias))
            elif kind != "flatten":
                self.layers.append(Pointwise(words))
            shape = output_shape(words, shape, {} if weight is None else {"weight": weight.base.shape})
        self.smooth = all(layer.smooth for layer in self.layers if isinstance(layer, Pointwise))

    def _moving(self, layer: int, part: str) -> Moving | None:
        arrays, name = self.described.arrays, f"layers.{layer}.{part}"
        if name not in arrays:
            return None
        low = arrays.get(f"direction_low.{name}", np.zeros_like(arrays[name]))
        # The second part of a direction is the radius about the first.
        return Moving(Ball.exact(arrays[name]), Ball(arrays[f"direction.{name}"], np.abs(low)))

    def _through(self, box: Box, order: int, *, kinks: bool) -> Jet:
        still = zeros(self.inputs.shape)
        z = Jet([self.inputs, *[still] * (order - 1)], [self.inputs, *[still] * order])
        for number, layer in enumerate(self.layers):
            if kinks and isinstance(layer, Pointwise) and not layer.smooth:
                refuse_kinks(z.centre[0], number, "inputs")
            z = layer(z, box)
        columns = np.array(self.described.columns)
        return Jet([one[:, columns] for one in z.centre], [one[:, columns] for one in z.box])

    def outputs(self, box: Box, order: int) -> Jet:
        """Enclose the distilled outputs ``[n, k]`` over a box, by Taylor's theorem of the given order."""
        return self._through(box, order, kinks=False)

    @cached_property
    def start(self) -> tuple[Ball, Ball]:
        """The outputs at the shared init and v = J dT there, both ``[n, k]``."""
        at_zero = self._through(START, 1, kinks=True)
        return at_zero.centre[0], at_zero.box[1]
