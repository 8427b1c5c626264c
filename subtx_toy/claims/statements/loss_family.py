"""Claims C7b, C7c and C15: other losses, re-weighted inputs among them, and the softmax that cannot transmit."""

from __future__ import annotations

import dataclasses
import math

import torch

from subtx_toy.claims.statements.alignment import dichotomy, first_order
from subtx_toy.claims.vocabulary.claim import Claim, Hypothesis, Inequality, Outcome, outcome
from subtx_toy.claims.vocabulary.evidence import Evidence
from subtx_toy.claims.vocabulary.hypotheses import LOSS_GRADIENT, MOVING, SMOOTH, STANDARD_LOSS
from subtx_toy.claims.vocabulary.observation import flat_update
from subtx_toy.problem.losses import Loss, kl, scaled, squared_error
from subtx_toy.problem.smooth_loss import cosine_distance, probability_squared_error, reverse_kl
from subtx_toy.tolerances import COSINE_LEAST_NORM


def repulsive(loss: Loss) -> Loss:
    """Return minus the loss: a student that flees its teacher's outputs."""
    return dataclasses.replace(scaled(loss, -1.0), name=f"repulsive {loss.name}")


def with_loss(evidence: Evidence, loss: Loss, *, column: int | None = None) -> Evidence:
    """Return evidence on the same problem with another loss, of one output where it is named; the student stays."""
    problem = evidence.problem.with_loss(loss)
    problem = problem if column is None else problem.restricted_to(column)
    return Evidence(problem, seed=evidence.seed, student_step=evidence.step, snippet=evidence.snippet)


def other_losses(evidence: Evidence) -> Outcome:
    """Check a(eps) = eps V + O(eps^2), V >= 0, for three other losses, and -a(eps) for the repulsive one."""
    tau, eps = evidence.problem.distillation_loss.temperature, evidence.ladder[0]
    checks = []
    for loss in (reverse_kl(tau), probability_squared_error(tau), cosine_distance()):
        other = with_loss(evidence, loss)
        if other.bends_everywhere:
            checks.append(Inequality(0.0, 0.0, math.inf, f"{loss.name}: {other.bends_everywhere}"))
            continue
        found = first_order(other)
        checks += [dataclasses.replace(check, what=f"{loss.name}: {check.what}") for check in found.checks]
    fleeing = with_loss(evidence, repulsive(evidence.problem.distillation_loss))
    gap = abs(fleeing.alignment(eps) + evidence.alignment(eps))
    checks.append(Inequality(gap, evidence.alignment_rounding(eps), what="|repulsive alignment + alignment|"))
    return outcome(checks)


def one_logit(evidence: Evidence) -> Outcome:
    """Check that one logit transmits nothing through a softmax and obeys the dichotomy through squared error."""
    column = evidence.problem.columns.start if isinstance(evidence.problem.columns, slice) else 0
    softmax = with_loss(evidence, kl(evidence.problem.distillation_loss.temperature), column=column)
    far = [distance * evidence.unit for distance in (2.0**-4, 1.0)]
    softmax.prepare(far)
    nothing = [Inequality(softmax.update_norm(eps), 0.0, what="||dS|| through a softmax") for eps in far]
    error = dichotomy(with_loss(evidence, squared_error(), column=column))
    return outcome((*nothing, *error.checks), predicted=error.predicted, observed=error.observed)


def _no_softmax(evidence: Evidence) -> str:
    if evidence.ray.outputs.shape[-1] < 2:
        return "there is one"
    norms = evidence.ray.outputs.norm(dim=-1)
    if float(norms.min()) > COSINE_LEAST_NORM * float(norms.max()):
        return ""
    return (
        "all outputs of an input are next to zero, where they have no direction and cosine distance has no derivative"
    )


def every_batch(evidence: Evidence) -> Outcome:
    """Check students on random multisets and re-weightings: aligned, and by the weighted mean of the a_n."""
    eps, rng = evidence.problem.eps, evidence.stream("C7b")
    per_input = evidence.ray.per_input(eps)
    n = len(per_input)
    checks = []
    for numbers in (rng.multinomial(n, [1 / n] * n).astype(float), rng.exponential(size=n), rng.pareto(1.0, size=n)):
        weights = torch.from_numpy(numbers)
        loss = scaled(evidence.problem.distillation_loss, weights)
        update = evidence.step(evidence.problem.with_loss(loss), eps)
        alignment = float(flat_update(evidence.problem, update) @ evidence.dT)
        expected = float(weights @ per_input) / n
        rounding = evidence.alignment_rounding(eps) * max(1.0, float(numbers.max()))
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
        id="C7c",
        statement="Any three times differentiable loss that is least where the outputs agree gives eps V + O(eps^2), "
        "V >= 0; a repulsive loss gives exactly minus the alignment.",
        prediction="eps V with the output Hessian of the loss",
        observation="dS . dT with reverse kl, squared error of probabilities and cosine distance",
        source="this package; d2l/dzdy = -d2l/dz2 and d2l/dz2 >= 0 where a minimum follows the target",
        tolerance="REMAINDER_GROWTH",
        evaluate=other_losses,
        hypotheses=(MOVING, SMOOTH, STANDARD_LOSS, Hypothesis("there are two distilled outputs or more", _no_softmax)),
        every=32,
    ),
    Claim(
        id="C15",
        statement="A softmax over one logit transmits exactly nothing; squared error on that logit does.",
        prediction="0, and the dichotomy of C2",
        observation="||dS|| and dS . dT on the first distilled output alone",
        source="this package; a softmax over m logits has m - 1 degrees of freedom",
        tolerance="ALIGNMENT_FLOOR_UNITS",
        evaluate=one_logit,
        hypotheses=(MOVING, SMOOTH),
        every=4,
    ),
    Claim(
        id="C7b",
        statement="If every input alone is aligned, so is every batch, re-weighting and multiset of them.",
        prediction="the weighted mean of a_n = -<v_n, dl/dz>",
        observation="dS . dT of students on a random multiset and on two random re-weightings",
        source="this package; the alignment is linear in the weights",
        tolerance="ALIGNMENT_FLOOR_UNITS",
        evaluate=every_batch,
        hypotheses=(
            MOVING,
            LOSS_GRADIENT,
            Hypothesis("every input alone is aligned at the problem's eps", _some_input_against),
        ),
        every=4,
    ),
)
