"""One phase of training: epochs over shuffled inputs, with learning curves and the time they take."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Int
from torch import Tensor

from subtx_toy.training.held_out import HeldOut
from subtx_toy.training.inputs import shuffled_batches
from subtx_toy.training.trainers import Trainer

CURVE_IMAGES = 2_000
"""Test images behind each point of a learning curve (sd <= .011); the arms are measured on all of them."""

Batch = Callable[[Int[np.ndarray, " n"]], tuple[Tensor, Sequence[Tensor]]]
"""From indices to inputs ``[n, d]`` and the targets of each member."""


@dataclass(frozen=True)
class PhaseResult:
    """What a phase leaves besides the trained members.

    Attributes:
        curves: ``<arm>.accuracy`` after 0, 1, ... epochs and ``<arm>.loss``, the mean training loss of each epoch.
        cpu_seconds: of this process in the epochs, measurements left out.
    """

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
    """Train every member of ``trainer`` for some epochs.

    Args:
        trainer: takes the steps.
        arms: the members' names in the curves.
        batch: gives the inputs and targets at some indices.
        held_out: measures the accuracies.
        num: inputs an epoch; ``batch_size`` of them a step, in an order drawn anew from ``order`` each epoch.
        epochs: how many.
        batch_size: the last batch of an epoch may be smaller.
        order: the stream of the shuffles.
        after_step: called after every step.
    """
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
    curves = {f"{arm}.accuracy": [values[at] for values in accuracies] for at, arm in enumerate(arms)}
    curves |= {f"{arm}.loss": [values[at] for values in losses] for at, arm in enumerate(arms)}
    return PhaseResult(curves, seconds)
