"""Students each of which breaks one hypothesis of the one-step claims, on any problem."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from subtx_toy.claims.claim import Outcome
from subtx_toy.claims.evidence import Evidence, StudentStep
from subtx_toy.claims.loss_family import repulsive
from subtx_toy.claims.other_init import StudentFrom, cross_init
from subtx_toy.controls import permuted_units
from subtx_toy.losses import Loss
from subtx_toy.models import MLP
from subtx_toy.params import Params
from subtx_toy.problem import Problem
from subtx_toy.training.one_step import student_step

SMOOTHING, WEIGHT_DECAY, HOTTER = 0.1, 0.1, 2.0
"""Label smoothing, decay of the parameters towards 0, and the student's temperature over the teacher's."""


@dataclass(frozen=True)
class BrokenStudent:
    """A student and the claim that it fails; ``breaks`` returns None where it cannot be had."""

    id: str
    statement: str
    claim: str
    breaks: Callable[[Evidence], Evidence | None]


def observed_by(evidence: Evidence, step: StudentStep) -> Evidence:
    """Return evidence on the same problem with another student observed; predictions stay."""
    return Evidence(evidence.problem, seed=evidence.seed, student_step=step, snippet=evidence.snippet)


def with_targets(change: Callable[[Tensor, float], Tensor], *, hotter: float = 1.0) -> Callable[[Evidence], Evidence | None]:
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
    model = evidence.problem.model
    if not isinstance(model, MLP) or model.num_layers == 1:
        return None
    start = permuted_units(model, evidence.problem.base_params, evidence.stream("control", "permuted"))
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


BROKEN = (
    BrokenStudent("temperature", "the student's softmax is twice as hot as the teacher's", "C2", with_targets(_soft, hotter=HOTTER)),
    BrokenStudent("argmax", "the student learns the teacher's most likely label", "C2", with_targets(_argmax)),
    BrokenStudent("smoothing", "the teacher's probabilities are smoothed by a tenth", "C2", with_targets(_smoothed)),
    BrokenStudent("weight_decay", "the student's parameters decay towards 0", "C2", _decays),
    BrokenStudent("cross_model", "the student starts from an initialisation of its own", "C4", _cross),
    BrokenStudent("permuted_units", "the student's hidden units are permuted: the same function elsewhere", "C2", _permuted),
    BrokenStudent("repulsive", "the student flees its teacher's outputs", "C2", _flees),
    BrokenStudent("first_layer", "the student trains its first layer only", "C2", _first_layer),
    BrokenStudent("large_student_lr", "the student's step is three times the window of C1b", "closer", _overshoots),
)
"""One line each."""
