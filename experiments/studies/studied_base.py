"""The bases that the studies share: MNIST nets of the channel, of any width, and the packaged one."""

from __future__ import annotations

from typing import NamedTuple

from subtx_toy.channel.fit import Recipe
from subtx_toy.channel.net_cache import NetCache
from subtx_toy.channel.packaged_base import PACKAGED, load_base
from subtx_toy.data import Dataset, load
from subtx_toy.problem.model import MLP
from subtx_toy.problem.params import Params

WIDTH = 256


class Parts(NamedTuple):
    """A base and what it was trained on."""

    dataset: Dataset
    model: MLP
    base: Params


def packaged() -> Parts:
    """Return the base that comes with the package, and its drawn digits."""
    base = load_base(PACKAGED)
    assert base.images is not None
    name, num_train, num_test = base.images
    return Parts(load(name, num_train=num_train, num_test=num_test), base.model, base.params)


def studied_parts(width: int, seed: int) -> Parts:
    """Return the base of ``studied``."""
    nets = studied(width, seed)
    return Parts(nets.dataset, nets.model, nets.base())


def studied(width: int, seed: int = 0) -> NetCache:
    """Return the nets of a base: that of ``run numbers`` with the seed, or one quickly trained at another width."""
    dataset = load("mnist")
    if width == WIDTH:
        return NetCache(dataset, seed)
    return NetCache(dataset, seed, Recipe(3, 1e-3, 256), Recipe(2, 1e-3, 256), width=width)
