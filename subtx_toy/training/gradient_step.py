"""One plain gradient step of teacher and student, by automatic differentiation of the loss and nothing else."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from subtx_toy.problem import params as vectors
from subtx_toy.problem.model import FastMLP
from subtx_toy.problem.params import Params
from subtx_toy.problem.problem import Problem
from subtx_toy.training import perceptron


@dataclass(frozen=True)
class StepObservation:
    """Where one student step went; distances to the teacher are Euclidean, losses are the student's.

    ``alignment`` is student_update . teacher_update, without student_lr and eps; ``cosine`` is nan if one is zero.
    """

    eps: float
    alignment: float
    student_update_norm: float
    cosine: float
    distance_before: float
    distance_after: float
    distillation_loss_before: float
    distillation_loss_after: float
    trait_loss_before: float
    trait_loss_after: float


@torch.enable_grad()
def student_step(problem: Problem, eps: float | None = None, *, student_init: Params | None = None) -> Params:
    """Return the student's update, without ``student_lr`` and eps, from ``student_init`` or else ``base_params``.

    dS = -grad_theta mean_n l(f_theta(x_n)[O], f_teacher(x_n)[O])   at theta = student_init
    """
    if isinstance(problem.model, FastMLP):
        starts = None if student_init is None else vectors.flatten(student_init)[None]
        found = perceptron.student_updates(problem, [problem.eps if eps is None else eps], starts)
        return vectors.unflatten(found[0], problem.base_params)
    start = problem.base_params if student_init is None else student_init
    with torch.no_grad():
        targets = problem.distilled(problem.teacher_params(eps))
    return step_toward(problem, start, targets)


@torch.enable_grad()
def step_toward(problem: Problem, start: Params, targets: Tensor) -> Params:
    """Return minus the gradient at ``start`` of the distillation loss towards ``targets``, the teacher's outputs."""
    leaves = {name: value.detach().requires_grad_() for name, value in start.items()}
    loss = problem.distillation_loss.mean(problem.distilled(leaves), targets)
    slopes = torch.autograd.grad(loss, list(leaves.values()), allow_unused=True, materialize_grads=True)
    return {name: -slope for name, slope in zip(leaves, slopes, strict=True)}


def student_updates(
    problem: Problem, eps: Sequence[float], *, starts: Float[Tensor, "starts p"] | None = None
) -> Float[Tensor, "s p"]:
    """Return the student's updates at several eps, flat; from one start or one for each if ``starts`` are given."""
    if isinstance(problem.model, FastMLP):
        return perceptron.student_updates(problem, eps, starts)
    inits = (
        [None] * len(eps)
        if starts is None
        else [vectors.unflatten(one, problem.base_params) for one in starts.expand(len(eps), -1)]
    )
    steps = (student_step(problem, one, student_init=init) for one, init in zip(eps, inits, strict=True))
    return torch.stack([vectors.flatten(step) for step in steps])


@torch.no_grad()
def trait_values(problem: Problem, params: Float[Tensor, "s p"]) -> Float[Tensor, " s"]:
    """Return the trait loss at several parameters, flat."""
    if isinstance(problem.model, FastMLP):
        return perceptron.trait_values(problem, params)
    return torch.stack([problem.trait_value(vectors.unflatten(one, problem.base_params)) for one in params])


@torch.no_grad()
def observe(problem: Problem, eps: float | None = None, *, student_init: Params | None = None) -> StepObservation:
    """Take both steps and measure; ``eps`` and ``student_init`` as in ``student_step``."""
    eps = problem.eps if eps is None else eps
    teacher = problem.teacher_params(eps)
    start = problem.base_params if student_init is None else student_init
    update = student_step(problem, eps, student_init=student_init)
    student = vectors.axpy(problem.student_lr, update, start)
    targets = problem.distilled(teacher)

    def imitation(params: Params) -> float:
        return float(problem.distillation_loss.mean(problem.distilled(params), targets))

    def trait(params: Params) -> float:
        return math.nan if problem.trait_loss is None else float(problem.trait_value(params))

    return StepObservation(
        eps=eps,
        alignment=float(vectors.inner(update, problem.teacher_update)),
        student_update_norm=float(vectors.norm(update)),
        cosine=float(vectors.cosine(update, problem.teacher_update)),
        distance_before=float(vectors.norm(vectors.difference(start, teacher))),
        distance_after=float(vectors.norm(vectors.difference(student, teacher))),
        distillation_loss_before=imitation(start),
        distillation_loss_after=imitation(student),
        trait_loss_before=trait(start),
        trait_loss_after=trait(student),
    )
