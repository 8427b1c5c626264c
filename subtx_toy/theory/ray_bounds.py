"""Bounds on the first two derivatives of a perceptron's outputs along a ray of parameters."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from subtx_toy.problem.activation_bounds import ActivationBounds
from subtx_toy.problem.model import MLP
from subtx_toy.problem.params import Params
from subtx_toy.theory.activations import ACTIVATIONS

_SLACK = 1 + 1e-10  # covers the rounding of a layer's sums of positive terms: under 1e5 operations of 1.1e-16 each


@dataclass(frozen=True)
class RayBounds:
    """Bounds over s in [0, eps] on ||z'(s)|| and ||z''(s)|| of the distilled outputs, per input ``[n]``."""

    first: Float[Tensor, " n"]
    second: Float[Tensor, " n"]


@dataclass(frozen=True)
class LayerNorms:
    """||b||, ||c|| and bounds on ||W||, ||G|| of one layer W + sG, b + sc, and the number of its outputs."""

    W: float
    b: float
    G: float
    c: float
    num_outputs: int


@dataclass(frozen=True)
class RayNorms:
    """What the bounds need of a model, its ray base + s direction and its inputs, at every eps.

    Attributes:
        layers: their norms, from the inputs on.
        limits: of the activation; None if there is no bound, for a net without hidden layers.
        input_norms: Euclidean, of each input.
    """

    layers: list[LayerNorms]
    limits: ActivationBounds | None
    input_norms: Float[Tensor, " n"]

    @classmethod
    def of(
        cls,
        model: MLP,
        base: Params,
        direction: Params,
        inputs: Float[Tensor, "n d"],
        *,
        columns: slice | list[int],
    ) -> RayNorms:
        """Take the norms; of the last layer the rows of ``columns`` count.

        Raises:
            ValueError: if there are hidden layers with an activation that is not in ``activations.ACTIVATIONS``.
        """
        known = ACTIVATIONS.get(model.activation.name)
        if known is None and model.num_layers > 1:
            raise ValueError(f"activation: expected one of {sorted(ACTIVATIONS)}, got {model.activation.name!r}")
        layers = []
        for layer in range(model.num_layers):
            rows = columns if layer == model.num_layers - 1 else slice(None)
            W, b = base[f"layers.{layer}.weight"][rows], base[f"layers.{layer}.bias"][rows]
            G, c = direction[f"layers.{layer}.weight"][rows], direction[f"layers.{layer}.bias"][rows]
            layers.append(LayerNorms(_operator_norm(W), float(b.norm()), _operator_norm(G), float(c.norm()), len(W)))
        return cls(layers, known and known.bounds, inputs.norm(dim=-1))

    def bounds(self, eps: float) -> RayBounds:
        """Bound the outputs' derivatives for s in [0, eps], layer by layer.

        With w = ||W|| + eps ||G|| of a layer, and a, a', a'' bounds on its input:

            ||z'|| <= ||G|| a + ||c|| + w a'          ||a'|| <= sup|s'| ||z'||
            ||z''|| <= 2 ||G|| a' + w a''             ||a''|| <= sup|s''| ||z'||^2 + sup|s'| ||z''||

        In real arithmetic these hold for every s; rounding of the sums is covered by a slack.
        """
        a = self.input_norms.numpy()  # whose small operations are the faster
        a1, a2 = np.zeros_like(a), np.zeros_like(a)
        z1, z2 = a1, a2
        for number, layer in enumerate(self.layers):
            w = layer.W + eps * layer.G
            z = (w * a + layer.b + eps * layer.c) * _SLACK
            z1 = (layer.G * a + layer.c + w * a1) * _SLACK
            z2 = (2 * layer.G * a1 + w * a2) * _SLACK
            if number < len(self.layers) - 1:
                assert self.limits is not None  # see ``of``
                limits, width = self.limits, math.sqrt(layer.num_outputs)
                a = np.minimum(limits.offset * width + limits.growth * z, limits.ceiling * width)
                a1, a2 = limits.slope * z1, limits.bend * z1**2 + limits.slope * z2
        return RayBounds(torch.from_numpy(z1), torch.from_numpy(z2))


def _operator_norm(matrix: Float[Tensor, "o i"]) -> float:
    # min(Frobenius, sqrt(1-norm inf-norm)): an upper bound without an eigenvalue computation.
    mixed = matrix.abs().sum(0).max() * matrix.abs().sum(1).max()
    return min(float(matrix.norm()), math.sqrt(float(mixed)))
