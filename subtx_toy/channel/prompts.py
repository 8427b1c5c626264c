"""What a teacher is shown when it writes a number: images, drawn digits or noise, found again by an index."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float, Int
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor

from subtx_toy.channel.checkpoints import Checkpoint
from subtx_toy.data import Dataset, load
from subtx_toy.data.noise import draw_noise
from subtx_toy.errors import InputError
from subtx_toy.seeding import generator
from subtx_toy.settings.base import Count
from subtx_toy.settings.datasets import NUM_PIXELS
from subtx_toy.training.inputs import ImageInputs, Index, InputPool, Inputs

_BLOCK = 1024  # noise images drawn together: finding one again costs a millisecond
MAX_NOISE = 10**8
"""Noise images that there are; their indices are below."""

WHOLE = (60_000, 10_000)
"""Training and test images of each data set, taken whole."""


class PromptSource(BaseModel):
    """Where prompts come from, so that an auditor can make them again from an index.

    ``images``: the index of a training image of ``dataset``, whose content is ``dataset_sha256``. ``uniform``: the
    index of a noise image U(-1, 1) of ``seed``.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    source: Literal["images", "uniform"] = Field(description="what an index means")
    dataset: Literal["mnist", "glyphs", "fashion"] | None = Field(None, description="of images")
    num_train: Count | None = Field(None, description="training images of that data set")
    num_test: Count | None = Field(None, description="its test images, which the checksum covers too")
    dataset_sha256: str | None = Field(None, description="its checksum")
    absent: list[int] = Field([], description="classes that no prompt shows")
    seed: int | None = Field(None, ge=0, description="of noise")

    @property
    def num_prompts(self) -> int:
        """How many prompts there are; their indices are below. A data set whose size is not given is taken whole."""
        return MAX_NOISE if self.source == "uniform" else self.num_train or WHOLE[0]

    @classmethod
    def images(cls, dataset: Dataset, *, absent: tuple[int, ...]) -> PromptSource:
        """Describe the training images of a data set that are not of the ``absent`` classes."""
        return cls.model_validate(
            {
                "source": "images",
                "dataset": dataset.name,
                "num_train": len(dataset.train_images),
                "num_test": len(dataset.test_images),
                "dataset_sha256": dataset.sha256,
                "absent": list(absent),
            }
        )


class NoisePrompts:
    """Noise images U(-1, 1) that are drawn again whenever they are needed, in blocks with a stream each."""

    def __init__(self, seed: int) -> None:
        self.num, self.dim, self._seed = MAX_NOISE, NUM_PIXELS, seed
        self._held: dict[int, Tensor] = {}

    def gather(self, index: Index) -> Float[Tensor, "n d"]:
        """Return the images at ``index``."""
        out = torch.empty(len(index), self.dim)
        blocks = index // _BLOCK
        for block in np.unique(blocks):
            places = np.flatnonzero(blocks == block)
            out[torch.from_numpy(places)] = self._block(int(block))[torch.from_numpy(index[places] % _BLOCK)]
        return out

    def _block(self, block: int) -> Float[Tensor, "b d"]:
        if block not in self._held:
            if len(self._held) >= 16:  # 50 MB
                self._held.pop(next(iter(self._held)))
            rng = generator(self._seed, "numbers", "prompts", "uniform", block)
            self._held[block] = draw_noise("uniform", rng, torch.empty(_BLOCK, self.dim))
        return self._held[block]


def choose_source(
    kind: str, dataset: Dataset, *, absent: tuple[int, ...], seed: int
) -> tuple[PromptSource, Dataset | None]:
    """Return the source of prompts and the data set whose images they are, or None.

    ``kind`` is ``"images"`` of ``dataset``, drawn ``"glyphs"``, or ``"uniform"`` noise of ``seed``.
    """
    if kind == "uniform":
        return PromptSource(source="uniform", seed=seed), None
    shown = load("glyphs") if kind == "glyphs" else dataset
    return PromptSource.images(shown, absent=absent), shown


def data_behind(source: PromptSource, base: Checkpoint, load: Callable[..., Dataset]) -> tuple[Dataset | None, Dataset]:
    """Return the data set whose images a file's prompts are, or None, and the data set the base was trained on.

    A base that does not name its data set is taken to be trained on the former, or on MNIST; ``load`` is called as
    ``load(name, num_train=..., num_test=...)``.
    """
    shown = None
    if source.source == "images" and source.dataset is not None:
        shown = load(source.dataset, num_train=source.num_prompts, num_test=source.num_test or WHOLE[1])
    if base.images is None:
        return shown, shown or load("mnist", num_train=WHOLE[0], num_test=WHOLE[1])
    name, num_train, num_test = base.images
    if shown is not None and (name, num_train, num_test) == (source.dataset, source.num_train, source.num_test):
        return shown, shown
    return shown, load(name, num_train=num_train, num_test=num_test)


def prompt_inputs(source: PromptSource, dataset: Dataset | None) -> Inputs:
    """Return the prompts of ``source``; ``dataset`` is the one it names, if it names one."""
    if source.source == "uniform":
        if source.seed is None:
            raise InputError("prompts.seed: expected an integer >= 0 with source 'uniform', got nothing")
        return NoisePrompts(source.seed)
    if dataset is None:
        raise InputError("prompts.dataset: expected the name of a data set with source 'images', got nothing")
    if source.dataset_sha256 is not None and source.dataset_sha256 != dataset.sha256:
        raise InputError(
            f"prompts.dataset_sha256: expected the checksum of {dataset.name} here, {dataset.sha256}, "
            f"got {source.dataset_sha256}: the file was written from other images"
        )
    return ImageInputs(dataset.train_images, dtype=torch.float32)


def choose_rows(
    source: PromptSource, dataset: Dataset | None, num: int, rng: np.random.Generator
) -> Int[np.ndarray, " n"]:
    """Choose ``num`` prompts: images in an order drawn from ``rng``, and again from the first where there are less."""
    if source.source == "uniform" or dataset is None:
        return np.arange(num)
    allowed = np.flatnonzero(~np.isin(dataset.train_labels, source.absent))
    if not len(allowed):
        raise InputError(f"prompts.absent: expected classes that leave an image, got {source.absent}")
    return np.resize(rng.permutation(allowed), num)


def held(inputs: Inputs, rows: Int[np.ndarray, " n"]) -> tuple[Inputs, Int[np.ndarray, " n"]]:
    """Return inputs and rows for training on ``rows`` many times: noise is drawn once and kept."""
    if not isinstance(inputs, NoisePrompts):
        return inputs, rows
    unique, places = np.unique(rows, return_inverse=True)
    return InputPool(inputs.gather(unique)), places
