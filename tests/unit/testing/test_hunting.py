from __future__ import annotations

from functools import partial

import pytest
import torch
from hypothesis import strategies as st

from subtx_toy.claims.driving import NUM_DRIVEN, drive
from subtx_toy.claims.screening import screened
from subtx_toy.claims.user import claim
from subtx_toy.claims.vocabulary.claim import Inequality
from subtx_toy.claims.vocabulary.evidence import Evidence
from subtx_toy.claims.vocabulary.hypotheses import MOVING
from subtx_toy.errors import InputError
from subtx_toy.problem import params as vectors
from subtx_toy.problem.model import FastMLP
from subtx_toy.problem.problem import Problem
from subtx_toy.problem.spec import ProblemSpec
from subtx_toy.testing import hunt, problem_specs
from subtx_toy.theory.alignment import exact_alignment
from subtx_toy.theory.cosine import predicted_cosine
from subtx_toy.theory.curvature import curvature, ggn_vector_product
from tests.reference.annotations import unchecked

# beartype, which checks the annotations of the package under pytest, looks at a random item of each sequence.
pytestmark = pytest.mark.filterwarnings(
    "ignore:Do not use the .random. module:hypothesis.errors.HypothesisDeprecationWarning"
)

SEEING = problem_specs(degenerate=False)


@unchecked()
def test_a_true_bound_survives_and_its_tightness_shows() -> None:
    """Cauchy-Schwarz: V <= ||G dT|| ||dT||, with equality on one-dimensional ranges."""

    def margin(spec: ProblemSpec) -> float:
        return 1 - predicted_cosine(spec.build()) + 1e-9

    found = hunt(margin, SEEING, max_examples=100)
    assert found.counterexample is None
    assert found.num_tried >= 100
    assert 0 <= found.least_margin < 0.01


@unchecked()
def test_a_false_bound_is_refuted_by_a_small_problem() -> None:
    """Claimed: ||G dT|| <= 5 V. A large teacher's update makes V small against it, or the other way round."""

    def margin(spec: ProblemSpec) -> float:
        problem = spec.build()
        size = float(vectors.norm(ggn_vector_product(problem, problem.teacher_update)))
        return 1 - size / (5 * float(curvature(problem)))

    spec = hunt(margin, SEEING).counterexample
    assert spec is not None
    assert margin(spec) < 0
    assert sum(spec.hidden) <= 1
    assert spec.num_inputs == 1
    assert spec.snippet().endswith(".build()")


@unchecked()
def test_alignment_can_turn_negative_beyond_small_eps() -> None:
    def margin(spec: ProblemSpec) -> float:
        return exact_alignment(spec.build(), 3.0)

    spec = hunt(margin, SEEING, max_examples=500).counterexample
    assert spec is not None
    assert len(spec.hidden) == 1  # without a hidden layer it never is


def test_the_target_leads_into_a_corner_that_blind_drawing_misses() -> None:
    numbers = st.lists(st.integers(0, 1000), min_size=3, max_size=3)
    found = hunt(lambda three: 2800.0 - sum(three), numbers, max_examples=1000)
    assert found.counterexample is not None
    assert sum(found.counterexample) == 2801


def test_a_margin_that_is_no_number_counts_as_refuted_and_a_hunt_repeats() -> None:
    assert hunt(lambda _: float("nan"), st.integers()).counterexample == 0
    first, second = (hunt(lambda number: 1000.0 - number, st.integers(0, 10**6)) for _ in range(2))
    assert first == second
    assert first.counterexample == 1001


@claim(id="at most first order", hypotheses=[MOVING])
def too_good(problem: Problem, evidence: Evidence) -> Inequality:
    "The alignment is at most its first order and a twentieth."
    return Inequality(evidence.alignment(problem.eps), 1.05 * problem.eps * evidence.V, 1e-12)


@claim(id="Cauchy and Schwarz", hypotheses=[MOVING])
def true(_problem: Problem, evidence: Evidence) -> Inequality:
    "V is at most ||G dT|| ||dT||."
    return Inequality(evidence.V, evidence.G_dT_norm * evidence.dT_norm)


@unchecked()
def test_a_false_bound_is_found_among_drawn_perceptrons_and_shrunk() -> None:
    found = hunt(too_good, num_problems=4000)
    assert found == hunt(too_good, num_problems=4000)
    spec = found.counterexample
    assert spec is not None
    assert found.least_margin < 0
    assert too_good.judge(Evidence(spec.build(), seed=spec.seed)).verdict == "violated"
    assert sum(spec.hidden) <= 2
    assert spec.num_inputs == 1


@unchecked()
def test_a_true_bound_survives_drawn_perceptrons() -> None:
    found = hunt(true, num_problems=500)
    assert (found.counterexample, found.num_tried) == (None, 500 + NUM_DRIVEN)
    assert 0 <= found.least_margin < 1e-3


@unchecked()
def test_a_violation_that_automatic_differentiation_does_not_confirm_is_none() -> None:
    @claim(id="not by hand")
    def by_autograd(problem: Problem, evidence: Evidence) -> Inequality:
        "True of every problem whose derivatives are automatic."
        return Inequality(float(isinstance(problem.model, FastMLP)), 0.0)

    found = hunt(by_autograd, num_problems=3)
    assert found.counterexample is None
    assert found.num_tried >= 3


@unchecked()
def test_a_violation_that_rounding_explains_is_no_margin_and_leads_nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    @claim(id="cancels", hypotheses=[MOVING])
    def cancelling(_problem: Problem, evidence: Evidence) -> Inequality:
        "V, after a sum in which most of its digits are lost, is at most V and a little."
        V = torch.tensor(evidence.V, dtype=torch.float64)
        return Inequality(float((V + 1e13) - 1e13), 1.001 * evidence.V)

    drawn = [cancelling.judge(evidence, confirm=False).outcome for _, evidence in screened(128, seed=0)]
    assert min(one.worst.margin for one in drawn if one is not None) < 0
    monkeypatch.setattr("subtx_toy.testing.hunting.drive", partial(drive, num=40))
    found = hunt(cancelling, num_problems=128)
    assert (found.counterexample, found.num_tried) == (None, 128 + 40)
    assert found.least_margin >= 0


def test_a_margin_needs_values_to_draw() -> None:
    with pytest.raises(InputError, match="values: expected a strategy"):
        hunt(lambda _: 1.0)  # type: ignore[call-overload]
