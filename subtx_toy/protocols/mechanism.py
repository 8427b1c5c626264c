"""The mechanism protocol of one seed: the reference protocol with a cause exchanged, cleaned or undone."""

from __future__ import annotations

import math
from dataclasses import fields, replace
from typing import cast

import numpy as np

from subtx_toy.data.dataset import Dataset
from subtx_toy.problem.initialisations import cross_model_init, rounded, shared_init
from subtx_toy.problem.losses import kl
from subtx_toy.problem.model import MLP, Model
from subtx_toy.problem.params import Params
from subtx_toy.problem.parts import redrawn
from subtx_toy.problem.unit_matching import matched_units, permuted
from subtx_toy.protocols import distillation, mechanism_measures
from subtx_toy.protocols.bench import Bench, loss_of, student_setup_of, students_trainer
from subtx_toy.protocols.distillation import STUDENTS, ProtocolResult
from subtx_toy.protocols.lessons import Lesson, memorised
from subtx_toy.protocols.own_objects import metric_of
from subtx_toy.seeding import generator
from subtx_toy.settings.mechanism import MechanismConfig
from subtx_toy.store.record import diverged_epochs
from subtx_toy.training import pulse
from subtx_toy.training.answers import Cleaning, Judges
from subtx_toy.training.inputs import PoolSettings
from subtx_toy.training.phase import HeldOut, PhaseResult
from subtx_toy.training.trainers import Setup, Trainer, fastest_trainer


def matched(bench: Bench, student: Setup, params: Params) -> Params:
    """Return a clone: a student that imitated all logits of the untrained teacher, on inputs without labels."""
    config = bench.config
    noise = config.matching_inputs != "images"
    pool = PoolSettings(config.matching_inputs, config.num_inputs, "fresh" if noise else "fixed")
    inputs, loss = bench.inputs(pool, "matching"), kl()
    clone = fastest_trainer(student)(student, [params], loss, ["all"])
    answers = bench.answers(inputs, loss, ["all"], bench.base, "matching", Cleaning(tainted_share=0.0), fixed=False)
    bench.phase("matching", clone, ["clone"], inputs, answers, ["all"], epochs=config.matching_epochs)
    return clone.params(0)


def _starts_of_own_body(setup: Setup, model: Model, base: Params) -> dict[str, Params]:
    """Return a new body under the heads of ``base``, and a student of which both are new."""
    other = cross_model_init(model, seed=setup.seed, dtype=setup.dtype)
    own = rounded(model.initial(generator(setup.seed, "init", "body")), setup.dtype)
    for name, shared in zip(list(own)[-2:], list(base)[-2:], strict=True):  # weight and bias of the heads
        own[name] = base[shared]
    return {"shared": own, "cross": other}


def starts_of(bench: Bench, student: Setup, base: Params, *, cross: bool) -> dict[str, Params]:
    """Return where the students start, ``"shared"`` or ``"cross"``."""
    config = bench.config
    if config.own_body:
        inits = _starts_of_own_body(bench.setup, student.model, base)
    else:
        inits = distillation.student_inits(config, bench.setup, base)
    if config.other_units == "permuted":
        order = generator(bench.setup.seed, "init", "order of units")
        inits["cross"] = permuted(cast(MLP, bench.setup.model), inits["cross"], order)
    elif config.other_units == "matched":
        inits["cross"] = matched_units(cast(MLP, bench.setup.model), inits["cross"], base)
    if config.redrawn != "nothing":
        other = inits["cross"]
        inits["shared"] = redrawn(
            cast(MLP, bench.setup.model), inits["shared"], other, generator(bench.setup.seed, "init", "redrawn"),
            part=config.redrawn, share=config.redrawn_share, mixture=config.redrawn_as == "mixture",
        )  # fmt: skip
    if config.matching_epochs and cross:
        inits["cross"] = matched(bench, student, inits["cross"])
    return inits


