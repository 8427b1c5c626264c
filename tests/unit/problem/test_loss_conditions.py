"""The null space of a loss: whether a student can be pushed where the Hessian at agreement sees nothing."""

from __future__ import annotations

import pytest
import torch

from subtx_toy.claims.registry import CLAIMS
from subtx_toy.claims.vocabulary.evidence import Evidence
from subtx_toy.problem.loss_conditions import null_space_fault
from subtx_toy.problem.problem import Problem
from subtx_toy.problem.smooth_loss import smooth_loss
from subtx_toy.seeding import generator
from tests.verdicts.loss_corpus import TRUE

OUTPUTS = torch.from_numpy(generator(0, "tests", "null space").standard_normal((8, 4)))
FLAT = ("quartic", "cubic")  # their Hessian at agreement is zero, and their gradient is not


@pytest.mark.parametrize("name", [name for name in TRUE if name not in FLAT])
def test_a_loss_with_a_full_or_a_shared_null_space_has_no_fault(name: str) -> None:
    assert null_space_fault(TRUE[name], OUTPUTS) == ""


@pytest.mark.parametrize("name", FLAT)
def test_a_loss_that_is_flat_at_agreement_has_one(name: str) -> None:
    assert "of its gradient lies where its Hessian is zero" in null_space_fault(TRUE[name], OUTPUTS)


def _bent(z: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    u, w = (z - y).unbind(-1)
    return (u + w**2) ** 2 / 2 + w**4 / 2


def test_the_counterexample_to_the_dichotomy_is_outside_of_its_hypotheses() -> None:
    # f = (3 t^2, t) at t = 0, dT = 1: V = 0 and a(eps) = -2 eps^3, neither zero nor positive.
    problem = Problem(
        model=lambda params, x: torch.cat([3 * params["t"] ** 2, params["t"]], -1) * x,
        base_params={"t": torch.zeros(1, 1, dtype=torch.float64)},
        inputs=torch.ones(1, 1, dtype=torch.float64),
        distillation_loss=smooth_loss("bent", _bent),
        teacher_update={"t": torch.ones(1, 1, dtype=torch.float64)},
        eps=0.1,
        student_lr=0.1,
    )
    evidence = Evidence(problem)
    assert evidence.alignment(0.1) == pytest.approx(-2 * 0.1**3, rel=0.2)
    judgement = CLAIMS["C2"].judge(evidence)
    assert judgement.verdict == "not applicable"
    assert "no slope where its Hessian at agreement is zero" in judgement.reason
