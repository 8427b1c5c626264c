"""What a hypothesis that was not checked does to a verdict, and models that are out of reach of one claim."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import pytest
import torch
from torch import nn

from subtx_toy.claims.instance import given
from subtx_toy.claims.registry import CLAIMS
from subtx_toy.claims.verification import verify
from subtx_toy.claims.vocabulary.claim import Hypothesis, Inequality, outcome
from subtx_toy.claims.vocabulary.evidence import Evidence
from subtx_toy.problem.losses import squared_error
from subtx_toy.problem.problem import Problem
from subtx_toy.problem.spec import ProblemSpec
from subtx_toy.problem.trait_loss import cross_entropy_trait
from subtx_toy.seeding import generator, torch_stream
from tests.verdicts.module_corpus import Net, problem_of

UNKNOWN = Hypothesis("the moon is full", lambda _evidence: "", lambda _evidence: "it is cloudy")
SPEC = ProblemSpec(hidden=(2,))


def test_what_holds_says_that_a_hypothesis_was_not_checked() -> None:
    claim = dataclasses.replace(CLAIMS["C5"], hypotheses=(UNKNOWN,))
    judgement = claim.judge(Evidence(SPEC.build()))
    assert judgement.verdict == "holds, hypothesis not checked"
    assert judgement.reason == "not checked whether the moon is full: it is cloudy"
    (summary,) = verify([claim], [given(SPEC)]).summaries
    assert summary.verdict == "holds, hypothesis not checked"


def test_what_fails_under_a_hypothesis_that_was_not_checked_is_undecided() -> None:
    claim = dataclasses.replace(
        CLAIMS["C5"], hypotheses=(UNKNOWN,), evaluate=lambda _evidence: outcome([Inequality(2.0, 1.0, what="two")])
    )
    judgement = claim.judge(Evidence(SPEC.build()))
    assert judgement.verdict == "undecided"
    assert "it is cloudy; two: asserted 2 <= 1" in judgement.reason


@pytest.mark.parametrize("read", [lambda x: x.sum().item(), lambda x: x.tolist()[0][0]])
def test_a_model_whose_numbers_python_reads_may_not_be_smooth(read: Callable[[torch.Tensor], float]) -> None:
    problem = problem_of(lambda: Net(lambda x: torch.tanh(x) * (-1.0 if read(x) > 1e9 else 1.0)))
    judgement = CLAIMS["C1"].judge(Evidence(problem))
    assert judgement.verdict == "holds, hypothesis not checked"
    assert "Python reads numbers that depend on its parameters" in judgement.reason


def test_nothing_is_decided_of_a_model_that_computes_in_float32_inside() -> None:
    evidence = Evidence(problem_of(lambda: Net(lambda x: torch.tanh(x.float().double()))))
    for id in ("C1", "C5"):
        judgement = CLAIMS[id].judge(evidence)
        assert judgement.verdict == "undecided"
        assert "the model computes in less than float64 inside, by _to_copy in float32" in judgement.reason


def test_a_trait_loss_that_computes_in_float32_violates_nothing() -> None:
    problem = problem_of(lambda: Net(torch.tanh))
    assert problem.trait_loss is not None
    value = problem.trait_loss.value
    trait = dataclasses.replace(problem.trait_loss, value=lambda z: value(z.float()).double())
    judgement = CLAIMS["C3"].judge(Evidence(dataclasses.replace(problem, trait_loss=trait, teacher_update={})))
    assert judgement.verdict == "undecided"
    assert "the trait loss computes in less than float64" in judgement.reason


MASKS: list[Callable[[torch.Tensor], torch.Tensor]] = [
    torch.tanh,
    lambda x: torch.tanh(x) * torch.ones(6, dtype=torch.float32),
    lambda x: torch.tanh(x) * (x > -1e9).float(),
    lambda x: torch.tanh(x) + torch.zeros_like(x, dtype=torch.float32),
    lambda x: torch.tanh(x) + nn.functional.embedding(torch.tensor([0]), x)[0] ** 2,
]


@pytest.mark.parametrize("between", MASKS)
def test_masks_and_constants_may_be_in_float32(between: Callable[[torch.Tensor], torch.Tensor]) -> None:
    assert CLAIMS["C5"].judge(Evidence(problem_of(lambda: Net(between)))).verdict == "holds"


def test_no_claim_is_out_of_reach_for_a_model_of_more_parameters_than_a_dense_matrix_has() -> None:
    with torch_stream(generator(0, "tests", "large")):
        module = nn.Sequential(nn.Linear(64, 96), nn.GELU(), nn.Linear(96, 3)).double()
        x, trait = torch.randn(4, 64).double(), torch.randn(4, 64).double()
    problem = Problem(
        model=module, inputs=x, distillation_loss=squared_error(), eps=0.001, student_lr=0.1,
        trait_loss=cross_entropy_trait(trait, torch.tensor([0, 1, 2, 0])),
    )  # fmt: skip
    found = {one.claim.id: one for one in verify([CLAIMS[id] for id in ("C1", "C5", "C7")], [given(problem)]).summaries}
    assert (found["C1"].verdict, found["C5"].verdict, found["C7"].verdict) == ("holds", "holds", "holds")
    # An eigenvalue that is too small makes a bound that is too large.
    points, components = Evidence(problem).modes
    planted = Evidence(problem, modes=(1e-3 * points, components), top_eigenvalue=1e-3 * float(points[-1]))
    assert CLAIMS["C7"].judge(planted).verdict == "violated"
