"""The one-step experiment on images: what theory predicts of one step, and what one step does."""

from __future__ import annotations

import math

import numpy as np
import torch

from subtx_toy.data import Dataset
from subtx_toy.data.noise import draw_noise, pixels
from subtx_toy.problem import params as vectors
from subtx_toy.problem.initialisations import cross_model_init, permuted_units, perturbed, shared_init
from subtx_toy.problem.losses import distillation_loss
from subtx_toy.problem.model import MLP, accuracy
from subtx_toy.problem.params import Params
from subtx_toy.problem.problem import Problem
from subtx_toy.problem.trait_loss import cross_entropy_trait
from subtx_toy.seeding import generator
from subtx_toy.settings.one_step import OneStepConfig
from subtx_toy.theory.curvature import curvature, ggn_vector_product
from subtx_toy.training.gradient_step import observe, student_step

_TEST_BATCH = 2_000  # images a forward pass: 12 MB of float64 pixels


def one_step_problem(config: OneStepConfig, dataset: Dataset, *, seed: int) -> Problem:
    """Build the problem: a trait batch of labelled images, noise to distil on, and the shared initialisation."""
    images, labels = dataset.train_images, dataset.train_labels
    model = MLP.from_config(config, input_dim=images[0].size, num_classes=dataset.num_classes)
    chosen = generator(seed, "trait").choice(len(images), config.num_trait, replace=False)
    noise = torch.empty(config.num_inputs, images[0].size, dtype=torch.float64)
    return Problem(
        model=model,
        base_params=shared_init(model, seed=seed, dtype=torch.float64),
        inputs=draw_noise(config.inputs, generator(seed, "inputs"), noise),
        distillation_loss=distillation_loss(config.loss, temperature=config.temperature),
        distilled_logits=config.distilled_logits,
        trait_loss=cross_entropy_trait(
            _pixels(images[chosen]),
            torch.from_numpy(labels[chosen].astype(np.int64)),
            class_logits=model.columns("class"),
        ),
        eps=config.eps,
        student_lr=config.student_lr,
    )


def student_start(problem: Problem, config: OneStepConfig, *, seed: int) -> Params:
    """Return where the student starts, as ``config.student_init`` says."""
    model, base_params = problem.model, problem.base_params
    if not isinstance(model, MLP):
        raise TypeError(f"model: expected an MLP, got {type(model).__name__}")
    if config.student_init == "cross":
        return cross_model_init(model, seed=seed, dtype=torch.float64)
    if config.student_init == "permuted":
        return permuted_units(model, base_params, generator(seed, "init", "permuted"))
    if config.student_init == "perturbed":
        return perturbed(base_params, generator(seed, "init", "perturbed"), spread=config.perturbation)
    return base_params


@np.errstate(over="ignore", invalid="ignore", divide="ignore")  # what is not finite is recorded
def run_one_step(config: OneStepConfig, dataset: Dataset, *, seed: int) -> dict[str, float]:
    """Take the two steps and return what was predicted and observed, by name.

    Predictions are those of a shared initialisation, whatever the student's is: for the controls they show what does
    not happen; cosine and window are nan where dT does not change the distilled outputs. ``remainder`` is
    ||dS - eps G dT||; distances are Euclidean, in parameter space; losses are sums over outputs and means over inputs;
    accuracies are on all test images, in [0, 1].
    """
    problem = one_step_problem(config, dataset, seed=seed)
    start = student_start(problem, config, seed=seed)
    dT = problem.teacher_update
    G_dT = ggn_vector_product(problem, dT)
    V = float(curvature(problem))
    norms = float(vectors.norm(dT)), float(vectors.norm(G_dT))
    seen = observe(problem, student_init=start)
    dS = student_step(problem, student_init=start)
    student = vectors.axpy(config.student_lr, dS, start)
    return {
        "curvature": V,
        "predicted_alignment": config.eps * V,
        "alignment": seen.alignment,
        "predicted_cosine": _over(V, norms[0] * norms[1]),
        "cosine": seen.cosine,
        "remainder": float(vectors.norm(vectors.axpy(-config.eps, G_dT, dS))),
        "student_update_norm": seen.student_update_norm,
        "teacher_update_norm": norms[0],
        "predicted_window": _over(2 * V, norms[1] ** 2),
        "distance_before": seen.distance_before,
        "distance_after": seen.distance_after,
        "predicted_trait_loss_change": -config.student_lr * config.eps * V,
        "trait_loss_change": seen.trait_loss_after - seen.trait_loss_before,
        "distillation_loss_change": seen.distillation_loss_after - seen.distillation_loss_before,
        "accuracy_before": _test_accuracy(problem, dataset, start),
        "accuracy_after": _test_accuracy(problem, dataset, student),
        "teacher_accuracy": _test_accuracy(problem, dataset, problem.teacher_params()),
    }


def _over(value: float, size: float) -> float:
    return value / size if size else math.nan  # a student that does not move has no direction and no window


def _test_accuracy(problem: Problem, dataset: Dataset, params: Params) -> float:
    right = 0.0
    for start in range(0, len(dataset.test_images), _TEST_BATCH):
        part = slice(start, start + _TEST_BATCH)
        labels = torch.from_numpy(dataset.test_labels[part].astype(np.int64))
        logits = problem.outputs(params, _pixels(dataset.test_images[part]))[:, : problem.num_classes]
        right += accuracy(logits, labels) * len(labels)
    return right / len(dataset.test_images)


def _pixels(images: np.ndarray) -> torch.Tensor:
    return pixels(images, torch.empty(len(images), images[0].size, dtype=torch.float64))
