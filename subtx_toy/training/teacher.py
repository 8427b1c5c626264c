"""The teacher of one seed, trained once for all the runs of this process that share it."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass

import numpy as np
import torch

from subtx_toy.data.dataset import Dataset
from subtx_toy.problem.params import Params
from subtx_toy.seeding import generator
from subtx_toy.training.inputs import ImageInputs
from subtx_toy.training.phase import HeldOut, PhaseResult, run_phase
from subtx_toy.training.trainers import Setup, Trainer

_KEPT = 4  # parameters of a few hundred kB each; the runs of a sweep come seed by seed


@dataclass(frozen=True)
class Teacher:
    """A trained teacher, with the accuracy of its initialisation and of itself on all the test images."""

    params: Params
    reference_accuracy: float
    accuracy: float
    phase: PhaseResult


class TeacherCache:
    """The last few teachers that were trained, by everything they depend on."""

    def __init__(self) -> None:
        self._teachers: OrderedDict[Hashable, Teacher] = OrderedDict()

    def get(self, key: Hashable, train: Callable[[], Teacher]) -> Teacher:
        """Return the teacher of ``key``, trained now unless it is one of the last few."""
        if key not in self._teachers:
            self._teachers[key] = train()
        self._teachers.move_to_end(key)
        while len(self._teachers) > _KEPT:
            self._teachers.popitem(last=False)
        return self._teachers[key]


def train_teacher(
    setup: Setup, dataset: Dataset, held_out: HeldOut, teacher: Trainer, *, epochs: int, after_step: Callable[[], None]
) -> Teacher:
    """Train ``teacher``, whose only member stands at the shared initialisation, on the labelled images."""
    labels = torch.from_numpy(dataset.train_labels.astype(np.int64))
    inputs = ImageInputs(dataset.train_images, dtype=setup.dtype)
    (reference,) = held_out.accuracies(teacher)
    phase = run_phase(
        teacher,
        ["teacher"],
        lambda index: (inputs.gather(index), [labels[torch.from_numpy(index)]]),
        held_out,
        num=inputs.num,
        batch_size=setup.teacher_batch_size,
        epochs=epochs,
        order=generator(setup.seed, "shuffle", "teacher"),
        after_step=after_step,
    )
    (accuracy,) = held_out.accuracies(teacher)
    return Teacher(teacher.params(0), reference, accuracy, phase)
