"""Claim C16: one step on labels sampled from the teacher."""

from __future__ import annotations

import math

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from subtx_toy.claims.vocabulary.claim import Claim, Hypothesis, Inequality, Outcome, outcome
from subtx_toy.claims.vocabulary.evidence import UNIT_ROUNDOFF, Evidence
from subtx_toy.claims.vocabulary.hypotheses import CURVED, MOVING, SEEN, SMOOTH
from subtx_toy.claims.vocabulary.observation import flat_update
from subtx_toy.problem.losses import Loss, cross_entropy
from subtx_toy.theory.step_predictions import probability_of_right_sign
from subtx_toy.tolerances import TERMS_ROUNDING, Z_BOUND

_NUM_DRAWS = 400
_SMALL = 2.0**-4  # of the top of the ladder: an eps at which the leading order holds to about a hundredth
_LEAST_LABELS = 4000.0  # per standard deviation of 1: the skewness of the mean does not show in 400 draws


def on_labels(labels: Int[Tensor, " n"], temperature: float) -> Loss:
    """Return the cross-entropy on fixed labels, whatever the teacher's logits."""
    loss = cross_entropy(temperature)
    return Loss(
        "fixed labels",
        "logits",
        lambda z, _y: loss.value_and_gradient(z, labels),
        lambda z, _y, v: loss.hessian_product(z, labels, v),
        temperature,
    )


def right_sign(evidence: Evidence) -> Outcome:
    """Check the frequency of positive alignments over draws of many labels against Phi(eps sqrt(n V))."""
    problem, rng = evidence.problem, evidence.stream("C16")
    tau, n, v = problem.distillation_loss.temperature, len(evidence.ray.v), evidence.ray.v
    p = torch.softmax(evidence.ray.outputs / tau, dim=-1)
    # The alignment of one label is a number of its input and of the label: a_n = <v_n, onehot(y_n) - p_n> / tau.
    table = (v - (p * v).sum(-1, keepdim=True)) / tau
    per_input = math.ceil(max(_LEAST_LABELS, 1 / (evidence.V * (_SMALL * evidence.ladder[0]) ** 2)) / n)
    num_labels = per_input * n
    eps = 1 / math.sqrt(num_labels * evidence.V)
    predicted = probability_of_right_sign(problem, num_labels=num_labels, eps=eps)
    q = torch.softmax(evidence.ray.targets(eps) / tau, dim=-1)
    counts = rng.multinomial(per_input, (q / q.sum(-1, keepdim=True)).numpy(), size=(_NUM_DRAWS, n))
    alignments = (counts * table.numpy()).sum((1, 2))
    positive = int((alignments > 0).sum())
    z = abs(positive / _NUM_DRAWS - predicted) / math.sqrt(predicted * (1 - predicted) / _NUM_DRAWS)
    what = f"standard errors of {positive} of {_NUM_DRAWS} right signs against {predicted:.3f}"
    checks = (Inequality(z, Z_BOUND, what=what), _table_check(evidence, table, rng))
    return outcome(checks, predicted=predicted, observed=positive / _NUM_DRAWS)


def _table_check(evidence: Evidence, table: Float[Tensor, "n k"], rng: np.random.Generator) -> Inequality:
    """One student by automatic differentiation on labels of its own against its entries of the table."""
    labels = torch.from_numpy(rng.integers(table.shape[1], size=len(table)))
    loss = on_labels(labels, evidence.problem.distillation_loss.temperature)
    update = flat_update(evidence.problem, evidence.step(evidence.problem.with_loss(loss), 0.0))
    expected = float(table.gather(1, labels[:, None]).mean())
    size = float(update.norm()) * evidence.dT_norm + float(table.abs().mean())
    rounding = TERMS_ROUNDING * UNIT_ROUNDOFF * size * (1 + float(evidence.ray.outputs.abs().max()))
    return Inequality(abs(float(update @ evidence.dT) - expected), rounding, what="|dS . dT of labels - the table|")


def _no_labels(evidence: Evidence) -> str:
    loss = evidence.problem.distillation_loss
    return "" if loss.formula == "kl" else f"it is {loss.name}, which has no labels to draw"


def _too_flat(evidence: Evidence) -> str:
    labels = 1 / (evidence.V * (_SMALL * evidence.ladder[0]) ** 2)
    return "" if labels < 2**50 else f"it takes {labels:.3g} labels to see it"


CLAIMS = (
    Claim(
        id="C16",
        statement="One step on n labels sampled from the teacher has the right sign with probability "
        "Phi(eps sqrt(n V)), to leading order.",
        prediction="Phi(1), at n with eps sqrt(n V) = 1",
        observation=f"{_NUM_DRAWS} draws of labels",
        source="this package; the noise of one label has variance v_n^T M_n v_n along dT",
        tolerance="Z_BOUND",
        evaluate=right_sign,
        hypotheses=(
            MOVING,
            SMOOTH,
            Hypothesis("the distillation loss is kl", _no_labels),
            SEEN,
            CURVED,
            Hypothesis("few enough labels show V", _too_flat),
        ),
        every=4,
    ),
)
