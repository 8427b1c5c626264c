"""The claims on modules that the package does not know."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from subtx_toy.claims.registry import CLAIMS
from subtx_toy.claims.vocabulary.evidence import Evidence
from subtx_toy.problem.losses import Loss, kl, squared_error
from subtx_toy.problem.problem import Problem
from subtx_toy.problem.trait_loss import cross_entropy_trait
from tests.reference.modules import FOREIGN, foreign_problem


@pytest.mark.parametrize("loss", [squared_error(), kl()], ids=["squared_error", "kl"])
@pytest.mark.parametrize("name", FOREIGN)
def test_one_step_claims_hold(name: str, loss: Loss) -> None:
    evidence = Evidence(foreign_problem(name, loss), thorough=False)
    for id in ("C1", "C1b", "C2", "C3", "C4", "C4b", "C5", "C7", "C8", "C8b", "C14", "C15"):
        judgement = CLAIMS[id].judge(evidence)
        assert judgement.verdict == "holds", f"{id}: {judgement.reason}"


def test_kinked_modules_are_reported_by_their_operation() -> None:
    x = torch.linspace(-1, 1, 12).reshape(4, 3).double()
    module = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2)).double()
    trait = cross_entropy_trait(x, torch.tensor([0, 1, 0, 1]))
    problem = Problem(model=module, inputs=x, distillation_loss=kl(), trait_loss=trait, eps=0.1, student_lr=0.1)
    judgement = CLAIMS["C1"].judge(Evidence(problem))
    assert judgement.verdict == "not applicable"
    assert "it runs relu on its parameters" in judgement.reason


class _LastStep(nn.Module):
    """Reads the five numbers of an input one after the other."""

    def __init__(self, recurrent: nn.RNN) -> None:
        super().__init__()
        self.recurrent, self.head = recurrent, nn.Linear(4, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        last: torch.Tensor = self.head(self.recurrent(x[..., None])[0][:, -1])
        return last


@pytest.mark.parametrize(("kind", "smooth"), [("tanh", True), ("relu", False)])
def test_a_recurrent_net_is_smooth_or_kinked_by_its_nonlinearity(kind: str, smooth: bool) -> None:
    torch.manual_seed(0)
    module = _LastStep(nn.RNN(1, 4, nonlinearity=kind, batch_first=True)).double()
    x = torch.linspace(-1, 1, 20).reshape(4, 5).double()
    trait = cross_entropy_trait(x, torch.tensor([0, 1, 0, 1]))
    problem = Problem(model=module, inputs=x, distillation_loss=kl(), trait_loss=trait, eps=0.1, student_lr=0.1)
    judgement = CLAIMS["C1"].judge(Evidence(problem))
    assert (judgement.verdict == "holds") is smooth
    assert smooth or "it runs relu" in judgement.reason
