"""Claims C23 to C31 and C33: no drawn problem violates them, and planted errors do."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given

from subtx_toy.claims.instance import Instance
from subtx_toy.claims.registry import CLAIMS
from subtx_toy.claims.vocabulary.claim import Outcome
from subtx_toy.claims.vocabulary.evidence import Evidence
from subtx_toy.claims.vocabulary.many_steps import ManySteps
from subtx_toy.problem.spec import ProblemSpec
from tests.reference.annotations import unchecked
from tests.reference.planted import GENERIC, SQUARED, scaled_step, seeds, spec_of

IDS = ("C23", "C24", "C25", "C26", "C27", "C28", "C29", "C30", "C31", "C33")


def outcome_with(id: str, **changes: object) -> Outcome:
    evidence = Evidence(GENERIC.build_fast(), thorough=False)
    evidence.__dict__["many_steps"] = ManySteps(evidence, **changes)  # type: ignore[arg-type]
    return CLAIMS[id].evaluate(evidence)


@unchecked()
@pytest.mark.parametrize("id", IDS)
@given(seed=seeds)
def test_no_drawn_problem_violates(id: str, seed: int) -> None:
    evidence = Instance.of(spec_of(seed), index=1, shrinkable=True).evidence()
    judgement = CLAIMS[id].judge(evidence)
    assert judgement.verdict != "violated", judgement.reason


@pytest.mark.parametrize("id", sorted(set(IDS) - {"C28"}))
def test_a_planted_part_in_a_hundred_violates(id: str) -> None:
    assert outcome_with(id).worst.verdict == "holds"
    assert outcome_with(id, factor=1.01).worst.verdict == "violated"


def test_a_remainder_that_is_rounding_of_the_prediction_passes_as_exact() -> None:
    # After one step nothing is left to second order: the remainder is 1e-17, and has no order.
    spec = ProblemSpec(
        hidden=(10, 12, 3), input_dim=5, num_classes=5, activation="sigmoid", init="pytorch", init_scale=0.5,
        num_inputs=4, num_trait_inputs=9, teacher="last_layer", distilled_logits="aux", seed=1445931486,
    )  # fmt: skip
    assert CLAIMS["C23"].judge(Evidence(spec.build_fast(), thorough=False)).verdict == "holds"


def test_the_pull_of_a_student_that_steps_too_far_violates_c28() -> None:
    evidence = Evidence(SQUARED.build(), thorough=False, student_step=scaled_step(1.01))
    assert CLAIMS["C28"].evaluate(Evidence(SQUARED.build(), thorough=False)).worst.verdict == "holds"
    assert CLAIMS["C28"].evaluate(evidence).worst.verdict == "violated"


def test_c29_is_not_applicable_where_the_criterion_fails() -> None:
    specs = (dataclasses.replace(GENERIC, teacher="random", seed=seed) for seed in range(12))
    judgements = [CLAIMS["C29"].judge(Evidence(spec.build_fast(), thorough=False)) for spec in specs]
    reasons = [one.reason for one in judgements if one.verdict == "not applicable"]
    assert reasons
    assert all("F reaches -" in reason for reason in reasons)
    assert all(one.verdict in ("holds", "not applicable") for one in judgements)
