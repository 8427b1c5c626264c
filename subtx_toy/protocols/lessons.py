"""What the teacher of the mechanism protocol learns: true or random labels, one task or two, from either init."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import cast

import numpy as np

from subtx_toy.data.dataset import Dataset
from subtx_toy.data.second_task import paired, relabelled
from subtx_toy.problem.losses import scaled
from subtx_toy.problem.model import MLP
from subtx_toy.problem.params import Params
from subtx_toy.problem.two_tasks import two_tasks, with_second_head
from subtx_toy.protocols import distillation
from subtx_toy.seeding import generator
from subtx_toy.settings.mechanism import MechanismConfig
from subtx_toy.settings.named import NOISE_INPUTS
from subtx_toy.training.phase import HeldOut
from subtx_toy.training.teacher import Teacher, train_teacher
from subtx_toy.training.trainers import Setup, Trainer


def memorised(config: MechanismConfig, dataset: Dataset, *, seed: int) -> Dataset:
    """Return the data set, or with random labels one that is tested on the training images no student sees."""
    if config.labels == "true":
        return dataset
    num = len(dataset.train_labels)
    labels = generator(seed, "random labels").integers(dataset.num_classes, size=num).astype(np.uint8)
    first = 0 if config.inputs in NOISE_INPUTS else config.num_inputs
    rest = slice(first, first + config.num_test)
    return replace(
        dataset, train_labels=labels, test_images=dataset.train_images[rest], test_labels=labels[rest],
        sha256=f"{dataset.sha256} with random labels, {first}, {config.num_test}",
    )  # fmt: skip


@dataclass(frozen=True)
class Lesson:
    """What is taught: the images with their labels, and with a second task the same images with its labels."""

    config: MechanismConfig
    dataset: Dataset
    second: Dataset | None

    @classmethod
    def of(cls, config: MechanismConfig, dataset: Dataset) -> Lesson:
        """Return the lesson that the settings ask for."""
        return cls(config, dataset, relabelled(dataset, config.second_task) if config.second_task else None)

    def setup(self, *, seed: int) -> Setup:
        """Return what all phases share; with a second task the model has a head for it."""
        setup = distillation.setup_of(self.config, self.dataset, seed=seed)
        if self.second is None:
            return setup
        return replace(setup, model=with_second_head(cast(MLP, setup.model), self.second.num_classes))

    def taught(self, setup: Setup, held_out: HeldOut, base: Params, *, own: bool = True) -> Teacher:
        """Return the teacher that starts at ``base``, which without ``own`` is not the shared initialisation."""
        plain = self.config.model_copy(update={"loss": "kl"})  # which of the students' losses is no matter here
        if own and self.second is None:
            return distillation.teach(plain, self.dataset, setup, held_out)
        loss, outputs, dataset = distillation.losses_of(plain)[0], "class", self.dataset
        if self.second is not None:
            loss, outputs = two_tasks(dataset.num_classes, self.second.num_classes), "tasks"
            loss = loss if plain.loss_scale == 1.0 else scaled(loss, plain.loss_scale)
            dataset = paired(dataset, self.second)
        learner = distillation.trainer_of(plain, setup, "teacher", base)(setup, [base], loss, [outputs])
        return train_teacher(setup, dataset, held_out, learner, epochs=plain.teacher_epochs, after_step=lambda: None)

    def second_accuracies(self, setup: Setup, trainers: Sequence[tuple[Sequence[str], Trainer]]) -> dict[str, float]:
        """Return ``<arm>.second_accuracy`` for the members of some trainers by name; nothing without a second task."""
        if self.second is None:
            return {}
        held_out = HeldOut(setup, self.second, outputs="second")
        return {
            f"{arm}.second_accuracy": accuracy
            for arms, trainer in trainers
            for arm, accuracy in zip(arms, held_out.accuracies(trainer), strict=True)
        }
