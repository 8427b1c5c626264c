"""Students that do not imitate the teacher's outputs: their targets or their own forward pass are another function.

Each brings a pull that does not vanish with eps.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F  # noqa: N812, torch's own idiom

from subtx_toy.claims.vocabulary.evidence import Evidence
from subtx_toy.claims.vocabulary.observation import StudentSteps
from subtx_toy.problem.losses import Loss
from subtx_toy.problem.model import MLP
from subtx_toy.problem.problem import Problem
from subtx_toy.problem.stack import Change, apply_stacked
from subtx_toy.training.gradient_step import student_updates

SMOOTHING, DECIMALS, CLIP, TOP_K = 0.1, 2, 0.5, 2
"""Label smoothing; digits of a rounded probability; largest size of a clipped logit; labels that keep their share."""

DROPOUT, VARIANCE_FLOOR = 0.5, 1e-5
"""Rate of dropout; what batch normalisation adds to a variance, torch's default."""

Breaks = Callable[[Evidence], Evidence | None]


def with_targets(change: Callable[[Tensor, float], Tensor], *, hotter: float = 1.0, least_logits: int = 1) -> Breaks:
    """Build a student whose softmax targets are ``change(logits, temperature)``, probabilities ``[n, k]``; kl only.

    ``hotter`` is the student's temperature over the teacher's; below ``least_logits`` nothing would change.
    """

    def breaks(evidence: Evidence) -> Evidence | None:
        loss = evidence.problem.distillation_loss
        tau, student_tau = loss.temperature, hotter * loss.temperature
        if loss.name != "kl" or evidence.ray.v.shape[-1] < least_logits:
            return None

        def value_and_gradient(z: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
            p, log_q = change(y, tau), torch.log_softmax(z / student_tau, dim=-1)
            return -(p * log_q).sum(-1), (log_q.exp() - p) / student_tau

        other = Loss("changed targets", "logits", value_and_gradient, loss.hessian_product, student_tau, by_row=True)
        return with_student_loss(evidence, other)

    return breaks


def with_student_loss(evidence: Evidence, loss: Loss) -> Evidence:
    """Return evidence of a student that descends another loss, which the predictions do not know of."""
    return evidence.observing(StudentSteps(lambda problem, eps: student_updates(problem.with_loss(loss), eps)))


def soft(y: Tensor, tau: float) -> Tensor:
    """Return the teacher's softmax, unchanged."""
    return torch.softmax(y / tau, dim=-1)


def most_likely(y: Tensor, _tau: float) -> Tensor:
    """Return all mass on the largest logit."""
    return F.one_hot(y.argmax(-1), y.shape[-1]).to(y.dtype)


def smoothed(y: Tensor, tau: float) -> Tensor:
    """Return the softmax mixed with the uniform distribution."""
    return (1 - SMOOTHING) * soft(y, tau) + SMOOTHING / y.shape[-1]


def rounded(y: Tensor, tau: float) -> Tensor:
    """Return the softmax rounded to DECIMALS digits; fewer than 200 logits, so that some survive."""
    p = soft(y, tau).round(decimals=DECIMALS)
    return p / p.sum(-1, keepdim=True)


def top_k(y: Tensor, tau: float) -> Tensor:
    """Return the softmax over the TOP_K largest logits, 0 elsewhere."""
    kept = y.topk(TOP_K, dim=-1)
    return torch.zeros_like(y).scatter_(-1, kept.indices, torch.softmax(kept.values / tau, dim=-1))


def clipped(evidence: Evidence) -> Evidence:
    """Return evidence of a student whose targets are the teacher's logits, clipped to +- CLIP; any loss."""
    loss = evidence.problem.distillation_loss

    def value_and_gradient(z: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        return loss.value_and_gradient(z, y.clamp(-CLIP, CLIP))

    other = dataclasses.replace(loss, name=f"clipped {loss.name}", value_and_gradient=value_and_gradient)
    return with_student_loss(evidence, other)


def drops_units(evidence: Evidence) -> Evidence | None:
    """Return evidence of a student that drops hidden units at random, one draw a problem; the teacher's do not."""
    model = evidence.problem.model
    if not isinstance(model, MLP) or model.num_layers == 1:
        return None
    keep = dropout_masks(model, len(evidence.problem.inputs), evidence.stream("control", "dropout"))
    return evidence.observing(_student(model, after=lambda layer, a: a * keep[layer]))


def dropout_masks(model: MLP, num_inputs: int, rng: np.random.Generator) -> list[Float[Tensor, "n h"]]:
    """Draw what hidden activations are multiplied by: 0 at the rate of dropout, else 1 / (1 - rate)."""
    return [
        torch.from_numpy((rng.random((num_inputs, width)) >= DROPOUT) / (1 - DROPOUT)) for width in model.sizes[1:-1]
    ]


def normalises_batches(evidence: Evidence) -> Evidence | None:
    """Return evidence of a student with batch statistics, of a teacher whose running ones are still 0 and 1."""
    model = evidence.problem.model
    if not isinstance(model, MLP) or model.num_layers == 1 or len(evidence.problem.inputs) == 1:
        return None

    def normalised(_layer: int, z: Tensor) -> Tensor:
        return (z - z.mean(-2, keepdim=True)) / (z.var(-2, unbiased=False, keepdim=True) + VARIANCE_FLOOR).sqrt()

    return evidence.observing(_student(model, before=normalised))


def _student(model: MLP, **changes: Change) -> StudentSteps:
    """The steps of a student with another forward pass, on the teacher's outputs as they are."""

    @torch.enable_grad()
    def updates(problem: Problem, eps: Sequence[float]) -> Float[Tensor, "s p"]:
        base, update = problem.base_params, problem.teacher_update
        teachers = {name: torch.stack([value + one * update[name] for one in eps]) for name, value in base.items()}
        students = {name: value.expand(len(eps), *value.shape).clone().requires_grad_() for name, value in base.items()}
        targets = apply_stacked(model, teachers, problem.inputs)[..., problem.columns].flatten(0, 1)
        outputs = apply_stacked(model, students, problem.inputs, **changes)[..., problem.columns].flatten(0, 1)
        total = problem.distillation_loss.values(outputs, targets).sum() / len(problem.inputs)
        slopes = torch.autograd.grad(total, list(students.values()), allow_unused=True, materialize_grads=True)
        return -torch.cat([slope.flatten(1) for slope in slopes], dim=1)

    return StudentSteps(updates)
