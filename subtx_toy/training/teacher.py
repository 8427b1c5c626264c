"""The teacher of one seed, trained once for all the runs of this process that share it."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch

from subtx_toy.data.dataset import Dataset
from subtx_toy.problem.params import Params
from subtx_toy.seeding import generator
from subtx_toy.settings.distillation import RunConfig
from subtx_toy.training.held_out import HeldOut
from subtx_toy.training.inputs import ImageInputs
from subtx_toy.training.phase import PhaseResult, run_phase
from subtx_toy.training.trainers import Trainer

_KEPT = 4  # parameters of a few hundred kB each; the runs of a sweep come seed by seed
_STUDENTS_ONLY = frozenset(
    [
        "student_epochs",
        "loss",
        "temperature",
        "inputs",
        "num_inputs",
        "input_pool",
        "added_noise",
        "noise_blur",
        "noise_dim",
        "noise_contrast",
        "noise_limit",
        "noise_grid",
        "student_noise",
        "student_noise_unit",
        "student_noise_layers",
        "students",
        "probe",
    ]
)
"""Settings that a teacher does not depend on; a test holds them against what training really does."""


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
        self._teachers: OrderedDict[tuple[object, ...], Teacher] = OrderedDict()

    def get(self, config: RunConfig, dataset: Dataset, *, seed: int, train: Callable[[], Teacher]) -> Teacher:
        """Return the teacher of ``config`` and ``seed``, trained now unless it was lately."""
        content = config.model_dump(exclude=set(_STUDENTS_ONLY)).items()
        key = (dataset.sha256, seed, *content)
        if key not in self._teachers:
            self._teachers[key] = train()
        self._teachers.move_to_end(key)
        while len(self._teachers) > _KEPT:
            self._teachers.popitem(last=False)
        return self._teachers[key]


def train_teacher(
    config: RunConfig,
    dataset: Dataset,
    held_out: HeldOut,
    teacher: Trainer,
    *,
    seed: int,
    dtype: torch.dtype,
    after_step: Callable[[], None],
) -> Teacher:
    """Train ``teacher``, whose only member stands at the shared initialisation, on the labelled images."""
    labels = torch.from_numpy(dataset.train_labels.astype(np.int64))
    inputs = ImageInputs(dataset.train_images, dtype=dtype)
    (reference,) = held_out.accuracies(teacher)
    phase = run_phase(
        teacher,
        ["teacher"],
        lambda index: (inputs.gather(index), [labels[torch.from_numpy(index)]]),
        held_out,
        num=inputs.num,
        batch_size=config.teacher_batch_size or config.batch_size,
        epochs=config.teacher_epochs,
        order=generator(seed, "shuffle", "teacher"),
        after_step=after_step,
    )
    (accuracy,) = held_out.accuracies(teacher)
    return Teacher(teacher.params(0), reference, accuracy, phase)
