"""Claims on the leading order where the curvature is zero or near rounding: no verdict on what cannot be seen."""

from __future__ import annotations

import dataclasses

import pytest
import torch

from subtx_toy.claims.controls.constructed import free_logits
from subtx_toy.claims.registry import CLAIMS
from subtx_toy.claims.vocabulary.evidence import Evidence
from subtx_toy.problem.losses import kl
from subtx_toy.problem.problem import Problem
from subtx_toy.problem.spec import ProblemSpec


def all_logits_alike() -> Problem:
    """A teacher that a softmax does not see at all, though every logit moves."""
    return free_logits((0.0, 0.0), (1.0, 1.0), kl())


def saturated() -> Problem:
    """A softmax that is one-hot in float64."""
    return free_logits((0.0, 2.0), (1.0, -1.0), kl(1e-3))


def all_but_alike() -> Problem:
    """All logits move alike but for one part in 1e14."""
    problem = ProblemSpec(input_dim=2, num_classes=2, loss="kl", trait="squared_error").build()
    update = {name: torch.ones_like(value) for name, value in problem.base_params.items()}
    update["layers.0.bias"][0] += 1e-14
    return dataclasses.replace(problem, teacher_update=update)


@pytest.mark.parametrize("problem", [all_logits_alike, saturated, all_but_alike])
@pytest.mark.parametrize("claim", sorted(CLAIMS))
def test_no_claim_is_violated_or_breaks_where_no_curvature_can_be_seen(claim: str, problem: object) -> None:
    assert callable(problem)
    evidence = Evidence(problem(), thorough=True)
    assert not evidence.degenerate
    judgement = CLAIMS[claim].judge(evidence)
    assert judgement.verdict != "violated", judgement.reason
    if claim in ("C1b", "C7", "C14"):
        assert judgement.verdict in ("undecided", "not applicable")
        assert "rounding" in judgement.reason
