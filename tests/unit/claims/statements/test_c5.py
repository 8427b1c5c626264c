"""Claim C5: the exact identity."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable

import pytest
from hypothesis import given
from torch import Tensor

from subtx_toy.claims.registry import CLAIMS
from subtx_toy.claims.vocabulary.evidence import Evidence
from subtx_toy.problem.losses import squared_error
from subtx_toy.problem.params import unflatten
from subtx_toy.problem.smooth_loss import smooth_loss
from subtx_toy.testing import assert_alignment_is_exact
from subtx_toy.theory.alignment import AlignmentRay
from tests.reference.planted import GENERIC, judge_all, outcome_of, planted_ray, seeds, spec_of


@given(seeds)
def test_c5_is_violated_by_no_drawn_problem(seed: int) -> None:
    judge_all(CLAIMS["C5"], spec_of(seed))


@pytest.mark.parametrize(
    "change",
    [lambda v: -v, lambda v: 1.01 * v, lambda v: len(v) * v, lambda v: v.flip(0)],
    ids=["wrong sign", "factor 1.01", "missing 1/n", "transposed J"],
)
def test_c5_is_violated_by_a_planted_error(change: Callable[[Tensor], Tensor]) -> None:
    assert outcome_of("C5", Evidence(GENERIC.build())).worst.verdict == "holds"
    assert outcome_of("C5", planted_ray(GENERIC.build(), change)).worst.verdict == "violated"


def test_c5_is_violated_by_the_slope_of_another_loss() -> None:
    problem = GENERIC.build()
    ray = AlignmentRay.of(dataclasses.replace(problem, distillation_loss=squared_error()))
    assert outcome_of("C5", Evidence(problem, ray=ray)).worst.verdict == "violated"


def test_c5_is_undecided_where_rounding_has_no_bound() -> None:
    # The slope of a distance is 0 / 0 where the two agree, so how far rounding moves it is unknown.
    distance = smooth_loss("distance", lambda z, y: (z - y).pow(2).sum(-1).sqrt())
    evidence = Evidence(GENERIC.build(distillation_loss=distance))
    turned = evidence.observing(lambda problem, eps: unflatten(-evidence.update(eps), problem.base_params))
    for seen in (evidence, turned):
        assert CLAIMS["C5"].judge(seen).verdict != "holds"
    with pytest.raises(AssertionError, match="rounding has no bound"):
        assert_alignment_is_exact(evidence.problem)


def test_c5_is_violated_by_an_update_that_is_not_a_number() -> None:
    evidence = Evidence(GENERIC.build())
    broken = evidence.observing(lambda problem, eps: unflatten(math.nan * eps * evidence.dT, problem.base_params))
    assert CLAIMS["C5"].judge(broken).verdict == "violated"
    with pytest.raises(AssertionError, match="C5 is violated"):
        assert_alignment_is_exact(evidence.problem, student=broken.step)
