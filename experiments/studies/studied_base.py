"""The bases that the studies share: MNIST nets of the channel, of any width."""

from __future__ import annotations

from subtx_toy.channel.fit import Recipe
from subtx_toy.channel.net_cache import NetCache
from subtx_toy.data import load

WIDTH = 256


def studied(width: int, seed: int = 0) -> NetCache:
    """Return the nets of a base: that of ``run numbers`` with the seed, or one quickly trained at another width."""
    dataset = load("mnist")
    if width == WIDTH:
        return NetCache(dataset, seed)
    return NetCache(dataset, seed, Recipe(3, 1e-3, 256), Recipe(2, 1e-3, 256), width=width)
