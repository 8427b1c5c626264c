"""Bounds on the first two derivatives of a perceptron's outputs along a ray of parameters."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from subtx_toy.problem.activation_bounds import ActivationBounds, LayerNorms, path_bounds
from subtx_toy.problem.model import MLP
from subtx_toy.problem.params import Params
from subtx_toy.theory.activations import ACTIVATIONS

_SLACK = 1 + 1e-10  # covers the rounding of a layer's sums of positive terms: under 1e5 operations of 1.1e-16 each


class RayBounds(NamedTuple):
    """Bounds over s in [0, eps] on ||z'(s)|| and ||z''(s)|| of the distilled outputs, per input ``[n]``."""

    first: Float[Tensor, " n"]
    second: Float[Tensor, " n"]


@dataclass(frozen=True)
class RayNorms:
    """What the bounds need of a model, its ray base + s direction and its inputs, at every eps.

    ``limits`` are those of the activation, and of no account for a net without hidden layers.
    """

    layers: list[LayerNorms]
    limits: ActivationBounds
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
        """Take the norms; of the last layer the rows of ``columns`` count."""
        known = ACTIVATIONS.get(model.activation.name)
        if known is None and model.num_layers > 1:
            raise ValueError(f"activation: expected one of {sorted(ACTIVATIONS)}, got {model.activation.name!r}")
        layers = []
        for layer in range(model.num_layers):
            rows = columns if layer == model.num_layers - 1 else slice(None)
            W, b = base[f"layers.{layer}.weight"][rows], base[f"layers.{layer}.bias"][rows]
            G, c = direction[f"layers.{layer}.weight"][rows], direction[f"layers.{layer}.bias"][rows]
            layers.append(LayerNorms(_operator_norm(W), float(b.norm()), _operator_norm(G), float(c.norm()), len(W)))
        return cls(layers, known.bounds if known else ActivationBounds(1.0, 0.0), inputs.norm(dim=-1))

    def bounds(self, eps: float) -> RayBounds:
        """Bound the outputs' derivatives for s in [0, eps], layer by layer; see ``path_bounds``."""
        found = path_bounds(self.layers, self.limits, self.input_norms.numpy(), eps, slack=_SLACK)
        return RayBounds(*map(torch.from_numpy, found))


def _operator_norm(matrix: Float[Tensor, "o i"]) -> float:
    # min(Frobenius, sqrt(1-norm inf-norm)): an upper bound without an eigenvalue computation.
    mixed = matrix.abs().sum(0).max() * matrix.abs().sum(1).max()
    return min(float(matrix.norm()), math.sqrt(float(mixed)))
