"""Claim C7b: every mini-batch, re-weighting and multiset of inputs that are aligned one by one."""

from __future__ import annotations

import dataclasses

import torch
from jaxtyping import Float
from torch import Tensor

from subtx_toy.claims.vocabulary.claim import Claim, Hypothesis, Inequality, Outcome, outcome
from subtx_toy.claims.vocabulary.evidence import Evidence
from subtx_toy.claims.vocabulary.hypotheses import MOVING
from subtx_toy.problem import params as vectors
from subtx_toy.problem.losses import Loss

_NUM_REWEIGHTINGS = 3


def weighted(loss: Loss, weights: Float[Tensor, " n"]) -> Loss:
    """Return the loss with input n counted ``weights[n]`` times; the mean still divides by n."""

    def value_and_gradient(z: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        value, gradient = loss.value_and_gradient(z, y)
        return weights * value, weights[:, None] * gradient

    def hessian_product(z: Tensor, y: Tensor, v: Tensor) -> Tensor:
        return weights[:, None] * loss.hessian_product(z, y, v)

    return dataclasses.replace(
        loss,
        name=f"weighted {loss.name}",
        value_and_gradient=value_and_gradient,
        hessian_product=hessian_product,
        by_row=False,
    )


def every_batch(evidence: Evidence) -> Outcome:
    """Check students on random multisets and re-weightings: aligned, and by the weighted mean of the a_n."""
    eps, rng = evidence.problem.eps, evidence.stream("C7b")
    per_input = evidence.ray.per_input(eps)
    n = len(per_input)
    drawn = [rng.multinomial(n, [1 / n] * n).astype(float), rng.exponential(size=n), rng.pareto(1.0, size=n)]
    checks = []
    for numbers in drawn[:_NUM_REWEIGHTINGS]:
        weights = torch.from_numpy(numbers)
        loss = weighted(evidence.problem.distillation_loss, weights)
        update = evidence.step(evidence.problem.with_loss(loss), eps)
        alignment = float(vectors.flatten(update) @ evidence.dT)
        expected = float((weights * per_input).mean())
        rounding = evidence.alignment_rounding(eps) * max(1.0, float(weights.max()))
        checks.append(Inequality(0.0, alignment, rounding, "alignment of a re-weighted batch"))
        checks.append(Inequality(abs(alignment - expected), rounding, what="|alignment - weighted mean of the a_n|"))
    return outcome(checks, predicted=float(per_input.mean()), observed=evidence.alignment(eps))


def _some_input_against(evidence: Evidence) -> str:
    per_input = evidence.ray.per_input(evidence.problem.eps)
    # The floor is a mean over inputs; n times it covers each.
    floor = len(per_input) * evidence.ray.floor(evidence.problem.eps)
    least = float(per_input.min())
    return "" if least > floor else f"the least is {least:.3g}, rounding {floor:.3g}"


CLAIMS = (
    Claim(
        id="C7b",
        statement="If every input alone is aligned, so is every batch, re-weighting and multiset of them.",
        prediction="the weighted mean of a_n = -<v_n, dl/dz>",
        observation="dS . dT of students on a random multiset and on two random re-weightings",
        source="this package; the alignment is linear in the weights",
        tolerance="ALIGNMENT_FLOOR_UNITS",
        evaluate=every_batch,
        hypotheses=(MOVING, Hypothesis("every input alone is aligned at the problem's eps", _some_input_against)),
        every=4,
    ),
)
