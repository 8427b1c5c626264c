"""Where a phase of training takes its inputs from: images, a fixed pool of noise, or noise that never repeats."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor

from subtx_toy.config import RunConfig
from subtx_toy.data.noise import draw_noise, pixels

Index = Int[np.ndarray, " n"]


@runtime_checkable
class Inputs(Protocol):
    """``num`` inputs of ``dim`` pixels, read a batch at a time."""

    num: int
    dim: int

    def gather(self, index: Index) -> Float[Tensor, "n d"]:
        """Return the inputs at ``index``, valid until the next call."""


def _at_least(buffer: Float[Tensor, "n d"], rows: int) -> Float[Tensor, "m d"]:
    """Return the buffer if it has so many rows, else a new one that does."""
    return buffer if len(buffer) >= rows else buffer.new_empty(rows, buffer.shape[1])


class ImageInputs:
    """Images kept as bytes and scaled to [-1, 1] a batch at a time: a quarter of the memory of float32."""

    def __init__(self, images: UInt8[np.ndarray, "n h w"], *, dtype: torch.dtype) -> None:
        self.num, self.dim = len(images), int(np.prod(images.shape[1:]))
        self._images = images
        self._batch = torch.empty(0, self.dim, dtype=dtype)

    def gather(self, index: Index) -> Float[Tensor, "n d"]:
        """Return the images at ``index``, valid until the next call."""
        self._batch = _at_least(self._batch, len(index))
        return pixels(self._images[index], self._batch[: len(index)])


class NoisePool:
    """A pool of noise images, drawn once; the same in every epoch and for every student of a model."""

    def __init__(self, kind: str, num: int, dim: int, rng: np.random.Generator, *, dtype: torch.dtype) -> None:
        self.num, self.dim = num, dim
        self._pool = draw_noise(kind, rng, torch.empty(num, dim, dtype=dtype))
        self._batch = torch.empty(0, dim, dtype=dtype)

    def gather(self, index: Index) -> Float[Tensor, "n d"]:
        """Return copies of the images at ``index``, valid until the next call."""
        self._batch = _at_least(self._batch, len(index))
        return torch.index_select(self._pool, 0, torch.from_numpy(index), out=self._batch[: len(index)])


class FreshNoise:
    """Noise drawn anew at every call: ``index`` says only how many images are wanted."""

    def __init__(self, kind: str, num: int, dim: int, rng: np.random.Generator, *, dtype: torch.dtype) -> None:
        self.num, self.dim = num, dim
        self._kind, self._rng, self._dtype = kind, rng, dtype

    def gather(self, index: Index) -> Float[Tensor, "n d"]:
        """Return as many new images as ``index`` has entries."""
        return draw_noise(self._kind, self._rng, torch.empty(len(index), self.dim, dtype=self._dtype))


def distillation_inputs(
    config: RunConfig, images: UInt8[np.ndarray, "n h w"], rng: np.random.Generator, *, dtype: torch.dtype
) -> Inputs:
    """Return the students' inputs as ``config`` describes them; ``images`` are the labelled training images."""
    if config.inputs == "images":
        return ImageInputs(images[: config.num_inputs], dtype=dtype)
    dim = int(np.prod(images.shape[1:]))
    source = NoisePool if config.input_pool == "fixed" else FreshNoise
    return source(config.inputs, config.num_inputs, dim, rng, dtype=dtype)


def batches(num: int, batch_size: int) -> Iterator[Index]:
    """Yield the indices 0..num-1 in order, ``batch_size`` at a time; the last batch may be smaller."""
    for start in range(0, num, batch_size):
        yield np.arange(start, min(start + batch_size, num))


def shuffled_batches(num: int, batch_size: int, rng: np.random.Generator) -> Iterator[Index]:
    """Yield one epoch of batches: every index once, in an order drawn from ``rng``, the last batch maybe smaller."""
    order = rng.permutation(num)
    for start in range(0, num, batch_size):
        yield order[start : start + batch_size]
