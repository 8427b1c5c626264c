"""What may not change an alignment, and what changes it by a known factor."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from hypothesis import given

from subtx_toy.claims.vocabulary.evidence import Evidence
from subtx_toy.problem.initialisations import permuted_units
from subtx_toy.problem.model import MLP
from subtx_toy.seeding import generator
from tests.reference.planted import GENERIC, seeds, spec_of


def test_permuting_the_hidden_units_of_all_three_nets_changes_nothing() -> None:
    problem = GENERIC.build()
    assert isinstance(problem.model, MLP)

    def permuted(params: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        assert isinstance(problem.model, MLP)
        return permuted_units(problem.model, params, generator(0, "tests", "permutation"))

    other = dataclasses.replace(
        problem, base_params=permuted(problem.base_params), teacher_update=permuted(problem.teacher_update)
    )
    assert not torch.equal(other.base_params["layers.0.weight"], problem.base_params["layers.0.weight"])
    before, after = Evidence(problem), Evidence(other)
    assert after.alignment(0.1) == pytest.approx(before.alignment(0.1), rel=1e-11)
    assert pytest.approx(before.V, rel=1e-12) == after.V


@given(seeds)
def test_duplicated_inputs_change_nothing(seed: int) -> None:
    spec = spec_of(seed)
    problem = spec.build()
    before = Evidence(problem)
    after = Evidence(dataclasses.replace(problem, inputs=problem.inputs.repeat(2, 1)))
    rounding = before.alignment_rounding(spec.eps)
    assert abs(after.alignment(spec.eps) - before.alignment(spec.eps)) <= rounding


@given(seeds)
def test_alignment_of_a_batch_is_the_weighted_mean_over_its_parts(seed: int) -> None:
    spec = spec_of(seed)
    problem = spec.build()
    n = len(problem.inputs)
    parts = [problem.inputs[: (n + 1) // 2], problem.inputs[(n + 1) // 2 :]][: min(n, 2)]
    whole = Evidence(problem)
    pieces = [Evidence(dataclasses.replace(problem, inputs=part)).alignment(spec.eps) for part in parts]
    mean = sum(len(part) * piece for part, piece in zip(parts, pieces, strict=True)) / n
    assert abs(mean - whole.alignment(spec.eps)) <= 2 * whole.alignment_rounding(spec.eps)


@given(seeds)
def test_twice_the_update_at_half_the_eps_gives_twice_the_alignment(seed: int) -> None:
    spec = spec_of(seed)
    problem = spec.build()
    doubled = {name: 2 * value for name, value in problem.teacher_update.items()}
    before, after = Evidence(problem), Evidence(dataclasses.replace(problem, teacher_update=doubled))
    # Powers of two: exact but for the order in which vector instructions add up.
    rounding = 2 * before.alignment_rounding(spec.eps)
    assert abs(after.alignment(spec.eps / 2) - 2 * before.alignment(spec.eps)) <= rounding
    assert pytest.approx(4 * before.V, rel=1e-12) == after.V
