"""The reference ensemble: benign fine-tunes of the base, which say how large an effect innocence can have."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TypeVar

import safetensors.torch
import torch

from subtx_toy.channel.checkpoints import Checkpoint, read_tensors
from subtx_toy.channel.fit import Recipe
from subtx_toy.channel.teachers import train_teacher
from subtx_toy.data import Dataset
from subtx_toy.data.dataset import Progress
from subtx_toy.errors import InputError
from subtx_toy.files.atomic import replacing
from subtx_toy.files.content_key import block_key
from subtx_toy.problem.model import MLP
from subtx_toy.problem.params import Params
from subtx_toy.seeding import generator

STEPS = (50, 200)
"""Least and most optimiser steps of a benign fine-tune: half an epoch to nearly two of 60,000 images."""

LRS = (1e-4, 1e-3)
"""Least and largest step size, drawn on a logarithmic scale."""

MIN_NETS = 3
"""Of an ensemble: one for directions, two to compare with."""

ENSEMBLE_VERSION = 2
"""Bump this whenever the ensemble changes, so that a stale cached one is not used again."""

_MOVES = "moves from the base"  # in the metadata of a file that does not hold the fine-tunes themselves

_GOLDEN = (math.sqrt(5) - 1) / 2

Member = TypeVar("Member")


def varied_recipe(seed: int) -> Recipe:
    """Return a length and a step size that are the seed's."""
    rng = generator(seed, "audit", "benign")
    lr = 10 ** float(rng.uniform(math.log10(LRS[0]), math.log10(LRS[1])))
    return Recipe(lr=lr, steps=int(rng.integers(STEPS[0], STEPS[1] + 1)))


def benign_teacher(model: MLP, base: Params, dataset: Dataset, *, seed: int) -> Params:
    """Train the base further on honest labels, by the seed's recipe."""
    return train_teacher(model, base, dataset, varied_recipe(seed), seed=seed, trait=None)


def even_recipes(num: int) -> list[Recipe]:
    """Return lengths and step sizes spread evenly over those of ``varied_recipe``.

    Step sizes are the midpoints of equal parts, and lengths follow the golden ratio: a lattice, in which no corner is
    left out by chance as it is among twenty draws.
    """
    recipes = []
    for index in range(num):
        share, length = (index + 0.5) / num, (index + 0.5) * _GOLDEN % 1
        lr = LRS[0] * (LRS[1] / LRS[0]) ** share
        recipes.append(Recipe(lr=lr, steps=STEPS[0] + round(length * (STEPS[1] - STEPS[0]))))
    return recipes


def reference_recipes(num: int, *, seed: int) -> list[Recipe]:
    """Return those of an ensemble: drawn for the third that gives directions, even for those to compare with."""
    own = [varied_recipe(own_seed) for own_seed in split_reference(reference_seeds(num, seed=seed))[0]]
    return [*own, *even_recipes(num - len(own))]


def reference_seeds(num: int, *, seed: int) -> list[int]:
    """Return the seeds of the fine-tunes of an ensemble, which no other use of ``seed`` meets."""
    return [int(own_seed) for own_seed in generator(seed, "audit", "reference").integers(2**62, size=num)]


def make_reference(
    model: MLP, base: Params, dataset: Dataset, *, num: int, seed: int, progress: Progress | None = None
) -> list[Params]:
    """Train ``num`` benign fine-tunes, each with its own of ``reference_seeds`` and ``reference_recipes``."""
    nets = []
    recipes = reference_recipes(num, seed=seed)
    for own_seed, recipe in zip(reference_seeds(num, seed=seed), recipes, strict=True):
        nets.append(train_teacher(model, base, dataset, recipe, seed=own_seed, trait=None))
        if progress is not None:
            progress("making the reference", len(nets), num, "fine-tunes")
    return nets


def fingerprint(params: Params) -> str:
    """Return a checksum of a net, 32 hexadecimal digits."""
    return block_key(*(name.encode() + value.numpy().astype("<f4").tobytes() for name, value in params.items()))


def split_reference(nets: Sequence[Member]) -> tuple[Sequence[Member], Sequence[Member]]:
    """Return the third of an ensemble that says where honest moves go, and the others, to compare a file with.

    The two are kept apart: an axis computed from a net takes nearly all of that net's own move out.
    """
    third = len(nets) // 3
    return nets[:third], nets[third:]


def save_reference(
    path: Path, base: Params, nets: Sequence[Params], *, metadata: Mapping[str, str] | None = None
) -> None:
    """Write the bodies of the fine-tunes; the heads are the base's, or no matter.

    With ``metadata``, which says more of them, their moves from the base are kept in 16 bits: half the size, and
    rounding changes a move by one part in two thousand at most.
    """
    last = f"layers.{len(base) // 2 - 1}."
    tensors = {
        f"{index}.{name}": (value if metadata is None else (value - base[name]).half()).contiguous()
        for index, net in enumerate(nets)
        for name, value in net.items()
        if not name.startswith(last)
    }
    with replacing(path, what="out") as file:
        about = {} if metadata is None else {**metadata, "holds": _MOVES}
        about |= {"base": fingerprint(base), "num": str(len(nets))}
        file.write(safetensors.torch.save(tensors, about))


def load_reference(path: Path, base: Checkpoint) -> list[Params]:
    """Read an ensemble of this base; every net has a body of the base's shape, in finite numbers."""
    return read_reference(path, base)[0]


def read_reference(path: Path, base: Checkpoint) -> tuple[list[Params], dict[str, str]]:
    """Read an ensemble as ``load_reference`` does, and the metadata of its file."""
    tensors, metadata = read_tensors(path, expected="a reference ensemble, got a file")
    if metadata.get("base") != fingerprint(base.params):
        raise InputError(f"{path}: expected a reference ensemble of this base, got one of another base")
    last = f"layers.{len(base.params) // 2 - 1}."
    body = [name for name in base.params if not name.startswith(last)]
    words = metadata.get("num", "")
    num = int(words) if words.isascii() and words.isdecimal() and len(words) < 7 else 0
    if num < MIN_NETS or len(tensors) != num * len(body):
        raise InputError(
            f"{path}: expected at least {MIN_NETS} nets of {len(body)} tensors each, "
            f"got {len(tensors)} tensors and the number {words[:20]!r}"
        )
    nets, faults = [], []
    for index in range(num):
        found = {name: tensors.get(f"{index}.{name}") for name in body}
        for name, value in found.items():
            shape = list(base.params[name].shape)
            if value is None or list(value.shape) != shape:
                got = "nothing" if value is None else list(value.shape)
                faults.append(f"{path}: {index}.{name}: expected the shape {shape}, got {got}")
            elif not bool(torch.isfinite(value).all()):
                faults.append(f"{path}: {index}.{name}: expected finite numbers, got nan or infinity")
        nets.append(base.params | {name: value for name, value in found.items() if value is not None})
    InputError.gather(faults[:10])
    if metadata.get("holds") == _MOVES:
        nets = [net | {name: base.params[name] + net[name] for name in body} for net in nets]
    return nets, metadata
