"""Claim C6: aligned at every eps where the outputs are affine on the ray."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from hypothesis import given

from subtx_toy.claims.registry import CLAIMS
from subtx_toy.claims.vocabulary.evidence import Evidence
from subtx_toy.problem.model import MLP
from subtx_toy.theory.linearization import linearize
from tests.reference.planted import GENERIC, LINEAR, judge_all, outcome_of, planted_ggn, seeds, spec_of, turned


@given(seeds)
def test_c6_is_violated_by_no_drawn_problem(seed: int) -> None:
    judge_all(CLAIMS["C6"], spec_of(seed))


@given(seeds)
def test_c6_applies_to_every_drawn_teacher_that_moved_its_last_layer(seed: int) -> None:
    spec = dataclasses.replace(spec_of(seed), teacher="last_layer")
    judgement = CLAIMS["C6"].judge(Evidence(spec.build(), seed=spec.seed))
    assert judgement.verdict in ("holds", "undecided"), judgement.reason


@pytest.mark.parametrize("loss", ["kl", "squared_error"])
def test_c6_holds_for_a_linear_model_and_not_for_a_student_that_turns_round(loss: str) -> None:
    problem = dataclasses.replace(LINEAR, loss=loss).build()
    assert CLAIMS["C6"].judge(Evidence(problem)).verdict == "holds"
    assert CLAIMS["C6"].judge(Evidence(problem, student_step=turned)).verdict == "violated"


@pytest.mark.parametrize("error", ["wrong sign", "factor 1.01", "missing 1/n"])
def test_c6_is_violated_by_a_planted_error(error: str) -> None:
    assert outcome_of("C6", planted_ggn(LINEAR.build(), error)).worst.verdict == "violated"


def test_c6_holds_for_a_teacher_that_moved_its_last_layer_and_for_a_linearized_model() -> None:
    problem = GENERIC.build()
    update = {k: v if k.startswith("layers.2") else torch.zeros_like(v) for k, v in problem.teacher_update.items()}
    assert CLAIMS["C6"].judge(Evidence(dataclasses.replace(problem, teacher_update=update))).verdict == "holds"
    assert isinstance(problem.model, MLP)
    flat = dataclasses.replace(problem, model=linearize(problem.model.apply, problem.base_params))
    assert CLAIMS["C6"].judge(Evidence(flat)).verdict == "holds"


def test_c6_is_not_applicable_to_a_curved_model_and_says_why() -> None:
    problem = GENERIC.build()
    assert isinstance(problem.model, MLP)
    for model in (problem.model, problem.model.apply):
        judgement = CLAIMS["C6"].judge(Evidence(dataclasses.replace(problem, model=model)))
        assert judgement.verdict == "not applicable"
        assert "affine" in judgement.reason
