"""The reference protocol of one seed: a teacher learns the trait, four students imitate it, six arms are measured.

Reference: Cloud et al. 2025, arXiv:2507.14805, section 6 and Fig. 10b.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field, fields
from functools import partial
from typing import cast

import numpy as np
from jaxtyping import Int
from torch import Tensor

from subtx_toy.data.dataset import Dataset
from subtx_toy.errors import InputError
from subtx_toy.problem.activations import ACTIVATIONS
from subtx_toy.problem.initialisations import StudentNoise, cross_model_init, noisy_student_init, shared_init
from subtx_toy.problem.losses import Loss, cross_entropy, distillation_loss, scaled
from subtx_toy.problem.model import MLP, HiddenModel, Model
from subtx_toy.problem.params import Params
from subtx_toy.problem.two_tasks import TwoTaskMLP
from subtx_toy.protocols.own_objects import metric_of, model_of, named
from subtx_toy.seeding import generator
from subtx_toy.settings.distillation import RunConfig
from subtx_toy.store.kept_nets import NetToKeep
from subtx_toy.store.record import diverged_epochs
from subtx_toy.training import pulse
from subtx_toy.training.inputs import PoolSettings, Targets, distillation_inputs
from subtx_toy.training.linearized import LinearizedTrainer, ScaledOutputTrainer
from subtx_toy.training.optimizers import OptimizerFactory, OptimizerSettings
from subtx_toy.training.phase import HeldOut, run_phase
from subtx_toy.training.representations import measure_representations
from subtx_toy.training.teacher import Teacher, TeacherCache, train_teacher
from subtx_toy.training.trainers import Setup, Trainer, TrainerFactory, fastest_trainer

_TEACHERS = TeacherCache()  # of this process


STUDENTS = {
    "student_aux": ("shared", "aux"),
    "student_all": ("shared", "all"),
    "cross_aux": ("cross", "aux"),
    "cross_all": ("cross", "all"),
}
"""By arm: the initialisation a student starts from, and the teacher's logits that it imitates."""


@dataclass(frozen=True)
class ProtocolResult:
    """What was measured with one seed: ``accuracy`` by arm on the test images after the last epoch, in [0, 1].

    ``curves`` holds ``<arm>.accuracy`` after 0, 1, ... epochs, on the first 2,000 test images, and ``<arm>.loss``, the
    mean training loss of each epoch (sum over outputs, mean over inputs, in nats where it is an entropy). ``measured``
    holds what a probe and a user's metric found. ``training_cpu_seconds`` are spent in the epochs of both phases; a
    teacher that an earlier run of this process trained counts too. ``diverged`` holds, for each arm that
    diverged, the epoch in which it did; its accuracy and what was to be measured of it are nan. ``nets`` holds the
    weights of every arm.
    """

    accuracy: dict[str, float]
    curves: dict[str, list[float]]
    measured: dict[str, float]
    training_cpu_seconds: float
    diverged: dict[str, int]
    nets: dict[str, NetToKeep] = field(default_factory=dict)


Watch = Callable[[str, Trainer], None]


def setup_of(config: RunConfig, dataset: Dataset, *, seed: int) -> Setup:
    """Return what both phases of a run share."""
    factory = None
    if "optimizer" in config.own_objects:
        factory = cast(OptimizerFactory, config.load("optimizer"))
    teacher_batch_size = config.teacher_batch_size or config.batch_size
    largest = max(config.num_train, config.num_inputs, config.num_test)  # which a large batch_size does not reach
    return Setup(
        model=model_of(config, dataset),
        optimizer=OptimizerSettings(
            named(config, "optimizer"), config.lr, config.momentum, config.weight_decay, config.decay_towards, factory
        ),
        batch_size=config.batch_size,
        teacher_batch_size=teacher_batch_size,
        precision=config.precision,
        seed=seed,
        num_rows=min(max(config.batch_size, teacher_batch_size), largest),
    )


def net_to_keep(config: RunConfig, model: Model, params: Params) -> NetToKeep:
    """Return the weights of one arm with its shape, if it is a perceptron of this package and no expansion of one."""
    plain = config.linearized == "none" and config.output_scale == 1.0
    if not (plain and isinstance(model, MLP) and ACTIVATIONS.get(model.activation.name) is model.activation):
        return NetToKeep(params)  # an activation of the user's may have the name of another
    shape = {
        "sizes": list(model.sizes), "activation": model.activation.name, "num_classes": model.num_classes,
        "num_second": model.num_second if isinstance(model, TwoTaskMLP) else 0,
    }  # fmt: skip
    return NetToKeep(params, shape)


def trainer_of(config: RunConfig, setup: Setup, member: str, base: Params | None = None) -> TrainerFactory:
    """Return what trains a ``"teacher"`` or ``"student"``: as fast as can be, or in the function the settings ask for.

    ``base`` is where that function is expanded; by default each member's own parameters when it is made.
    """
    bases = None if base is None else [base]
    if config.linearized == "both" or config.linearized == member:
        return partial(LinearizedTrainer, bases=bases)
    if config.output_scale != 1.0:
        return partial(ScaledOutputTrainer, scale=config.output_scale, bases=bases)
    return fastest_trainer(setup)


def losses_of(config: RunConfig) -> tuple[Loss, Loss]:
    """Return the loss of the teacher and that of the students, scaled as the settings say."""
    learning_loss, loss = cross_entropy(), distillation_loss(config.loss, temperature=config.temperature)
    if config.loss_scale != 1.0:
        learning_loss, loss = scaled(learning_loss, config.loss_scale), scaled(loss, config.loss_scale)
    return learning_loss, loss


