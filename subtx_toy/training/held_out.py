"""The held-out images, and the accuracy of every member of a trainer on them."""

from __future__ import annotations

import numpy as np
import torch

from subtx_toy.data.dataset import Dataset
from subtx_toy.problem.metrics import accuracy
from subtx_toy.training.inputs import ImageInputs, batches
from subtx_toy.training.setup import Setup
from subtx_toy.training.trainers import Trainer


class HeldOut:
    """The test images of ``dataset``, read a batch at a time."""

    def __init__(self, setup: Setup, dataset: Dataset) -> None:
        self._inputs, self._batch_size = ImageInputs(dataset.test_images, dtype=setup.dtype), setup.batch_size
        self._labels = torch.from_numpy(dataset.test_labels.astype(np.int64))
        self._columns = setup.model.columns("class")

    def accuracies(self, trainer: Trainer, num: int | None = None) -> list[float]:
        """Return each member's accuracy, in [0, 1], on the first ``num`` images or on all."""
        num = self._inputs.num if num is None else min(num, self._inputs.num)
        logits = torch.cat(
            [
                trainer.logits(self._inputs.gather(index))[:, :, self._columns].clone()
                for index in batches(num, self._batch_size)
            ]
        )
        return [accuracy(logits[:, member], self._labels[:num]) for member in range(logits.shape[1])]
