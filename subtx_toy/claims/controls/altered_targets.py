"""Students whose targets are not the teacher's outputs: each brings a pull that does not vanish with eps."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F  # noqa: N812, torch's own idiom

from subtx_toy.claims.vocabulary.evidence import Evidence
from subtx_toy.claims.vocabulary.observation import StudentSteps
from subtx_toy.problem.losses import Loss
from subtx_toy.problem.problem import Problem
from subtx_toy.training.gradient_step import student_updates

SMOOTHING, DECIMALS, CLIP, TOP_K = 0.1, 2, 0.5, 2
"""Label smoothing; digits of a rounded probability; largest size of a clipped logit; labels that keep their share."""

Breaks = Callable[[Evidence], Evidence | None]


def with_targets(change: Callable[[Tensor, float], Tensor], *, hotter: float = 1.0, least_logits: int = 1) -> Breaks:
    """Build a student whose softmax targets are ``change(logits, temperature)``, probabilities; kl only.

    Args:
        change: from the teacher's logits ``[n, k]`` and the temperature to probabilities ``[n, k]``.
        hotter: the student's temperature over the teacher's.
        least_logits: distilled logits below which nothing would change.
    """

    def updates(problem: Problem, eps: Sequence[float]) -> Float[Tensor, "s p"]:
        tau = problem.distillation_loss.temperature
        student_tau = hotter * tau

        def value_and_gradient(z: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
            p, log_q = change(y, tau), torch.log_softmax(z / student_tau, dim=-1)
            return -(p * log_q).sum(-1), (log_q.exp() - p) / student_tau

        loss = problem.distillation_loss
        other = Loss("changed targets", "logits", value_and_gradient, loss.hessian_product, student_tau, by_row=True)
        return student_updates(problem.with_loss(other), eps)

    def breaks(evidence: Evidence) -> Evidence | None:
        is_kl = evidence.problem.distillation_loss.name == "kl"
        return evidence.observing(StudentSteps(updates)) if is_kl and evidence.ray.v.shape[-1] >= least_logits else None

    return breaks


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

    def updates(problem: Problem, eps: Sequence[float]) -> Float[Tensor, "s p"]:
        loss = problem.distillation_loss
        other = dataclasses.replace(
            loss,
            name=f"clipped {loss.name}",
            value_and_gradient=lambda z, y: loss.value_and_gradient(z, y.clamp(-CLIP, CLIP)),
        )
        return student_updates(problem.with_loss(other), eps)

    return evidence.observing(StudentSteps(updates))
