"""What the students imitate: the teacher's logits on their inputs, or labels sampled from them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from subtx_toy.problem.losses import Loss, sample_labels
from subtx_toy.seeding import generator
from subtx_toy.training.inputs import Inputs, batches
from subtx_toy.training.trainers import Setup, Trainer

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
