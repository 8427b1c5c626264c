"""Claim C8, for the trait loss: it falls for every student_lr up to the closed form."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from hypothesis import given

from subtx_toy.claims.registry import CLAIMS
from subtx_toy.claims.vocabulary.evidence import Evidence
from subtx_toy.problem import params as vectors
from subtx_toy.problem.spec import ProblemSpec
from subtx_toy.theory.closed_form import TraitBend, TraitRange, falling_student_lr
from subtx_toy.theory.step_predictions import predicted_distance
from subtx_toy.training.gradient_step import student_step
from tests.reference.examples import at_most
from tests.reference.planted import GENERIC, LINEAR, SQUARED, judge_all, outcome_of, seeds, spec_of
from tests.verdicts.module_corpus import MODULES


@at_most(12)  # many forward passes each
@given(seeds)
def test_c8b_is_violated_by_no_drawn_problem(seed: int) -> None:
    judge_all(CLAIMS["C8b"], dataclasses.replace(spec_of(seed), teacher="trait"))


@given(seeds)
def test_the_bend_bounds_second_differences_of_the_trait_loss(seed: int) -> None:
    problem = dataclasses.replace(spec_of(seed), teacher="trait").build()
    dS = student_step(problem)
    size = float(vectors.norm(dS))
    if size == 0:
        return
    reach, step = 1 / size, 1e-3 / size
    bound = TraitBend.of(problem, dS).bound(reach + step)
    for at in (0.0, 0.5 * reach, reach):
        below, middle, above = (
            float(problem.trait_value(vectors.axpy(at + move, dS, problem.base_params))) for move in (-step, 0.0, step)
        )
        noise = 1e-14 * (1 + abs(middle)) / step**2
        assert abs(above - 2 * middle + below) / step**2 <= 1.01 * bound + noise


@pytest.mark.parametrize("spec", [SQUARED, GENERIC, LINEAR], ids=["squared_error", "kl", "linear"])
@pytest.mark.parametrize("trait", ["squared_error", "cross_entropy"])
def test_c8b_is_violated_by_a_closed_form_beyond_the_first_rise(spec: ProblemSpec, trait: str) -> None:
    problem = dataclasses.replace(spec, trait=trait).build()
    evidence = Evidence(problem)
    judgement = CLAIMS["C8b"].judge(evidence)
    assert judgement.verdict == "holds"
    assert judgement.outcome is not None
    rise = judgement.outcome.observed
    assert judgement.outcome.predicted <= rise
    assert outcome_of("C8b", Evidence(problem, trait_range=TraitRange(1.1 * rise))).worst.verdict == "violated"


def test_a_quadratic_trait_loss_of_a_linear_model_is_bounded_tightly() -> None:
    # One input x, so z moves along the step as fast as it can: L = (z - y)^2 / 2 is a parabola, and rises at its end.
    problem = ProblemSpec(num_inputs=1, distilled_logits="class", eps=1e-3).build()
    trait = problem.trait_loss
    assert trait is not None
    problem = dataclasses.replace(problem, inputs=trait.inputs, teacher_update={})
    judgement = CLAIMS["C8b"].judge(Evidence(problem))
    assert judgement.outcome is not None
    assert judgement.verdict == "holds"
    assert judgement.outcome.ratio == pytest.approx(1.0, abs=1e-3)


@pytest.mark.parametrize("spec", [SQUARED, GENERIC], ids=["squared_error", "kl"])
def test_the_threshold_at_small_eps_is_two_over_beta_lambda_max_or_more(spec: ProblemSpec) -> None:
    problem, eps = spec.build(), 1e-6
    end = falling_student_lr(problem, eps).student_lr
    assert end is not None
    dS = student_step(problem, eps)
    beta = TraitBend.of(problem, dS).bound(end) / float(vectors.inner(dS, dS))
    # predicted_distance(...).sufficient is 2 / lambda_max.
    assert end * eps >= predicted_distance(problem).sufficient / beta * (1 - 1e-3)


def test_c8b_says_why_it_is_not_applicable() -> None:
    evidences = {
        "relu is not twice": Evidence(dataclasses.replace(SQUARED, activation="relu").build()),
        "no bound is known for amax": Evidence(MODULES["stable softmax"].build()),
        "another direction": Evidence(dataclasses.replace(SQUARED, teacher="random").build()),
        "not positive beyond rounding": Evidence(dataclasses.replace(LINEAR, distilled_logits="aux").build()),
    }
    for reason, evidence in evidences.items():
        judgement = CLAIMS["C8b"].judge(evidence)
        assert judgement.verdict == "not applicable"
        assert reason in judgement.reason


def test_c8b_holds_for_a_trait_loss_of_ones_own() -> None:
    other = dataclasses.replace(SQUARED.build().trait_loss, value=lambda outputs: torch.mean(outputs**2))  # type: ignore[type-var]
    assert CLAIMS["C8b"].judge(Evidence(SQUARED.build(trait_loss=other))).verdict == "holds"
    cut = dataclasses.replace(SQUARED.build().trait_loss, value=lambda outputs: torch.amax(outputs**2))  # type: ignore[type-var]
    assert "no bound is known for amax" in CLAIMS["C8b"].judge(Evidence(SQUARED.build(trait_loss=cut))).reason
