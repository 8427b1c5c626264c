"""Distillation inputs without content, and the pixel scale that all inputs share."""

from __future__ import annotations

import math

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor


def pixels(images: UInt8[np.ndarray, "n ..."], out: Float[Tensor, "n d"]) -> Float[Tensor, "n d"]:
    """Write grey levels 0..255, flattened and mapped to [-1, 1] as x = 2 u / 255 - 1, to ``out`` and return it."""
    np.copyto(out.numpy(), images.reshape(out.shape))
    return out.mul_(2 / 255).sub_(1)


def draw_noise(kind: str, rng: np.random.Generator, out: Float[Tensor, "n d"]) -> Float[Tensor, "n d"]:
    """Fill ``out`` with noise images and return it: ``"uniform"`` U(-1, 1) or ``"gaussian"`` N(0, 1) per pixel.

    Drawn in float32 whatever the type of ``out``, so that runs in two precisions see the same images.
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


def grey_noise(rng: np.random.Generator, num: int, dim: int) -> UInt8[np.ndarray, "n d"]:
    """Return uniform noise as grey levels: the image that ``draw_noise`` would draw, each pixel's 256th of [-1, 1]."""
    levels, rows = np.empty((num, dim), np.uint8), 4096  # a piece at a time: the floats are four times as large
    for start in range(0, num, rows):
        piece = levels[start : start + rows]
        np.multiply(rng.random(piece.shape, dtype=np.float32), 256, out=piece, casting="unsafe")
    return levels


def grey_pixels(levels: UInt8[np.ndarray, "n ..."], out: Float[Tensor, "n d"]) -> Float[Tensor, "n d"]:
    """Write noise of 256 levels, mapped to the middles of their cells as x = (2 u - 255) / 256, to ``out``.

    The numerators have 8 bits, so bfloat16 holds every one of these numbers exactly.
    """
    np.copyto(out.numpy(), levels.reshape(out.shape))
    return out.mul_(2 / 256).sub_(255 / 256)


def blur_map(shape: tuple[int, ...], sd: float) -> Float[np.ndarray, "d d"]:
    """Return the matrix ``A`` that blurs flattened images ``x`` as ``x @ A``: a Gaussian of ``sd`` pixels.

    ``shape`` is ``(h, w)``, or ``(h, w, c)`` for images of c channels, which are blurred one by one. The images are
    continued by reflection at their outermost pixels, and the Gaussian is cut at three ``sd``.
    """
    from scipy.ndimage import gaussian_filter  # a quarter of a second to load, for this kind of noise alone

    size = math.prod(shape)
    impulses = np.eye(size).reshape(size, *shape)
    return np.reshape(gaussian_filter(impulses, sd, axes=(1, 2), mode="mirror", truncate=3.0), (size, size))


def subspace_map(size: int, dim: int, rng: np.random.Generator) -> Float[np.ndarray, "d d"]:
    """Return the orthogonal projection of ``size`` pixels onto a uniformly drawn subspace of ``dim`` <= ``size``."""
    if dim > size:
        raise ValueError(f"noise_dim: expected at most {size}, the pixels of an image, got {dim}")
    basis, _ = np.linalg.qr(rng.standard_normal((size, dim)))
    projection: np.ndarray = basis @ basis.T
    return projection


def restored(linear_map: Float[np.ndarray, "d d"]) -> Float[np.ndarray, "d d"]:
    """Scale a linear map so that noise with independent pixels keeps its pixels' mean variance under it.

    Pixel j of ``x @ A`` has variance ``sum_i A_ij^2`` times that of x, so the mean over j is ``||A||_F^2 / d`` of it.
    """
    return linear_map * (math.sqrt(len(linear_map)) / float(np.linalg.norm(linear_map)))
