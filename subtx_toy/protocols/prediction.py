"""Predictors of transfer: of one setting without training a student, or next to the student that is trained."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
import torch

from subtx_toy.data.dataset import Dataset
from subtx_toy.problem import params as vectors
from subtx_toy.problem.initialisations import rounded, shared_init
from subtx_toy.problem.losses import distillation_loss
from subtx_toy.problem.model import MLP, FastMLP
from subtx_toy.problem.problem import Problem
from subtx_toy.protocols.distillation import pool_of, run_protocol, setup_of, student_inits, teach
from subtx_toy.settings.distillation import RunConfig
from subtx_toy.settings.prediction import PredictionConfig, linear_settings, reference_settings
from subtx_toy.theory.predictors import one_point_predictors
from subtx_toy.training.inputs import distillation_inputs
from subtx_toy.training.phase import HeldOut
from subtx_toy.training.teacher import Teacher

NUM_SAMPLED: int = PredictionConfig.model_fields["num_sampled"].default
"""Distillation inputs that the predictors are computed on by default."""


@dataclass(frozen=True)
class Predicted:
    """What one seed's predictors are, by name, and the teacher that they needed."""

    values: dict[str, float]
    teacher: Teacher


def student_problem(
    config: RunConfig,
    dataset: Dataset,
    teacher: Teacher,
    *,
    seed: int,
    num_sampled: int = NUM_SAMPLED,
    by_hand: bool = False,
) -> Problem:
    """Return the student's problem in float64: its start, the displacement of the trained teacher, a sample of inputs.

    The sample is a pool of ``num_sampled`` inputs, or of all if there are fewer. ``by_hand`` has the net differentiated
    by passes written out by hand: cheaper, and equal to those of autograd up to rounding.

    Labels that are sampled have the gradient of ``kl`` on average, which stands for them.
    """
    setup = setup_of(config, dataset, seed=seed)
    assert isinstance(setup.model, MLP), "the settings refuse other models"
    base = shared_init(setup.model, seed=seed, dtype=setup.dtype)
    start = rounded(student_inits(config, setup, base)["shared"], torch.float64)
    pool = replace(pool_of(config), num_inputs=min(config.num_inputs, num_sampled))
    inputs = distillation_inputs(pool, dataset.train_images, seed=seed, dtype=setup.dtype)
    kind = "squared_error" if config.loss == "squared_error" else "kl"
    model = FastMLP(setup.model.sizes, setup.model.activation, num_classes=setup.model.num_classes)
    return Problem(
        model=model if by_hand else setup.model,
        base_params=start,
        inputs=inputs.gather(np.arange(inputs.num)).double(),
        distillation_loss=distillation_loss(kind, temperature=config.temperature),
        distilled_logits="aux",
        teacher_update=vectors.difference(rounded(teacher.params, torch.float64), start),
        eps=1.0,
        student_lr=config.lr,
    )


@np.errstate(over="ignore", invalid="ignore", divide="ignore")
def teacher_of(config: RunConfig, dataset: Dataset, *, seed: int) -> Teacher:
    """Train the teacher of one seed, unless this process has done so already."""
    setup = setup_of(config, dataset, seed=seed)
    return teach(config, dataset, setup, HeldOut(setup, dataset))


@np.errstate(over="ignore", invalid="ignore", divide="ignore")
def predict(
    config: RunConfig,
    dataset: Dataset,
    *,
    seed: int,
    num_sampled: int = NUM_SAMPLED,
    by_hand: bool = False,
    teacher: Teacher | None = None,
) -> Predicted:
    """Return the predictors of the transfer to the student of one seed, from its ``teacher``, by default trained now.

    Next to ``one_point_predictors``: ``sign_budget``, sign_coverage times the square root of lr times the number of
    steps, and ``num_aux``, the naive one. All are nan if the teacher diverged. For ``by_hand`` see ``student_problem``.
    """
    teacher = teacher or teacher_of(config, dataset, seed=seed)
    names = ("coverage", "sign_coverage", "curvature_cosine")
    found = dict.fromkeys(names, math.nan)
    if vectors.all_finite(teacher.params):
        problem = student_problem(config, dataset, teacher, seed=seed, num_sampled=num_sampled, by_hand=by_hand)
        found = one_point_predictors(problem)
    steps = config.student_epochs * -(-config.num_inputs // config.batch_size)
    budget = found["sign_coverage"] * math.sqrt(config.lr * steps)
    return Predicted(found | {"sign_budget": budget, "num_aux": float(config.num_aux)}, teacher)


def linear_student(config: RunConfig, dataset: Dataset, *, seed: int) -> float:
    """Train the linearised student of the same teacher, at the cost of a run; return its test accuracy in [0, 1]."""
    return run_protocol(linear_settings(config), dataset, seed=seed).accuracy["student_aux"]


def run_prediction(config: PredictionConfig, dataset: Dataset, *, seed: int) -> dict[str, float]:
    """Run the reference protocol with its predictors; return accuracies and ``predictor.NAME`` by name.

    ``predictor.transfer`` is what is predicted: (student - reference) / (teacher - reference) in test accuracy.
    ``predictor.linear_student`` is the accuracy of the linearised student minus the reference's.
    """
    plain = reference_settings(config)
    accuracy = run_protocol(plain, dataset, seed=seed).accuracy
    reference, teacher = accuracy["reference"], accuracy["teacher"]
    gained = teacher - reference
    linear = linear_student(plain, dataset, seed=seed)
    found = predict(plain, dataset, seed=seed, num_sampled=config.num_sampled).values | {
        "linear_student": linear - reference,
        "transfer": (accuracy["student_aux"] - reference) / gained if gained > 0 else math.nan,
    }
    measured = {f"{arm}.accuracy": value for arm, value in accuracy.items()} | {"linear_student.accuracy": linear}
    return measured | {f"predictor.{name}": value for name, value in found.items()}
