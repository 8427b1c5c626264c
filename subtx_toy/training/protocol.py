"""The reference protocol of one seed: a teacher learns the trait, four students imitate it, six arms are measured.

Reference: Cloud et al. 2025, arXiv:2507.14805, section 6 and Fig. 10b.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch

from subtx_toy.config import RunConfig
from subtx_toy.controls import cross_model_init, shared_init
from subtx_toy.data.dataset import Dataset
from subtx_toy.losses import Loss, cross_entropy, distillation_loss
from subtx_toy.metrics import accuracy
from subtx_toy.models import MLP
from subtx_toy.params import Params
from subtx_toy.seeding import generator
from subtx_toy.training.inputs import ImageInputs, batches, distillation_inputs, shuffled_batches
from subtx_toy.training.targets import Targets
from subtx_toy.training.trainers import StackTrainer, Trainer

DTYPES = {"fp32": torch.float32, "fp64": torch.float64}

ARMS = ("reference", "teacher", "student_aux", "student_all", "cross_aux", "cross_all")
"""Untrained shared init; teacher; students from the shared init; students from an init of their own."""


CURVE_IMAGES = 2_000
"""Test images behind each point of a learning curve (sd <= .011); the arms are measured on all of them."""


class Student(NamedTuple):
    """One student arm: which initialisation it starts from and which of the teacher's logits it imitates."""

    arm: str
    shares_init: bool
    distilled_logits: str


STUDENTS = (
    Student("student_aux", shares_init=True, distilled_logits="aux"),
    Student("student_all", shares_init=True, distilled_logits="all"),
    Student("cross_aux", shares_init=False, distilled_logits="aux"),
    Student("cross_all", shares_init=False, distilled_logits="all"),
)


@dataclass(frozen=True)
class ProtocolResult:
    """Accuracies of one seed.

    Attributes:
        accuracy: of each arm on the test images after its last epoch, in [0, 1].
        curves: ``<arm>.accuracy`` after 0, 1, ... epochs, on the first ``CURVE_IMAGES`` test images, and
            ``<arm>.loss``, the mean training loss of each epoch (sum over outputs, mean over inputs, in nats where
            it is an entropy).
    """

    accuracy: dict[str, float]
    curves: dict[str, list[float]]


TrainerFactory = Callable[[RunConfig, MLP, Sequence[Params], Loss, Sequence[str]], Trainer]
Watch = Callable[[str, Trainer], None]


def run_protocol(
    config: RunConfig,
    dataset: Dataset,
    *,
    seed: int,
    trainer: TrainerFactory = StackTrainer,
    watch: Watch | None = None,
) -> ProtocolResult:
    """Train teacher and students of one seed and measure all six arms.

    Args:
        config: the protocol's settings.
        dataset: labelled images, of the sizes that ``config`` names.
        seed: names every random stream of the run.
        trainer: how steps are taken; the plain route is ``AutogradTrainer``.
        watch: called with the phase, ``"teacher"`` or ``"students"``, and its trainer after every step.
    """
    dtype = DTYPES[config.precision]
    images, labels = dataset.train_images, torch.from_numpy(dataset.train_labels.astype(np.int64))
    model = MLP.from_config(config, input_dim=images[0].size)
    base_params = shared_init(model, config, seed=seed, dtype=dtype)
    cross_params = cross_model_init(model, config, seed=seed, dtype=dtype)
    test = _Test(config, dataset, model, dtype)

    teacher = trainer(config, model, [base_params], cross_entropy(), ["class"])
    (reference,) = test.accuracies(teacher)
    curves = _Curves(["teacher"], test, teacher)
    train_inputs = ImageInputs(images, dtype=dtype)
    order = generator(seed, "shuffle", "teacher")
    for _epoch in range(config.teacher_epochs):
        for index in shuffled_batches(train_inputs.num, config.batch_size, order):
            x, y = train_inputs.gather(index), labels[torch.from_numpy(index)]
            curves.add_losses(teacher.step(x, [y]), len(index))
            if watch:
                watch("teacher", teacher)
        curves.end_epoch()
    final = dict(zip(["teacher"], test.accuracies(teacher), strict=True))

    loss = distillation_loss(config.loss, temperature=config.temperature)
    outputs = [student.distilled_logits for student in STUDENTS]
    inputs = distillation_inputs(config, images, generator(seed, "inputs"), dtype=dtype)
    fixed = config.input_pool == "fixed"
    targets = Targets(
        teacher, model, inputs, loss, outputs, fixed=fixed, batch_size=config.batch_size, seed=seed
    )
    starts = [base_params if student.shares_init else cross_params for student in STUDENTS]
    students = trainer(config, model, starts, loss, outputs)
    student_curves = _Curves([student.arm for student in STUDENTS], test, students)
    order = generator(seed, "shuffle", "students")
    for _epoch in range(config.student_epochs):
        for index in shuffled_batches(inputs.num, config.batch_size, order):
            x = inputs.gather(index)
            answers = targets.batch(index, x)
            student_curves.add_losses(students.step(x, [answers[name] for name in outputs]), len(index))
            if watch:
                watch("students", students)
        student_curves.end_epoch()
    final |= dict(zip((student.arm for student in STUDENTS), test.accuracies(students), strict=True))
    return ProtocolResult({"reference": reference} | final, curves.values | student_curves.values)


class _Test:
    """The test images, read in batches, and the accuracy of every member of a trainer on them."""

    def __init__(self, config: RunConfig, dataset: Dataset, model: MLP, dtype: torch.dtype) -> None:
        self._inputs, self._batch_size = ImageInputs(dataset.test_images, dtype=dtype), config.batch_size
        self._labels = torch.from_numpy(dataset.test_labels.astype(np.int64))
        self._columns = model.columns("class")

    def accuracies(self, trainer: Trainer, num: int | None = None) -> list[float]:
        num = self._inputs.num if num is None else min(num, self._inputs.num)
        logits = torch.cat(
            [
                trainer.logits(self._inputs.gather(index))[:, :, self._columns].clone()
                for index in batches(num, self._batch_size)
            ]
        )
        return [accuracy(logits[:, member], self._labels[:num]) for member in range(logits.shape[1])]


class _Curves:
    """Accuracy and mean training loss of each member of a trainer, epoch by epoch."""

    def __init__(self, arms: Sequence[str], test: _Test, trainer: Trainer) -> None:
        self.values: dict[str, list[float]] = {
            f"{arm}.{what}": [] for arm in arms for what in ("accuracy", "loss")
        }
        self._arms, self._test, self._trainer = arms, test, trainer
        self._add_accuracies()
        self._losses: list[tuple[list[float], int]] = []

    def add_losses(self, losses: list[float], num: int) -> None:
        self._losses.append((losses, num))

    def end_epoch(self) -> None:
        # Batches differ in size, so the mean over inputs weighs each by its own.
        losses, weights = zip(*self._losses, strict=True)
        for arm, mean in zip(self._arms, np.average(losses, axis=0, weights=weights), strict=True):
            self.values[f"{arm}.loss"].append(float(mean))
        self._losses = []
        self._add_accuracies()

    def _add_accuracies(self) -> None:
        for arm, value in zip(self._arms, self._test.accuracies(self._trainer, CURVE_IMAGES), strict=True):
            self.values[f"{arm}.accuracy"].append(value)
