"""Another order of a perceptron's hidden units: drawn, or the one whose weights are nearest to another net's."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from subtx_toy.problem.model import MLP
from subtx_toy.problem.params import Params

_MAX_ROUNDS = 100


def reordered(model: MLP, params: Params, orders: Sequence[Tensor]) -> Params:
    """Return the same function with its hidden units in other orders; ``orders[l]`` holds places of layer l's units."""
    found = dict(params)
    for layer in range(model.num_layers):
        weight, bias = params[f"layers.{layer}.weight"], params[f"layers.{layer}.bias"]
        if layer:
            weight = weight[:, orders[layer - 1]]
        if layer < model.num_layers - 1:
            weight, bias = weight[orders[layer]], bias[orders[layer]]
        found[f"layers.{layer}.weight"], found[f"layers.{layer}.bias"] = weight.clone(), bias.clone()
    return found


def permuted(model: MLP, params: Params, rng: np.random.Generator) -> Params:
    """Return the same function with the units of every hidden layer in a random order."""
    orders = [torch.from_numpy(rng.permutation(size)) for size in model.sizes[1:-1]]
    return reordered(model, params, orders)


def matched_units(model: MLP, params: Params, base: Params) -> Params:
    """Return the same function with its hidden units in the order that brings its weights nearest to ``base``.

    Layer by layer a linear assignment maximises the inner product of both nets' weights, until none rises any more.

    Reference: Ainsworth, Hayase and Srinivasa 2023, arXiv:2209.04836, algorithm 1.
    """
    from scipy.optimize import linear_sum_assignment

    orders = [torch.arange(size) for size in model.sizes[1:-1]]
    for _round in range(_MAX_ROUNDS):
        before = [order.clone() for order in orders]
        for layer in range(model.num_layers - 1):
            orders[layer] = torch.arange(model.sizes[layer + 1])  # products of all pairs of units
            own = reordered(model, params, orders)
            here, after = f"layers.{layer}", f"layers.{layer + 1}.weight"
            products = base[f"{here}.weight"] @ own[f"{here}.weight"].T
            products += base[f"{here}.bias"][:, None] * own[f"{here}.bias"][None]
            products += base[after].T @ own[after]
            orders[layer] = torch.from_numpy(linear_sum_assignment(products.double().numpy(), maximize=True)[1])
        if all(torch.equal(one, other) for one, other in zip(before, orders, strict=True)):
            break
    return reordered(model, params, orders)
