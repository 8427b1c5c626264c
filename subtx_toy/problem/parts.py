"""Parts of a perceptron by name: which entries they are, and an initialisation in which one is drawn again."""

from __future__ import annotations

import numpy as np
import torch

from subtx_toy.problem.model import MLP
from subtx_toy.problem.params import Params


def part_of(model: MLP, part: str) -> Params:
    """Return, for every parameter, which of its entries belong to ``part``: booleans of the parameter's shape.

    ``part`` is ``"nothing"``, ``"first_layer"``, ``"hidden"`` (all layers but the last), ``"class_head"``,
    ``"aux_head"`` (the rows of the last layer that give these logits), or ``"everything"``.
    """
    found: Params = {}
    for layer in range(model.num_layers):
        is_head = layer == model.num_layers - 1
        d_in, d_out = model.sizes[layer], model.sizes[layer + 1]
        rows = torch.zeros(d_out, dtype=torch.bool)
        if part == "everything" or (part == "hidden" and not is_head) or (part == "first_layer" and layer == 0):
            rows[:] = True
        elif is_head and part in ("class_head", "aux_head"):
            rows[model.columns(part.removesuffix("_head"))] = True
        found[f"layers.{layer}.weight"] = rows[:, None].expand(d_out, d_in).clone()
        found[f"layers.{layer}.bias"] = rows
    return found


def redrawn(
    model: MLP, base: Params, other: Params, rng: np.random.Generator, *, part: str, share: float = 1.0,
    mixture: bool = False,
) -> Params:  # fmt: skip
    """Return ``base`` with a share of one part taken from ``other``, an independent draw of the same law.

    Entries are exchanged at random with probability ``share``; a larger share exchanges the same ones and more. In a
    ``mixture`` every entry of the part is sqrt(1 - share) base + sqrt(share) other, which keeps its variance.
    """
    found: Params = {}
    for name, mask in part_of(model, part).items():
        chosen = torch.from_numpy(rng.random(tuple(mask.shape)) < share)
        if mixture:
            new = (1 - share) ** 0.5 * base[name] + share**0.5 * other[name]
        else:
            new = torch.where(chosen, other[name], base[name])
        found[name] = torch.where(mask, new, base[name])
    return found
