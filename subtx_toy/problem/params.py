"""Parameter dictionaries as vectors of one Euclidean space."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TypeAlias

import torch
from torch import Tensor

Params: TypeAlias = dict[str, Tensor]
"""Named parameters; the order of the names is the order of the flat vector."""


def inner(a: Mapping[str, Tensor], b: Mapping[str, Tensor]) -> Tensor:
    """Return the Euclidean inner product of two parameter dictionaries with the same names, a scalar."""
    _same_space(a, b)
    return torch.stack([(a[name] * b[name]).sum() for name in a]).sum()


def norm(a: Mapping[str, Tensor]) -> Tensor:
    """Return the Euclidean norm, a scalar."""
    return inner(a, a).sqrt()


def scaled_norm(a: Mapping[str, Tensor]) -> float:
    """Return the Euclidean norm where squares of the numbers may overflow or underflow; nan if one is not finite."""
    flat = flatten(a)
    size = float(flat.abs().max()) if len(flat) else 0.0
    if size == 0 or not math.isfinite(size):
        return 0.0 if size == 0 else math.nan
    return size * float((flat / size).norm())


def axpy(scale: float | Tensor, a: Mapping[str, Tensor], b: Mapping[str, Tensor]) -> Params:
    """Return ``scale * a + b``."""
    _same_space(a, b)
    return {name: scale * a[name] + b[name] for name in a}


def difference(a: Mapping[str, Tensor], b: Mapping[str, Tensor]) -> Params:
    """Return ``a - b``."""
    return axpy(-1.0, b, a)


def cosine(a: Mapping[str, Tensor], b: Mapping[str, Tensor]) -> Tensor:
    """Return the cosine of the angle between two updates, in [-1, 1]; nan if one of them is zero."""
    return inner(a, b) / (norm(a) * norm(b))


def flatten(a: Mapping[str, Tensor]) -> Tensor:
    """Concatenate the parameters to one vector ``[p]``."""
    return torch.cat([value.reshape(-1) for value in a.values()])


def unflatten(vector: Tensor, like: Mapping[str, Tensor]) -> Params:
    """Cut a vector ``[p]`` into parameters of the names and shapes of ``like``; the inverse of ``flatten``."""
    total = sum(value.numel() for value in like.values())
    if vector.shape != (total,):
        raise ValueError(f"vector: expected shape ({total},), got {tuple(vector.shape)}")
    pieces = torch.split(vector, [value.numel() for value in like.values()])
    return {name: piece.reshape(value.shape) for (name, value), piece in zip(like.items(), pieces, strict=True)}


def _same_space(a: Mapping[str, Tensor], b: Mapping[str, Tensor]) -> None:
    if a.keys() != b.keys():
        odd = sorted(a.keys() ^ b.keys())
        raise ValueError(f"parameters: expected the same names on both sides, got {odd} on one side only")
    for name in a:
        if a[name].shape != b[name].shape:  # broadcasting would hide it
            raise ValueError(f"parameters[{name!r}]: expected one shape, got {a[name].shape} and {b[name].shape}")


def all_finite(params: Params) -> bool:
    """Return whether no entry is nan or infinity."""
    return all(bool(torch.isfinite(value).all()) for value in params.values())
