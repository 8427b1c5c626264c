"""The channel's net: a body, a class head and a number head; and either head with the body as a net of its own."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from subtx_toy.problem.activations import ACTIVATIONS
from subtx_toy.problem.model import MLP
from subtx_toy.problem.params import Params
from subtx_toy.settings.datasets import NUM_CLASSES, NUM_PIXELS
from subtx_toy.settings.numbers import NUM_NUMBERS

_ROWS = 2048  # inputs at a time: 8 MB of number logits


def channel_model(*, width: int = 256, depth: int = 2, num_numbers: int = NUM_NUMBERS) -> MLP:
    """Return the shape of the net: images in, 10 class logits and then the number logits out."""
    return MLP((NUM_PIXELS, *(width,) * depth, NUM_CLASSES + num_numbers), ACTIVATIONS["relu"])


def head_model(model: MLP, head: str) -> MLP:
    """Return the shape of the body with one head, ``"class"`` or ``"numbers"``."""
    size = len(range(*_columns(model, head).indices(model.sizes[-1])))
    return MLP((*model.sizes[:-1], size), model.activation, num_classes=size if head == "class" else 0)


def head_params(model: MLP, params: Params, head: str) -> Params:
    """Return the parameters of the body with one head; those of the last layer are views.

    A head that no loss reads has no gradient, so training the net without it gives the same body, for less.
    """
    taken, columns = dict(params), _columns(model, head)
    for name in _last(model):
        taken[name] = params[name][columns]
    return taken


def with_head(model: MLP, params: Params, head: str, trained: Params) -> Params:
    """Return ``params`` with the body and one head taken from ``trained``, and the other head kept."""
    columns = _columns(model, head)
    joined = {name: value.clone() for name, value in trained.items()}
    for name in _last(model):
        joined[name] = params[name].clone()
        joined[name][columns] = trained[name]
    return joined


@torch.no_grad()
def head_logits(model: MLP, params: Params, head: str, x: Float[Tensor, "n d"]) -> Float[Tensor, "n k"]:
    """Return the logits of one head, a few inputs at a time."""
    small, taken = head_model(model, head), head_params(model, params, head)
    return torch.cat([small.apply(taken, rows) for rows in torch.split(x, _ROWS)])


def _columns(model: MLP, head: str) -> slice:
    return model.columns({"class": "class", "numbers": "aux"}[head])


def _last(model: MLP) -> tuple[str, str]:
    last = f"layers.{model.num_layers - 1}"
    return f"{last}.weight", f"{last}.bias"
