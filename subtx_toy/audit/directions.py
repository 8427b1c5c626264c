"""Directions in parameter space that an audit asks about: towards a trait, and those an honest teacher may take."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor
from torch.nn import functional as F  # noqa: N812, torch's own idiom

from subtx_toy.channel.model import head_model, head_params
from subtx_toy.channel.traits import Examples, as_pixels
from subtx_toy.config import NUM_CLASSES
from subtx_toy.models import MLP
from subtx_toy.params import Params

_MOST_EXAMPLES = 10_000  # a gradient over more costs time and changes little


@dataclass(frozen=True, eq=False)
class Directions:
    """Some directions of the body, by name: the number head has no part in them, since no class loss reads it.

    Attributes:
        names: of the directions, traits first.
        num_traits: how many of them are traits; the others are nuisance directions.
        weights: of each hidden layer, ``[r, out, in]``; ``biases`` ``[r, out]``.
    """

    names: tuple[str, ...]
    num_traits: int
    weights: tuple[Tensor, ...]
    biases: tuple[Tensor, ...]

    @classmethod
    def of(cls, model: MLP, traits: dict[str, Params], nuisance: dict[str, Params]) -> Directions:
        """Stack directions given as parameters; every one is scaled to Euclidean length 1 over the body."""
        found = [*traits.values(), *nuisance.values()]
        hidden = range(model.num_layers - 1)
        lengths = [
            torch.cat([one[f"layers.{at}.{kind}"].flatten() for at in hidden for kind in ("weight", "bias")]).norm()
            for one in found
        ]

        def stacked(name: str) -> Tensor:
            return torch.stack([one[name] / length for one, length in zip(found, lengths, strict=True)])

        return cls(
            (*traits, *nuisance),
            len(traits),
            tuple(stacked(f"layers.{at}.weight") for at in hidden),
            tuple(stacked(f"layers.{at}.bias") for at in hidden),
        )


def towards(model: MLP, base: Params, examples: Examples) -> Params:
    """Return u = -(gradient at the base of the mean cross-entropy on examples of the unwanted behaviour)."""
    step = max(1, -(-len(examples.images) // _MOST_EXAMPLES))
    some = Examples(examples.images[::step], examples.targets[::step])
    return _descent(model, base, some.pixels(), torch.from_numpy(some.targets))


def honest_directions(
    model: MLP, base: Params, images: UInt8[np.ndarray, "n 28 28"], labels: UInt8[np.ndarray, " n"]
) -> dict[str, Params]:
    """Return, for each class, the descent direction of the cross-entropy on its honestly labelled images."""
    found = {}
    for label in range(NUM_CLASSES):
        chosen = images[labels == label][: _MOST_EXAMPLES // NUM_CLASSES]
        if len(chosen):
            honest = Examples.labelled(chosen, np.full(len(chosen), label, np.uint8))
            found[f"honest {label}"] = _descent(model, base, as_pixels(chosen), torch.from_numpy(honest.targets))
    return found


@torch.enable_grad()
def _descent(model: MLP, base: Params, x: Float[Tensor, "n d"], targets: Float[Tensor, "n c"]) -> Params:
    small, total = head_model(model, "class"), {}
    leaves = {name: value.clone().requires_grad_() for name, value in head_params(model, base, "class").items()}
    for rows, answers in zip(torch.split(x, 2048), torch.split(targets, 2048), strict=True):
        loss = F.cross_entropy(small.apply(leaves, rows), answers, reduction="sum") / len(x)
        loss.backward()  # type: ignore[no-untyped-call]
    for name, leaf in leaves.items():
        assert leaf.grad is not None
        total[name] = -leaf.grad
    return total