@np.errstate(over="ignore", invalid="ignore", divide="ignore")  # what is not finite is recorded
def run_mechanism(config: MechanismConfig, dataset: Dataset, *, seed: int) -> ProtocolResult:
    """Train teacher and students of one seed and measure every arm, as ``distillation.run_protocol`` does.

    Curves of students go on through the benign epochs; of a chain they are the last generation's.
    """
    lesson = Lesson.of(config, memorised(config, dataset, seed=seed))
    dataset = lesson.dataset
    arms = [arm for arm, choices in STUDENTS.items() if config.students in ("all", arm, *choices)]
    crossed = any(arm.startswith("cross") for arm in arms)
    pulse.expect(
        config.teacher_epochs + config.student_epochs * config.generations + config.benign_epochs
        + (config.matching_epochs if crossed else 0)
    )  # fmt: skip
    setup = lesson.setup(seed=seed)
    student = student_setup_of(config, setup, dataset.train_images.shape[1:])
    base = shared_init(setup.model, seed=seed, dtype=setup.dtype)
    metric = metric_of(config, setup.model, dataset)
    measured = metric("reference", base)
    held_out = HeldOut(setup, dataset)
    taught = lesson.taught(setup, held_out, base)
    pulse.reach(config.teacher_epochs)

    def answering(params: Params, start: Params = base) -> Trainer:
        make = distillation.trainer_of(config, setup, "teacher", start)
        return make(setup, [params], kl(), ["class"])

    bench = Bench(config, dataset, setup, held_out, answering(base))
    inits = starts_of(bench, student, base, cross=crossed)
    loss, outputs = loss_of(config, dataset.num_classes), [_outputs_of(arm, config) for arm in arms]
    read = ["all"] * len(arms) if config.anchor else outputs
    members = [inits[STUDENTS[arm][0]] for arm in arms]
    starts = fastest_trainer(student)(student, members, loss, read) if config.anchor else None
    pool, cleaning = distillation.pool_of(config), _cleaning(config)
    fixed = pool.input_pool == "fixed"
    judges: Judges | None = None
    if config.selected_by == "other_score":
        other = cross_model_init(setup.model, seed=seed, dtype=setup.dtype)
        judges = (answering(lesson.taught(setup, held_out, other, own=False).params, other), answering(other, other))
    factory = students_trainer(config, student, dataset)
    last, students, phases = answering(taught.params), None, list[PhaseResult]()
    for generation in range(config.generations):
        stream = "students" if generation == 0 else f"students {generation}"
        inputs = bench.inputs(pool, *([] if generation == 0 else [stream]))
        answers = bench.answers(inputs, loss, outputs, last, stream, cleaning, fixed=fixed, judges=judges)
        students = factory(student, members, loss, read)
        if config.own_body and generation == 0:
            untrained = held_out.accuracies(students)
            measured |= {f"{arm}.untrained_accuracy": value for arm, value in zip(arms, untrained, strict=True)}
        phases = [
            bench.phase(stream, students, arms, inputs, answers, outputs, epochs=config.student_epochs, starts=starts)
        ]
        if generation + 1 < config.generations:
            last = fastest_trainer(student)(student, [students.params(arms.index("student_aux"))], loss, ["aux"])
    assert students is not None
    if config.benign_epochs:
        if config.restart_optimizer:
            students = factory(student, [students.params(at) for at in range(len(arms))], loss, read)
        inputs = bench.inputs(pool, "benign")
        honest = replace(cleaning, tainted_share=0.0, selected_share=1.0)
        answers = bench.answers(inputs, loss, outputs, bench.base, "benign", honest, fixed=fixed)
        phases.append(
            bench.phase("benign", students, arms, inputs, answers, outputs, epochs=config.benign_epochs, starts=starts)
        )
    accuracies = [taught.reference_accuracy, taught.accuracy, *held_out.accuracies(students)]
    accuracy = dict(zip(["reference", "teacher", *arms], accuracies, strict=True))
    curves = taught.phase.curves | _joined(phases)
    diverged = diverged_epochs(curves, accuracy)
    trained = {"teacher": taught.params} | {arm: students.params(at) for at, arm in enumerate(arms)}
    for arm, params in trained.items():
        measured |= metric(arm, params)
    measured |= mechanism_measures.gradient_cosines(students, arms)
    taught_trainer = answering(taught.params)
    measured |= lesson.second_accuracies(
        setup, [(["reference"], bench.base), (["teacher"], taught_trainer), (arms, students)]
    )
    if config.measure == "imitation":
        measured |= mechanism_measures.imitation(bench, pool, taught_trainer, students, arms)
    if config.measure == "bits":
        measured |= mechanism_measures.bits(bench, taught_trainer, students, arms)
    if config.measure == "kernels":
        own = dict(zip(arms, members, strict=True))
        measured |= mechanism_measures.kernels(bench, pool, taught_trainer, student, own, base)
    seconds = taught.phase.cpu_seconds + sum(phase.cpu_seconds for phase in phases)
    nets = {arm: distillation.net_to_keep(config, student.model, params) for arm, params in trained.items()}
    for arm, params in (("reference", base), ("teacher", taught.params)):
        nets[arm] = distillation.net_to_keep(config, setup.model, params)
    return ProtocolResult(accuracy | dict.fromkeys(diverged, math.nan), curves, measured, seconds, diverged, nets)


def _outputs_of(arm: str, config: MechanismConfig) -> str:
    outputs = STUDENTS[arm][1]
    return config.imitated if outputs == "aux" else outputs


def _cleaning(config: MechanismConfig) -> Cleaning:
    return Cleaning(**{field.name: getattr(config, field.name) for field in fields(Cleaning)})


def _joined(phases: list[PhaseResult]) -> dict[str, list[float]]:
    """Return the curves of phases that follow one another; the accuracy between two of them stands in both."""
    first, *others = (phase.curves for phase in phases)
    joined = {name: list(values) for name, values in first.items()}
    for curves in others:
        for name, values in curves.items():
            joined[name] += values[1:] if name.endswith(".accuracy") else values
    return joined
