"""The whole table of claims on models of more than 10^5 parameters, within a minute of CPU each."""

from __future__ import annotations

import time

import pytest

from subtx_toy.claims.instance import given
from subtx_toy.claims.registry import CLAIMS
from subtx_toy.claims.verification import verify
from subtx_toy.problem.params import flatten
from subtx_toy.theory.curvature import curvature
from subtx_toy.theory.lanczos import leading_eigenvalues
from tests.reference.large_modules import large_problem

MAX_SECONDS = 60.0


@pytest.mark.slow
@pytest.mark.parametrize("name", ["resnet", "transformer"])
def test_every_claim_is_looked_at_within_a_minute_of_cpu(name: str) -> None:
    problem = large_problem(name)
    assert len(flatten(problem.base_params)) > 10**5
    start = time.process_time()
    summaries = verify(CLAIMS.values(), [given(problem)]).summaries
    assert time.process_time() - start < MAX_SECONDS
    verdicts = {one.claim.id: one.verdict for one in summaries}
    assert "violated" not in verdicts.values()
    for id in ("C1", "C1b", "C2", "C3", "C4", "C5", "C7", "C7b"):
        assert verdicts[id] == "holds", id


def test_curvature_is_by_products_and_the_largest_eigenvalue_has_its_error() -> None:
    problem = large_problem("transformer")
    top = leading_eigenvalues(problem, num_steps=24)
    assert top.residuals[0] < 1e-6 * top.values[0]
    dT = flatten(problem.teacher_update)
    assert 0 < float(curvature(problem)) <= (top.values[0] + top.residuals[0]) * float(dT @ dT)
