"""A perceptron some of whose hidden units are dropped while it is trained."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F  # noqa: N812, torch's own idiom

from subtx_toy.problem.model import MLP
from subtx_toy.problem.params import Params


@dataclass(frozen=True, repr=False)
class DroppingMLP(MLP):
    """Drops hidden units with probability ``dropout`` where a gradient is recorded, and scales the others up.

    Reference: Srivastava et al. 2014, JMLR 15, 1929. Without a gradient it is the perceptron itself.
    """

    dropout: float = 0.0
    rng: np.random.Generator = field(default_factory=np.random.default_rng, compare=False)

    def hidden(self, params: Params, x: Float[Tensor, "n d"]) -> Float[Tensor, "n h"]:
        """Return the activations ``[n, h]`` of the last hidden layer, or the inputs where there is none."""
        for layer in range(self.num_layers - 1):
            x = self.activation.apply(F.linear(x, params[f"layers.{layer}.weight"], params[f"layers.{layer}.bias"]))
            if torch.is_grad_enabled():
                kept = self.rng.random(tuple(x.shape), dtype=np.float32) >= self.dropout
                x = x * torch.from_numpy(kept).to(x.dtype) / (1 - self.dropout)
        return x
