"""The many-step experiment on images: what linear theory predicts of a student's K steps, and where they lead."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace

import numpy as np
import torch
from jaxtyping import Float

from subtx_toy.data import Dataset
from subtx_toy.data.noise import draw_noise, pixels
from subtx_toy.problem import params as vectors
from subtx_toy.problem.initialisations import shared_init
from subtx_toy.problem.losses import distillation_loss
from subtx_toy.problem.model import FastMLP
from subtx_toy.problem.problem import Problem
from subtx_toy.problem.trait_loss import cross_entropy_trait
from subtx_toy.seeding import generator
from subtx_toy.settings.many_steps import LINEAR_RULES, ManyStepsConfig
from subtx_toy.theory.curvature import ggn_operator
from subtx_toy.theory.error_polynomials import fraction, heavy_ball, nesterov
from subtx_toy.theory.lanczos import lanczos
from subtx_toy.theory.multi_step import by_lanczos
from subtx_toy.training.many_steps import Imitation, curves, flat, states, teachers_at
from subtx_toy.training.update_rules import Descent

_MODE_PRODUCTS = 60  # of G with a vector, until the first eigenvector is exact to rounding


def many_step_problem(config: ManyStepsConfig, dataset: Dataset, *, seed: int) -> tuple[Problem, float]:
    """Build the problem, with its student_lr, and return the largest eigenvalue of G too."""
    images, labels = dataset.train_images, dataset.train_labels
    sizes = (images[0].size, *(config.width,) * config.depth, dataset.num_classes + config.num_aux)
    model = FastMLP(sizes, config.activation, dataset.num_classes, config.init, config.init_scale)
    chosen = generator(seed, "trait").choice(len(images), config.num_trait, replace=False)
    noise = torch.empty(config.num_inputs, images[0].size, dtype=torch.float64)
    shown = torch.empty(config.num_trait, images[0].size, dtype=torch.float64)
    problem = Problem(
        model=model,
        base_params=shared_init(model, seed=seed, dtype=torch.float64),
        inputs=draw_noise(config.inputs, generator(seed, "inputs"), noise),
        distillation_loss=distillation_loss(config.loss, temperature=config.temperature),
        distilled_logits=config.distilled_logits,
        trait_loss=cross_entropy_trait(
            pixels(images[chosen], shown),
            torch.from_numpy(labels[chosen].astype(np.int64)),
            class_logits=model.columns("class"),
        ),
        eps=config.eps,
        student_lr=1.0,
    )
    value, mode = top_mode(problem, seed=seed)
    if config.teacher == "top_mode":
        problem = replace(problem, teacher_update=vectors.unflatten(mode, problem.base_params))
    scale = 1 / value
    if config.optimizer not in LINEAR_RULES:
        dT = vectors.flatten(problem.teacher_update)
        scale = config.eps * float(dT.norm()) / math.sqrt(len(dT))
    return replace(problem, student_lr=config.student_step * scale), value


def top_mode(problem: Problem, *, seed: int) -> tuple[float, Float[torch.Tensor, " p"]]:
    """Return the largest eigenvalue of G and its unit eigenvector, whose sign is that of its largest entry."""
    size = sum(value.numel() for value in problem.base_params.values())
    start = torch.from_numpy(generator(seed, "top mode").standard_normal(size))
    found = lanczos(ggn_operator(problem), start, _MODE_PRODUCTS)
    values, columns = found.eigen()
    mode = found.basis[: len(values)].T @ torch.from_numpy(np.ascontiguousarray(columns[:, -1]))
    mode = mode / mode.norm()
    return float(values[-1]), mode * torch.sign(mode[mode.abs().argmax()])


def transferred(config: ManyStepsConfig, x: np.ndarray, num_steps: int) -> np.ndarray:
    """Return the fraction of the teacher's move that K steps transfer in modes with student_lr times eigenvalue x."""
    if config.optimizer == "gd":
        return np.asarray(fraction(x, num_steps))
    errors = {"heavy_ball": heavy_ball, "nesterov": nesterov}[config.optimizer]
    return np.asarray(1 - errors(x, config.momentum, num_steps))


def run_many_steps(
    config: ManyStepsConfig, dataset: Dataset, *, seed: int
) -> tuple[dict[str, float], dict[str, list[float]]]:
    """Take the steps; return what was predicted and observed by name, and the curves against the step.

    ``fraction`` is <Delta_S, Delta_T> / ||Delta_T||^2 after the last step, and ``min_fraction`` its lowest value after
    1 to K steps; the predicted ones are those of the linearised model, for gd, heavy_ball and nesterov. The lowest is
    predicted for a teacher in the top mode alone, where it is a number of the error polynomials.
    """
    problem, value = many_step_problem(config, dataset, seed=seed)
    descent = descent_of(config, problem)
    seen = curves(problem, descent, config.num_steps)
    fractions = fractions_of(problem, descent, config.num_steps)
    found = {
        "alignment": float(seen.alignment[-1]),
        "min_alignment": float(seen.alignment[1:].min()),
        "min_restoring": float(seen.restoring.min()),
        "distance": float(seen.distance[-1]),
        "max_distance": float(seen.distance.max()),
        "trait_loss_change": float(seen.trait_loss[-1] - seen.trait_loss[0]),
        "function_cosine": float(seen.function_cosine[-1]),
        "fraction": float(fractions[-1]),
        "min_fraction": float(fractions.min()),
        "largest_eigenvalue": value,
    }
    if config.optimizer in LINEAR_RULES:
        found["predicted_fraction"] = _predicted(config, problem)
        if config.teacher == "top_mode":
            x = np.array(config.student_step)
            steps = range(1, config.num_steps + 1)
            found["predicted_min_fraction"] = min(float(transferred(config, x, num)) for num in steps)
    series = {
        "alignment": seen.alignment[1:], "restoring": seen.restoring, "distance": seen.distance,
        "trait_loss": seen.trait_loss, "function_cosine": seen.function_cosine[1:],
    }  # fmt: skip
    return found, {name: one.tolist() for name, one in series.items()}


def _predicted(config: ManyStepsConfig, problem: Problem) -> float:
    dT, rate = vectors.flatten(problem.teacher_update), problem.student_lr
    moved = by_lanczos(
        ggn_operator(problem), dT, lambda values: transferred(config, rate * values, config.num_steps)
    ).value
    return float(moved @ dT / (dT @ dT))


def descent_of(config: ManyStepsConfig, problem: Problem) -> Descent:
    """Return the student's optimiser; Adam and RMSprop have torch's usual constants."""
    momentum = 0.9 if config.optimizer == "adam" else config.momentum
    smoothing = 0.99 if config.optimizer == "rmsprop" else 0.999
    return Descent(rule=config.optimizer, lr=problem.student_lr, momentum=momentum, smoothing=smoothing)


def fractions_of(problem: Problem, descent: Descent, num_steps: int) -> Float[np.ndarray, " K"]:
    """Return <Delta_S, Delta_T> / ||Delta_T||^2 after 1 to ``num_steps`` steps, ``[num_steps]``."""
    teachers = teachers_at(problem, [problem.eps])
    Delta_T = teachers[0] - flat(problem)[0]
    taken = itertools.islice(states(Imitation(problem, teachers), descent), 1, num_steps + 1)
    return np.array([state.moved[0] @ Delta_T for state in taken]) / float(Delta_T @ Delta_T)
