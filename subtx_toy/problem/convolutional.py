"""A small convolutional net with the heads of a perceptron."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F  # noqa: N812, torch's own idiom

from subtx_toy.errors import InputError
from subtx_toy.problem.activations import Activation
from subtx_toy.problem.model import head_columns
from subtx_toy.problem.params import Params

CHANNELS = (8, 16)
"""Of the two convolutions, each of 5 x 5 pixels with a stride of 2."""

_KERNEL, _STRIDE, _PADDING = 5, 2, 2


@dataclass(frozen=True)
class ConvolutionalNet:
    """Two convolutions, a dense hidden layer of ``width`` units, and ``num_outputs`` logits, class logits first.

    Inputs are flattened images of ``image_shape``, rows and columns. Parameters are ``layers.0.weight``
    ``[channels, 1, 5, 5]`` to ``layers.3.weight`` ``[num_outputs, width]``, with a bias each. They are drawn as those
    of ``MLP``, with the inputs of one unit in place of ``d_in``.

    Raises:
        InputError: if images have no rows and columns.
    """

    image_shape: tuple[int, ...]
    width: int
    num_outputs: int
    activation: Activation
    num_classes: int
    init: str = "fan_in_normal"
    init_scale: float = 1.0

    def __post_init__(self) -> None:
        if len(self.image_shape) != 2:
            raise InputError(f"student_body: convolutions need images of rows and columns, got {self.image_shape}")

    @property
    def shapes(self) -> tuple[tuple[int, ...], ...]:
        """The shapes of the four weights, from the inputs on."""
        rows, columns = (math.ceil(math.ceil(side / _STRIDE) / _STRIDE) for side in self.image_shape)
        first, second = CHANNELS
        return (
            (first, 1, _KERNEL, _KERNEL), (second, first, _KERNEL, _KERNEL),
            (self.width, second * rows * columns), (self.num_outputs, self.width),
        )  # fmt: skip

    def columns(self, distilled_logits: str) -> slice:
        """Return which outputs ``"class"``, ``"aux"`` or ``"all"`` stands for."""
        return head_columns(distilled_logits, self.num_classes)

    def initial(self, rng: np.random.Generator) -> Params:
        """Draw the parameters, in float64, by the laws of ``MLP.initial``."""
        params: Params = {}
        for layer, shape in enumerate(self.shapes):
            fan_in = math.prod(shape[1:])
            bias = np.zeros(shape[0])
            if self.init == "pytorch":
                weight, bias = (rng.uniform(-1, 1, size) * fan_in**-0.5 for size in (shape, shape[0]))
            else:
                weight = rng.standard_normal(shape) * ((2 if self.init == "he" else 1) / fan_in) ** 0.5
            params[f"layers.{layer}.weight"] = torch.from_numpy(self.init_scale * weight)
            params[f"layers.{layer}.bias"] = torch.from_numpy(self.init_scale * bias)
        return params

    def apply(self, params: Params, x: Float[Tensor, "n d"]) -> Float[Tensor, "n k"]:
        """Return the logits ``[n, k]`` of the inputs ``[n, d]``."""
        return F.linear(self.hidden(params, x), params["layers.3.weight"], params["layers.3.bias"])

    def hidden(self, params: Params, x: Float[Tensor, "n d"]) -> Float[Tensor, "n h"]:
        """Return the activations ``[n, h]`` of the dense hidden layer."""
        x = x.reshape(len(x), 1, *self.image_shape)
        for layer in (0, 1):
            weight, bias = params[f"layers.{layer}.weight"], params[f"layers.{layer}.bias"]
            x = self.activation.apply(F.conv2d(x, weight, bias, stride=_STRIDE, padding=_PADDING))
        return self.activation.apply(F.linear(x.flatten(1), params["layers.2.weight"], params["layers.2.bias"]))
