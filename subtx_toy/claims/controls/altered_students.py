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
from subtx_toy.problem.losses import Loss, OnTargets, soft_cross_entropy
from subtx_toy.problem.model import MLP
from subtx_toy.problem.problem import Problem
from subtx_toy.problem.stack import Array, Pass, Slope, activated, cut, perceptron
from subtx_toy.training.gradient_step import student_updates
from subtx_toy.training.perceptron import Student, teacher_outputs, toward

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
        tau = loss.temperature
        if loss.formula != "kl" or evidence.ray.v.shape[-1] < least_logits:
            return None

        made = OnTargets(soft_cross_entropy(hotter * tau), lambda y: change(y, tau))
        return with_student_loss(evidence, dataclasses.replace(loss, name="changed targets", value_and_gradient=made))

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
    made = OnTargets(loss, lambda y: y.clamp(-CLIP, CLIP))
    return with_student_loss(evidence, dataclasses.replace(loss, name=f"clipped {loss.name}", value_and_gradient=made))


def drops_units(evidence: Evidence) -> Evidence | None:
    """Return evidence of a student that drops hidden units at random, one draw a problem; the teacher's do not."""
    model = evidence.problem.model
    if not isinstance(model, MLP) or model.num_layers == 1:
        return None
    keep = dropout_masks(model, len(evidence.problem.inputs), evidence.stream("control", "dropout"))

    def dropped(layer: int, z: Array) -> tuple[Array, Slope]:
        a, slope = activated(model.activation, z)
        return a * keep[layer], slope * keep[layer]

    return evidence.observing(_student(dropped))


def dropout_masks(model: MLP, num_inputs: int, rng: np.random.Generator) -> list[Float[np.ndarray, "h n"]]:
    """Draw what hidden activations are multiplied by: 0 at the rate of dropout, else 1 / (1 - rate)."""
    return [(rng.random((num_inputs, width)).T >= DROPOUT) / (1 - DROPOUT) for width in model.sizes[1:-1]]


def normalises_batches(evidence: Evidence) -> Evidence | None:
    """Return evidence of a student with batch statistics, of a teacher whose running ones are still 0 and 1."""
    model = evidence.problem.model
    if not isinstance(model, MLP) or model.num_layers == 1 or len(evidence.problem.inputs) == 1:
        return None

    def normalised(_layer: int, z: Array) -> tuple[Array, Slope]:
        deviation = np.sqrt(z.var(-1, keepdims=True) + VARIANCE_FLOOR)
        h = (z - z.mean(-1, keepdims=True)) / deviation
        a, slope = activated(model.activation, h.copy())

        def pulled_back(r: Array) -> Array:
            r = r * slope
            moved: Array = (r - r.mean(-1, keepdims=True) - h * (r * h).mean(-1, keepdims=True)) / deviation
            return moved

        return a, pulled_back

    return evidence.observing(_student(normalised))


def _student(hidden: Callable[[int, Array], tuple[Array, Slope]]) -> StudentSteps:
    """The steps of a student whose hidden layers are other functions of their sums; the teacher's are not."""

    def updates(problem: Problem, eps: Sequence[float]) -> Float[Tensor, "s p"]:
        found, slopes = Pass(cut(perceptron(problem), problem.flat[0].numpy()), [problem.inputs.T.numpy()], []), []
        for layer, (W, b) in enumerate(found.layers):
            found.sums.append(W @ found.inputs[-1] + b)
            if layer < len(found.layers) - 1:
                a, slope = hidden(layer, found.sums[-1])
                found.inputs.append(a)
                slopes.append(slope)
        return torch.from_numpy(toward(teacher_outputs(problem, eps), Student(found, slopes), problem))

    return StudentSteps(updates)
