"""The base that the studies share: an MNIST net of the channel, its width the scripts' last argument."""

from __future__ import annotations

from subtx_toy.channel.fit import Recipe
from subtx_toy.channel.workshop import Workshop
from subtx_toy.data import load

WIDTH = 256


def studied(width: int) -> Workshop:
    """Return the workshop of the base: the channel's own at the usual width, a faster one below it."""
    dataset = load("mnist")
    if width == WIDTH:
        return Workshop(dataset, 0)
    return Workshop(dataset, 0, Recipe(3, 1e-3, 256), Recipe(2, 1e-3, 256), width=width)
