"""Students each of which breaks one hypothesis of the one-step claims, on any problem."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from subtx_toy.claims.alignment import dichotomy
from subtx_toy.claims.claim import Inequality, Outcome, outcome
from subtx_toy.claims.distance import distance
from subtx_toy.claims.evidence import Evidence, StudentStep
from subtx_toy.claims.loss_family import repulsive
from subtx_toy.claims.other_init import StudentFrom, cross_init
from subtx_toy.claims.update import second_order
from subtx_toy.controls import permuted_units
from subtx_toy.losses import Loss
from subtx_toy.models import MLP
from subtx_toy.params import Params
from subtx_toy.problem import Problem
from subtx_toy.theory.one_step import exact_distance_window
from subtx_toy.training.one_step import student_step

SMOOTHING, WEIGHT_DECAY, OVERSHOOT = 0.1, 0.1, 3.0
"""Label smoothing, decay of the parameters towards 0, and the student's step over the window of claim C1b."""


@dataclass(frozen=True)
class BrokenStudent:
    """A student and what it fails.

    Attributes:
        id: short and fixed.
        statement: what is done to the student.
        claim: id of the claim that fails.
        evaluate: the checks that fail, hypotheses not asked.
        breaks: evidence with this student in place of the claim's own; None where it cannot be had.
    """

    id: str
    statement: str
    claim: str
    evaluate: Callable[[Evidence], Outcome]
    breaks: Callable[[Evidence], Evidence | None]


def observed_by(evidence: Evidence, step: StudentStep) -> Evidence:
    """Return evidence on the same problem with another student observed; predictions stay."""
    return Evidence(evidence.problem, seed=evidence.seed, student_step=step, snippet=evidence.snippet)


def with_targets(
    change: Callable[[Tensor, float], Tensor], *, hotter: float = 1.0
) -> Callable[[Evidence], Evidence | None]:
    """Build a student whose softmax targets are ``change(logits, temperature)``, probabilities; kl only."""

    def step(problem: Problem, eps: float) -> Params:
        tau = problem.distillation_loss.temperature
        student_tau = hotter * tau

        def value_and_gradient(z: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
            p, log_q = change(y, tau), torch.log_softmax(z / student_tau, dim=-1)
            return -(p * log_q).sum(-1), (log_q.exp() - p) / student_tau

        loss = problem.distillation_loss
        other = Loss("changed targets", "logits", value_and_gradient, loss.hessian_product, student_tau)
        return student_step(dataclasses.replace(problem, distillation_loss=other), eps)

    def breaks(evidence: Evidence) -> Evidence | None:
        return observed_by(evidence, step) if evidence.problem.distillation_loss.name == "kl" else None

    return breaks


def _soft(y: Tensor, tau: float) -> Tensor:
    return torch.softmax(y / tau, dim=-1)


def _argmax(y: Tensor, _tau: float) -> Tensor:
    return torch.nn.functional.one_hot(y.argmax(-1), y.shape[-1]).to(y.dtype)


def _smoothed(y: Tensor, tau: float) -> Tensor:
    return (1 - SMOOTHING) * _soft(y, tau) + SMOOTHING / y.shape[-1]


def _decaying(problem: Problem, eps: float) -> Params:
    update = student_step(problem, eps)
    return {name: value - WEIGHT_DECAY * problem.base_params[name] for name, value in update.items()}


def _decays(evidence: Evidence) -> Evidence:
    return observed_by(evidence, _decaying)


def _cross(evidence: Evidence) -> Evidence | None:
    if not isinstance(evidence.problem.model, MLP):
        return None
    start = cross_init(evidence.problem, evidence.stream("control", "cross"))
    return observed_by(evidence, StudentFrom(start))


def _permuted(evidence: Evidence) -> Evidence | None:
    model, base = evidence.problem.model, evidence.problem.base_params
    if not isinstance(model, MLP) or max(model.sizes[1:-1], default=1) == 1:
        return None
    rng = evidence.stream("control", "permuted")
    start = permuted_units(model, base, rng)
    while all(torch.equal(start[name], base[name]) for name in base):  # the identity is no control
        start = permuted_units(model, base, rng)
    return observed_by(evidence, StudentFrom(start))


def _flees(evidence: Evidence) -> Evidence:
    def step(problem: Problem, eps: float) -> Params:
        loss = repulsive(problem.distillation_loss)
        return student_step(dataclasses.replace(problem, distillation_loss=loss), eps)

    return observed_by(evidence, step)


def first_layer_only(problem: Problem, eps: float) -> Params:
    """Return the update of the first layer, zero elsewhere."""
    update = student_step(problem, eps)
    first = next(iter(update)).rpartition(".")[0]
    return {name: value if name.startswith(first) else torch.zeros_like(value) for name, value in update.items()}


def _first_layer(evidence: Evidence) -> Evidence | None:
    model = evidence.problem.model
    deep = isinstance(model, MLP) and model.num_layers > 1
    return observed_by(evidence, first_layer_only) if deep else None


def _overshoots(evidence: Evidence) -> Evidence:
    return evidence


def closer(evidence: Evidence) -> Outcome:
    """Check that a step of OVERSHOOT times the window of C1b ends closer to the teacher, which it cannot."""
    eps = evidence.ladder[0]
    window = exact_distance_window(evidence.alignment(eps), float(evidence.update(eps).norm()), eps)
    before, _ = distance(evidence, eps, 0.0)
    after, rounding = distance(evidence, eps, OVERSHOOT * window)
    return outcome([Inequality(after - before, 0.0, rounding, f"change of distance at {OVERSHOOT} windows")])


BROKEN = (
    BrokenStudent(
        "temperature", "softmax twice as hot as the teacher's", "C2", dichotomy, with_targets(_soft, hotter=2.0)
    ),
    BrokenStudent("argmax", "learns the teacher's most likely label", "C2", dichotomy, with_targets(_argmax)),
    BrokenStudent("smoothing", "labels smoothed by a tenth", "C2", dichotomy, with_targets(_smoothed)),
    BrokenStudent("weight_decay", "parameters decay towards 0", "C2", dichotomy, _decays),
    BrokenStudent("cross_model", "starts from an initialisation of its own", "C4", second_order, _cross),
    BrokenStudent("permuted_units", "hidden units permuted, the same function", "C2", dichotomy, _permuted),
    BrokenStudent("repulsive", "flees its teacher's outputs", "C2", dichotomy, _flees),
    BrokenStudent("first_layer", "trains its first layer only", "C2", dichotomy, _first_layer),
    BrokenStudent("large_student_lr", "a step of three windows", "C1b", closer, _overshoots),
)
"""One line each."""
