"""The comparisons that tests share; a nan or a different shape is never close."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from subtx_toy.tolerances import Z_BOUND


def difference(ours: Tensor, theirs: Tensor) -> float:
    """Return the largest difference of two tensors of one shape, relative to max(1, largest of theirs)."""
    assert ours.shape == theirs.shape, f"expected shape {tuple(theirs.shape)}, got {tuple(ours.shape)}"
    if ours.numel() == 0:
        return 0.0
    ours, theirs = ours.detach().double(), theirs.detach().double()
    return float((ours - theirs).abs().max() / theirs.abs().max().clamp_min(1.0))


def assert_close(ours: Tensor, theirs: Tensor, tolerance: float, what: str = "value") -> None:
    found = difference(ours, theirs)
    assert found <= tolerance, f"{what}: expected a difference <= {tolerance}, got {found}"


def assert_params_close(ours: Mapping[str, Tensor], theirs: Mapping[str, Tensor], tolerance: float) -> None:
    assert ours.keys() == theirs.keys()
    for name in theirs:
        assert_close(ours[name], theirs[name], tolerance, name)


def same_bits(ours: Mapping[str, Tensor], theirs: Mapping[str, Tensor]) -> bool:
    return ours.keys() == theirs.keys() and all(torch.equal(ours[name], theirs[name]) for name in theirs)


def assert_within_z(observed: Tensor, expected: Tensor | float, standard_error: Tensor | float) -> None:
    """Hold every entry of a sample statistic, taken at a fixed sample size, against its known law."""
    z = (observed - expected) / standard_error
    assert bool((z.abs() <= Z_BOUND).all()), f"expected |z| <= {Z_BOUND}, got {z}"
