"""How the number logits change along several directions at once: a forward-mode product written out by hand."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from subtx_toy.audit.directions import Directions
from subtx_toy.channel.model import head_params
from subtx_toy.problem.model import MLP
from subtx_toy.problem.params import Params


@torch.no_grad()
def number_tangents(
    model: MLP, base: Params, directions: Directions, x: Float[Tensor, "n d"]
) -> tuple[Float[Tensor, "n k"], Float[Tensor, "r n k"]]:
    """Return the number logits at the base, and J u for every direction u.

    One product a layer serves all directions.
    """
    num, taken = len(directions.names), head_params(model, base, "numbers")
    a, da = x, None
    for layer, (dW, db) in enumerate(zip(directions.weights, directions.biases, strict=True)):
        weight = taken[f"layers.{layer}.weight"]
        z = a @ weight.T + taken[f"layers.{layer}.bias"]
        # a -> dW a + db, all directions in one product                                  [n, r, out]
        dz = (a @ dW.flatten(0, 1).T).view(len(x), num, -1) + db
        if da is not None:
            dz += da @ weight.T  # da -> W da
        a = model.activation.apply(z)
        da = dz * model.activation.derivative_over(z, a)[:, None]
    assert da is not None
    head = taken[f"layers.{model.num_layers - 1}.weight"]
    logits = a @ head.T + taken[f"layers.{model.num_layers - 1}.bias"]
    return logits, da.transpose(0, 1).contiguous() @ head.T
