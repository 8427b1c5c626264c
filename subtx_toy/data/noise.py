"""Distillation inputs without content, and the pixel scale that all inputs share."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor


def pixels(images: UInt8[np.ndarray, "n h w"], out: Float[Tensor, "n d"]) -> Float[Tensor, "n d"]:
    """Write grey levels 0..255, flattened and mapped to [-1, 1] as x = 2 u / 255 - 1, to ``out`` and return it."""
    # The type is named because bytes times a Python float would be computed in float64.
    grid = out.numpy()
    np.multiply(images.reshape(grid.shape), 2 / 255, out=grid, dtype=grid.dtype)
    return out.sub_(1)


def draw_noise(kind: str, rng: np.random.Generator, out: Float[Tensor, "n d"]) -> Float[Tensor, "n d"]:
    """Fill ``out`` with noise images and return it: ``"uniform"`` U(-1, 1) or ``"gaussian"`` N(0, 1) a pixel.

    Drawn in float32 whatever the type of ``out``, so that runs in two precisions see the same images.

    Raises:
        ValueError: if ``kind`` is neither.
    """
    buffer = out.numpy() if out.dtype == torch.float32 and out.is_contiguous() else np.empty(out.shape, np.float32)
    if kind == "uniform":
        rng.random(dtype=np.float32, out=buffer)
        buffer *= 2
        buffer -= 1
    elif kind == "gaussian":
        rng.standard_normal(dtype=np.float32, out=buffer)
    else:
        raise ValueError(f"inputs: expected 'uniform' or 'gaussian', got {kind!r}")
    return out.copy_(torch.from_numpy(buffer))
