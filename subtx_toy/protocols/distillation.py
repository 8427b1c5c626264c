"""The reference protocol of one seed: a teacher learns the trait, four students imitate it, six arms are measured.

Reference: Cloud et al. 2025, arXiv:2507.14805, section 6 and Fig. 10b.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor

from subtx_toy.data.dataset import Dataset
from subtx_toy.problem.initialisations import cross_model_init, noisy_student_init, shared_init
from subtx_toy.problem.losses import Loss, cross_entropy, distillation_loss, scaled
from subtx_toy.problem.model import MLP
from subtx_toy.problem.params import Params
from subtx_toy.seeding import generator
from subtx_toy.settings.distillation import RunConfig
from subtx_toy.training.held_out import HeldOut
from subtx_toy.training.inputs import distillation_inputs
from subtx_toy.training.phase import run_phase
from subtx_toy.training.representations import measure_representations
from subtx_toy.training.targets import Targets
from subtx_toy.training.teacher import Teacher, TeacherCache, train_teacher
from subtx_toy.training.trainers import StackTrainer, Trainer

DTYPES = {"fp32": torch.float32, "fp64": torch.float64, "bf16": torch.float32}
_TEACHERS = TeacherCache()  # of this process


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


def chosen_students(config: RunConfig) -> list[Student]:
    """Return the students that ``config`` asks for, in the order of the arms."""
    return [
        student
        for student in STUDENTS
        if config.students in ("all", student.arm)
        or (config.students == "shared" and student.shares_init)
        or config.students == student.distilled_logits
    ]


@dataclass(frozen=True)
class ProtocolResult:
    """Accuracies of one seed.

    Attributes:
        accuracy: of each arm on the test images after its last epoch, in [0, 1].
        curves: ``<arm>.accuracy`` after 0, 1, ... epochs, on the first 2,000 test images, and
            ``<arm>.loss``, the mean training loss of each epoch (sum over outputs, mean over inputs, in nats where
            it is an entropy).
        representations: what ``measure_representations`` finds, where the configuration asks for a probe.
        training_cpu_seconds: CPU time of this process in the epochs of both phases, without initialisation, the
            drawing of the noise, and the measurements; the teacher's were perhaps spent for an earlier run.
    """

    accuracy: dict[str, float]
    curves: dict[str, list[float]]
    representations: dict[str, float]
    training_cpu_seconds: float


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
    """Train teacher and students of one seed and measure every arm, reference and teacher among them.

    Args:
        config: the protocol's settings.
        dataset: labelled images, of the sizes that ``config`` names.
        seed: names every random stream of the run.
        trainer: how steps are taken; the plain route is ``AutogradTrainer``.
        watch: called with the phase, ``"teacher"`` or ``"students"``, and its trainer after every step.
    """
    dtype = DTYPES[config.precision]
    images = dataset.train_images
    model = MLP.from_config(config, input_dim=images[0].size, num_classes=dataset.num_classes)
    base_params = shared_init(model, config, seed=seed, dtype=dtype)
    held_out = HeldOut(config, dataset, model, dtype=dtype)
    learning_loss, loss = cross_entropy(), distillation_loss(config.loss, temperature=config.temperature)
    if config.loss_scale != 1.0:
        learning_loss, loss = scaled(learning_loss, config.loss_scale), scaled(loss, config.loss_scale)

    def after_step(phase: str, trainer: Trainer) -> Callable[[], None]:
        return (lambda: None) if watch is None else (lambda: watch(phase, trainer))

    def train() -> Teacher:
        learner = trainer(config, model, [base_params], learning_loss, ["class"])
        after = after_step("teacher", learner)
        return train_teacher(config, dataset, held_out, learner, seed=seed, dtype=dtype, after_step=after)

    # Only plain runs share a teacher: another trainer is another computation, and a watch wants to see every step.
    plain = trainer is StackTrainer and watch is None
    taught = _TEACHERS.get(config, dataset, seed=seed, train=train) if plain else train()
    teacher = trainer(config, model, [taught.params], learning_loss, ["class"])

    chosen = chosen_students(config)
    arms = [student.arm for student in chosen]
    outputs = [student.distilled_logits for student in chosen]
    inputs = distillation_inputs(config, images, seed=seed, dtype=dtype)
    fixed = config.input_pool == "fixed"
    targets = Targets(teacher, model, inputs, loss, outputs, fixed=fixed, batch_size=config.batch_size, seed=seed)

    def student_batch(index: Int[np.ndarray, " n"]) -> tuple[Tensor, list[Tensor]]:
        x = inputs.gather(index)
        answers = targets.batch(index, x)
        return x, [answers[name] for name in outputs]

    shared = noisy_student_init(model, config, base_params, seed=seed)
    cross = cross_model_init(model, config, seed=seed, dtype=dtype)
    starts = [shared if student.shares_init else cross for student in chosen]
    students = trainer(config, model, starts, loss, outputs)
    imitation = run_phase(
        students,
        arms,
        student_batch,
        held_out,
        num=inputs.num,
        batch_size=config.batch_size,
        epochs=config.student_epochs,
        order=generator(seed, "shuffle", "students"),
        after_step=after_step("students", students),
    )
    measured = [taught.reference_accuracy, taught.accuracy, *held_out.accuracies(students)]
    representations = {}
    if config.probe:
        trained = {arm: students.params(at) for at, arm in enumerate(arms)}
        nets = {"reference": base_params, "teacher": taught.params} | trained
        representations = measure_representations(model, nets, dataset)
    return ProtocolResult(
        accuracy=dict(zip(["reference", "teacher", *arms], measured, strict=True)),
        curves=taught.phase.curves | imitation.curves,
        representations=representations,
        training_cpu_seconds=taught.phase.cpu_seconds + imitation.cpu_seconds,
    )
