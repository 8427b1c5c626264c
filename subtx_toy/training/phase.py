"""One phase of training: epochs over shuffled inputs, with learning curves on held-out images and the time taken."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor

from subtx_toy.data.dataset import Dataset
from subtx_toy.problem.model import accuracy
from subtx_toy.training import pulse
from subtx_toy.training.inputs import ImageInputs, batches, shuffled_batches
from subtx_toy.training.trainers import Setup, Trainer

CURVE_IMAGES = 2_000
"""Test images behind each point of a learning curve (sd <= .011); the arms are measured on all of them."""

Batch = Callable[[Int[np.ndarray, " n"]], tuple[Tensor, Sequence[Tensor]]]
"""From indices to inputs ``[n, d]`` and the targets of each member."""


class HeldOut:
    """The test images of ``dataset``, read a batch at a time; ``outputs`` are those that its labels speak of."""

    def __init__(self, setup: Setup, dataset: Dataset, *, outputs: str = "class") -> None:
        self._inputs, self._batch_size = ImageInputs(dataset.test_images, dtype=setup.dtype), setup.batch_size
        self._labels = torch.from_numpy(dataset.test_labels.astype(np.int64))
        self._columns = setup.model.columns(outputs)

    def accuracies(self, trainer: Trainer, num: int | None = None) -> list[float]:
        """Return each member's accuracy, in [0, 1], on the first ``num`` images or on all; nan if it diverged."""
        members, labels = self.answers(trainer, num)
        return [accuracy(own, labels) if bool(torch.isfinite(own).all()) else math.nan for own in members]

    def answers(self, trainer: Trainer, num: int | None = None) -> tuple[list[Tensor], Tensor]:
        """Return each member's logits ``[n, c]`` of the first ``num`` images or of all, and the labels ``[n]``."""
        num = self._inputs.num if num is None else min(num, self._inputs.num)
        seen = (trainer.logits(self._inputs.gather(index)) for index in batches(num, self._batch_size))
        logits = torch.cat([z[:, :, self._columns].clone() for z in seen])
        return [logits[:, member] for member in range(logits.shape[1])], self._labels[:num]


@dataclass(frozen=True)
class PhaseResult:
    """Curves by arm, accuracy after 0, 1, ... epochs and mean loss of each, and the CPU seconds of the epochs alone."""

    curves: dict[str, list[float]]
    cpu_seconds: float


def run_phase(
    trainer: Trainer,
    arms: Sequence[str],
    batch: Batch,
    held_out: HeldOut,
    *,
    num: int,
    batch_size: int,
    epochs: int,
    order: np.random.Generator,
    after_step: Callable[[], None],
) -> PhaseResult:
    """Train every member, named by ``arms``, on ``num`` inputs an epoch, in a new order from ``order`` each time."""
    accuracies, losses, seconds = [held_out.accuracies(trainer, CURVE_IMAGES)], [], 0.0
    for _epoch in range(epochs):
        start, epoch_losses, sizes = time.process_time(), [], []
        for index in shuffled_batches(num, batch_size, order):
            x, targets = batch(index)
            epoch_losses.append(trainer.step(x, targets))
            sizes.append(len(index))
            after_step()
        seconds += time.process_time() - start
        # Batches differ in size, so the mean over inputs weighs each by its own.
        losses.append(np.average(epoch_losses, axis=0, weights=sizes).tolist())
        accuracies.append(held_out.accuracies(trainer, CURVE_IMAGES))
        pulse.tick()
    curves = {f"{arm}.accuracy": [values[at] for values in accuracies] for at, arm in enumerate(arms)}
    curves |= {f"{arm}.loss": [values[at] for values in losses] for at, arm in enumerate(arms)}
    return PhaseResult(curves, seconds)