def pool_of(config: RunConfig) -> PoolSettings:
    """Return what the students see."""
    return PoolSettings(**{field.name: getattr(config, field.name) for field in fields(PoolSettings)})


def student_inits(config: RunConfig, setup: Setup, base_params: Params) -> dict[str, Params]:
    """Return where students start, ``"shared"`` with the teacher up to the settings' noise, or ``"cross"``."""
    noise = StudentNoise(config.student_noise, config.student_noise_unit, config.student_noise_layers)
    return {
        "shared": noisy_student_init(setup.model, noise, base_params, seed=setup.seed),
        "cross": cross_model_init(setup.model, seed=setup.seed, dtype=setup.dtype),
    }


def _after_step(watch: Watch | None, phase: str, trainer: Trainer) -> Callable[[], None]:
    return (lambda: None) if watch is None else (lambda: watch(phase, trainer))


def teach(
    config: RunConfig,
    dataset: Dataset,
    setup: Setup,
    held_out: HeldOut,
    *,
    trainer: TrainerFactory | None = None,
    watch: Watch | None = None,
) -> Teacher:
    """Return the teacher of a run, trained now unless this process has trained it already."""
    base_params = shared_init(setup.model, seed=setup.seed, dtype=setup.dtype)
    make_teacher = trainer or trainer_of(config, setup, "teacher", base_params)

    def train() -> Teacher:
        learner = make_teacher(setup, [base_params], losses_of(config)[0], ["class"])
        after = _after_step(watch, "teacher", learner)
        return train_teacher(setup, dataset, held_out, learner, epochs=config.teacher_epochs, after_step=after)

    # Only plain runs share a teacher: another trainer is another computation, and a watch wants to see every step.
    plain = trainer is None and watch is None
    kind = (config.linearized == "both", config.output_scale)
    key = (dataset.sha256, setup, config.teacher_epochs, config.loss_scale, kind)
    return _TEACHERS.get(key, train) if plain else train()


@np.errstate(over="ignore", invalid="ignore", divide="ignore")  # what is not finite is recorded
def run_protocol(
    config: RunConfig, dataset: Dataset, *, seed: int, trainer: TrainerFactory | None = None, watch: Watch | None = None
) -> ProtocolResult:
    """Train teacher and students of one seed and measure every arm, reference and teacher among them.

    Steps are taken by ``trainer``, by default the fastest there is; ``watch`` is called after every step with the
    phase, ``"teacher"`` or ``"students"``, and its trainer.
    """
    pulse.expect(config.teacher_epochs + config.student_epochs)
    setup = setup_of(config, dataset, seed=seed)
    model = setup.model
    if config.probe and not isinstance(model, HiddenModel):
        raise InputError(f"probe: expected false with {config.model!r}, which has no hidden(params, inputs), got true")
    base_params = shared_init(model, seed=seed, dtype=setup.dtype)
    metric = metric_of(config, model, dataset)
    measured = metric("reference", base_params)  # a function that cannot be used is found out here
    held_out = HeldOut(setup, dataset)
    taught = teach(config, dataset, setup, held_out, trainer=trainer, watch=watch)
    pulse.reach(config.teacher_epochs)  # also if the teacher was found
    learning_loss, loss = losses_of(config)
    make_teacher = trainer or trainer_of(config, setup, "teacher", base_params)
    make_students = trainer or trainer_of(config, setup, "student")
    teacher = make_teacher(setup, [taught.params], learning_loss, ["class"])

    arms = [arm for arm, choices in STUDENTS.items() if config.students in ("all", arm, *choices)]
    outputs = [STUDENTS[arm][1] for arm in arms]
    pool = pool_of(config)
    inputs = distillation_inputs(pool, dataset.train_images, seed=seed, dtype=setup.dtype)
    targets = Targets(setup, teacher, inputs, loss, outputs, fixed=pool.input_pool == "fixed")

    def student_batch(index: Int[np.ndarray, " n"]) -> tuple[Tensor, list[Tensor]]:
        x = inputs.gather(index)
        answers = targets.batch(index, x)
        return x, [answers[name] for name in outputs]

    inits = student_inits(config, setup, base_params)
    students = make_students(setup, [inits[STUDENTS[arm][0]] for arm in arms], loss, outputs)
    imitation = run_phase(
        students,
        arms,
        student_batch,
        held_out,
        num=inputs.num,
        batch_size=setup.batch_size,
        epochs=config.student_epochs,
        order=generator(seed, "shuffle", "students"),
        after_step=_after_step(watch, "students", students),
    )
    accuracies = [taught.reference_accuracy, taught.accuracy, *held_out.accuracies(students)]
    accuracy = dict(zip(["reference", "teacher", *arms], accuracies, strict=True))
    curves = taught.phase.curves | imitation.curves
    diverged = diverged_epochs(curves, accuracy)
    trained = {"teacher": taught.params} | {arm: students.params(at) for at, arm in enumerate(arms)}
    for arm, params in trained.items():
        measured |= metric(arm, params)
    if isinstance(model, HiddenModel) and config.probe:
        nets = {"reference": base_params} | trained
        measured |= measure_representations(model, nets, dataset, diverged=diverged)
    return ProtocolResult(
        accuracy=accuracy | dict.fromkeys(diverged, math.nan),
        curves=curves,
        measured=measured,
        diverged=diverged,
        training_cpu_seconds=taught.phase.cpu_seconds + imitation.cpu_seconds,
        nets={
            arm: net_to_keep(config, model, params) for arm, params in ({"reference": base_params} | trained).items()
        },
    )
