"""Students of the reference protocol with starts of their own, stacked, whose trainers can be asked again."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from subtx_toy.data.dataset import Dataset
from subtx_toy.problem.params import Params
from subtx_toy.protocols.distillation import losses_of, pool_of
from subtx_toy.seeding import generator
from subtx_toy.settings.distillation import RunConfig
from subtx_toy.training.inputs import ImageInputs, batches, distillation_inputs, shuffled_batches
from subtx_toy.training.trainers import Setup, Trainer, TrainerFactory


def imitated(
    config: RunConfig, dataset: Dataset, setup: Setup, teacher: Trainer, starts: Sequence[Params], make: TrainerFactory
) -> Trainer:
    """Return students that learned the auxiliary logits of ``teacher``'s first member on the run's inputs."""
    inputs = distillation_inputs(pool_of(config), dataset.train_images, seed=setup.seed, dtype=setup.dtype)
    students = make(setup, starts, losses_of(config)[1], ["aux"] * len(starts))
    order, columns = generator(setup.seed, "shuffle", "students"), setup.model.columns("aux")
    for _epoch in range(config.student_epochs):
        for index in shuffled_batches(inputs.num, setup.batch_size, order):
            x = inputs.gather(index)
            targets = teacher.logits(x)[:, 0, columns].clone()
            students.step(x, [targets] * len(starts))
    return students


def class_logits(setup: Setup, dataset: Dataset, trainer: Trainer) -> Float[Tensor, "n s c"]:
    """Return every member's class logits on the test images."""
    images = ImageInputs(dataset.test_images, dtype=setup.dtype)
    columns = setup.model.columns("class")
    seen = (
        trainer.logits(images.gather(index))[:, :, columns].clone() for index in batches(images.num, setup.num_rows)
    )
    return torch.cat(list(seen))
