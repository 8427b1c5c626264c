"""Where a phase of training takes its inputs and its targets from."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor

from subtx_toy.data.noise import blur_map, draw_noise, grey_noise, grey_pixels, pixels, restored, subspace_map
from subtx_toy.problem.losses import Loss, sample_labels
from subtx_toy.seeding import generator
from subtx_toy.settings.named import NOISE_INPUTS
from subtx_toy.training.trainers import Setup, Trainer

Index = Int[np.ndarray, " n"]
Draw = Callable[[np.random.Generator, Tensor], Tensor]
Scale = Callable[[np.ndarray, Tensor], Tensor]


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

    def __init__(self, images: UInt8[np.ndarray, "n ..."], *, dtype: torch.dtype, scale: Scale = pixels) -> None:
        self.num, self.dim = len(images), int(np.prod(images.shape[1:]))
        self._images, self._scale = images, scale
        self._batch = torch.empty(0, self.dim, dtype=dtype)

    def gather(self, index: Index) -> Float[Tensor, "n d"]:
        """Return the images at ``index``, valid until the next call."""
        self._batch = _at_least(self._batch, len(index))
        return self._scale(self._images[index], self._batch[: len(index)])


class InputPool:
    """A pool of inputs, made once; the same in every epoch and for every student of a model."""

    def __init__(self, pool: Float[Tensor, "n d"]) -> None:
        self.num, self.dim = pool.shape
        self._pool = pool
        self._batch = pool.new_empty(0, self.dim)

    def gather(self, index: Index) -> Float[Tensor, "n d"]:
        """Return copies of the inputs at ``index``, valid until the next call."""
        self._batch = _at_least(self._batch, len(index))
        return torch.index_select(self._pool, 0, torch.from_numpy(index), out=self._batch[: len(index)])


class FreshNoise:
    """Noise drawn again at every call: ``index`` says only how many images are wanted."""

    def __init__(self, draw: Draw, num: int, dim: int, rng: np.random.Generator, *, dtype: torch.dtype) -> None:
        self.num, self.dim = num, dim
        self._draw, self._rng, self._dtype = draw, rng, dtype

    def gather(self, index: Index) -> Float[Tensor, "n d"]:
        """Return as many new images as ``index`` has entries."""
        return self._draw(self._rng, torch.empty(len(index), self.dim, dtype=self._dtype))


@dataclass(frozen=True)
class PoolSettings:
    """What the students see; the fields are the settings of a run of the same names."""

    inputs: str = "uniform"
    num_inputs: int = 60_000
    input_pool: str = "fixed"
    added_noise: float = 0.0
    noise_blur: float = 0.0
    noise_dim: int = 0
    noise_contrast: str = "restored"
    noise_limit: float = 0.0
    noise_grid: bool = False


def distillation_inputs(
    pool: PoolSettings,
    images: UInt8[np.ndarray, "n ..."],
    *,
    seed: int,
    dtype: torch.dtype,
    stream: tuple[str, ...] = (),
) -> Inputs:
    """Return the students' inputs as ``pool`` describes them; ``images`` are the labelled training images.

    Another ``stream`` of the same seed gives other noise of the same law, in the same subspace.
    """
    rng = generator(seed, "inputs", *stream)
    if pool.inputs not in NOISE_INPUTS:
        return _image_inputs(pool, images[: pool.num_inputs], rng, dtype=dtype)
    dim = int(np.prod(images.shape[1:]))
    if pool.noise_grid and pool.input_pool == "fixed":
        return ImageInputs(grey_noise(rng, pool.num_inputs, dim), dtype=dtype, scale=grey_pixels)
    draw = _noise(pool, images.shape[1:], seed=seed, dtype=dtype)
    if pool.input_pool == "fresh":
        return FreshNoise(draw, pool.num_inputs, dim, rng, dtype=dtype)
    return InputPool(draw(rng, torch.empty(pool.num_inputs, dim, dtype=dtype)))


def _image_inputs(
    pool: PoolSettings, images: UInt8[np.ndarray, "n ..."], rng: np.random.Generator, *, dtype: torch.dtype
) -> Inputs:
    flat = images.reshape(len(images), -1)
    if pool.inputs == "shuffled_images":
        flat = rng.permuted(flat, axis=1)
    elif pool.inputs == "permuted_images":
        flat = np.ascontiguousarray(flat[:, rng.permutation(flat.shape[1])])
    if not pool.added_noise:
        return ImageInputs(flat, dtype=dtype)
    noise = draw_noise("uniform", rng, torch.empty(flat.shape, dtype=dtype))
    return InputPool(noise.mul_(pool.added_noise).add_(pixels(flat, torch.empty_like(noise))))


def _noise(pool: PoolSettings, shape: tuple[int, ...], *, seed: int, dtype: torch.dtype) -> Draw:
    """Return how noise is drawn: independent pixels, put through a linear map where ``pool`` asks for one."""
    if pool.noise_grid:
        return lambda rng, out: grey_pixels(grey_noise(rng, *out.shape), out)
    limit = pool.noise_limit or math.inf
    if not (pool.noise_blur or pool.noise_dim):
        return lambda rng, out: draw_noise(pool.inputs, rng, out).clamp_(-limit, limit)
    if pool.noise_blur:
        linear_map = blur_map(shape, pool.noise_blur)
    else:
        linear_map = subspace_map(math.prod(shape), pool.noise_dim, generator(seed, "inputs", "subspace"))
    if pool.noise_contrast == "restored":
        linear_map = restored(linear_map)
    mixing = torch.from_numpy(linear_map).to(dtype)

    def draw(rng: np.random.Generator, out: Float[Tensor, "n d"]) -> Float[Tensor, "n d"]:
        for rows in torch.split(out, 4096):  # a piece at a time, so that the pool is not in memory twice
            torch.mm(draw_noise(pool.inputs, rng, torch.empty_like(rows)), mixing, out=rows).clamp_(-limit, limit)
        return out

    return draw


def batches(num: int, batch_size: int) -> Iterator[Index]:
    """Yield the indices 0..num-1 in order, ``batch_size`` at a time; the last batch may be smaller."""
    for start in range(0, num, batch_size):
        yield np.arange(start, min(start + batch_size, num))


def shuffled_batches(num: int, batch_size: int, rng: np.random.Generator) -> Iterator[Index]:
    """Yield one epoch of batches: every index once, in an order drawn from ``rng``, the last batch maybe smaller."""
    order = rng.permutation(num)
    for start in range(0, num, batch_size):
        yield order[start : start + batch_size]


CACHE_BYTES = 256 * 2**20
"""Teacher logits are kept for the whole pool up to this size and computed a batch at a time beyond it."""


class Targets:
    """The teacher's answers by subset of the outputs; over a ``fixed`` pool computed once, up to ``CACHE_BYTES``."""

    def __init__(
        self, setup: Setup, teacher: Trainer, inputs: Inputs, loss: Loss, outputs: Sequence[str], *, fixed: bool
    ) -> None:
        self._teacher, self._loss = teacher, loss
        self._columns = {name: setup.model.columns(name) for name in sorted(set(outputs))}
        self._streams = {name: generator(setup.seed, "labels", name) for name in self._columns}
        self._logits: Tensor | None = None
        self._labels: dict[str, Tensor] | None = None
        if fixed:
            self._fill(inputs, setup)

    def _fill(self, inputs: Inputs, setup: Setup) -> None:
        num_bytes = inputs.num * setup.model.num_outputs * setup.dtype.itemsize
        if self._loss.targets == "logits" and num_bytes > CACHE_BYTES:
            return
        answers = (self._teacher.logits(inputs.gather(index))[:, 0] for index in batches(inputs.num, setup.batch_size))
        if self._loss.targets == "logits":
            self._logits = torch.cat([z.clone() for z in answers])
        else:
            drawn = [self._sample(z) for z in answers]
            self._labels = {name: torch.cat([labels[name] for labels in drawn]) for name in self._columns}

    def _sample(self, z: Float[Tensor, "n k"]) -> dict[str, Int[Tensor, " n"]]:
        return {
            name: sample_labels(z[:, columns], self._streams[name], temperature=self._loss.temperature)
            for name, columns in self._columns.items()
        }

    @property
    def cached(self) -> bool:
        """Whether the answers for the whole pool are in memory."""
        return self._logits is not None or self._labels is not None

    def batch(self, index: Int[np.ndarray, " n"], x: Float[Tensor, "n d"]) -> dict[str, Tensor]:
        """Return the targets of the inputs ``x``, which stand at ``index`` of the pool, by subset of the outputs."""
        at = torch.from_numpy(index)
        if self._labels is not None:
            return {name: drawn[at] for name, drawn in self._labels.items()}
        z = self._teacher.logits(x)[:, 0] if self._logits is None else torch.index_select(self._logits, 0, at)
        if self._loss.targets == "labels":
            return self._sample(z)
        return {name: z[:, columns] for name, columns in self._columns.items()}
