from __future__ import annotations

import dataclasses
from itertools import combinations

import numpy as np
import pytest
import torch

from subtx_toy.errors import InputError
from subtx_toy.problem.losses import kl, squared_error
from subtx_toy.problem.params import flatten
from subtx_toy.seeding import generator
from subtx_toy.theory.alignment import AlignmentRay, alignments_per_example, exact_alignment
from subtx_toy.theory.curvature import curvature
from subtx_toy.theory.distribution import (
    expectation,
    expected_alignment,
    expected_curvature,
    expected_eps,
    line_tolerance,
)
from tests.reference.modules import foreign_problem
from tests.reference.planted import GENERIC


def test_bernsteins_interval_misses_the_mean_no_more_often_than_it_may() -> None:
    rng, missed, narrow = generator(0, "tests", "bernstein"), 0, 0
    for _ in range(400):
        values = rng.uniform(0, 1, 50) < 0.02  # so rare that Student's interval misses it in more than one of three
        found = expectation(values.astype(float), confidence=0.9, value_range=(0.0, 1.0))
        missed += not found.low <= 0.02 <= found.high
        student = expectation(values.astype(float), confidence=0.9)
        narrow += not student.low <= 0.02 <= student.high
    assert missed <= 40
    assert narrow > 60


def test_students_interval_of_normal_values_covers_as_it_says() -> None:
    rng = generator(1, "tests", "bernstein")
    missed = 0
    for _ in range(400):
        found = expectation(rng.standard_normal(8), confidence=0.9)
        missed += not found.low <= 0.0 <= found.high
    assert 20 <= missed <= 62  # within 3.7 standard deviations of 40


def test_the_formula_is_that_of_the_paper() -> None:
    values = np.array([0.1, 0.4, 0.2, 0.9])
    found = expectation(values, confidence=0.5, value_range=(0.0, 30.0))
    log = np.log(4 / 0.5)
    half = np.sqrt(2 * values.var(ddof=1) * log / 4) + 7 * 30 * log / (3 * 3)
    assert found.high == pytest.approx(min(30.0, values.mean() + half))
    assert found.low == 0.0


def test_means_are_the_curvature_and_the_alignment() -> None:
    problem = GENERIC.build()
    assert expected_curvature(problem).mean == pytest.approx(float(curvature(problem)), rel=1e-12)
    found = expected_alignment(problem, 0.2)
    assert found.mean == pytest.approx(exact_alignment(problem, 0.2), rel=1e-12)
    assert found.low < found.mean < found.high
    assert (found.method, found.num_inputs) == ("t", 7)


def test_positions_of_one_input_are_one_draw() -> None:
    problem = foreign_problem("gru", kl())
    assert expected_curvature(problem).num_inputs == 6
    assert len(alignments_per_example(problem)) == 24


def test_the_range_of_eps_holds_for_the_mean_over_other_inputs() -> None:
    problem = foreign_problem("cnn", kl(), num_inputs=12)
    found = expected_eps(problem, largest=0.5)
    assert found.eps is not None
    assert found.method == "t"
    other = torch.from_numpy(generator(7, "tests", "others").standard_normal((64, 1, 8, 8)))
    assert exact_alignment(dataclasses.replace(problem, inputs=other), found.eps) > 0
    loud = expected_eps(problem, largest=0.5, value_range=(-1e6, 1e6))
    assert loud.eps is None
    assert "reaches 0" in loud.reason


def alone(problem_eps: float, rows: tuple[int, ...]) -> float:
    problem = GENERIC.build()
    return float(alignments_per_example(problem, problem_eps)[list(rows)].sum())


@pytest.mark.parametrize("eps", [0.5, 4.0, 12.0])
def test_any_lines_so_many_may_go_and_one_more_may_not(eps: float) -> None:
    found = line_tolerance(GENERIC.build(), eps)
    n = found.num_lines
    survives = [min(alone(eps, kept) for kept in combinations(range(n), n - k)) > 0 for k in range(n)]
    expected = next((k for k, one in enumerate(survives) if not one), n) - 1
    assert found.removed == max(expected, 0)
    assert found.all_positive == bool((alignments_per_example(GENERIC.build(), eps) > 1e-12).all())


def test_any_targets_so_many_may_be_replaced_and_one_more_may_not() -> None:
    problem, eps = GENERIC.build(), 4.0
    found = line_tolerance(problem, eps)
    assert found.relabelled is not None
    ray, tau = AlignmentRay.of(problem), problem.distillation_loss.temperature
    p, v = torch.softmax(ray.outputs / tau, -1), ray.v
    vertices = torch.eye(v.shape[-1], dtype=v.dtype)
    worst = torch.stack([(v * (one - p)).sum(-1) / tau for one in vertices]).amin(0).numpy()
    each = ray.per_input(eps).numpy()

    def least(k: int) -> float:
        return min(
            float(sum(worst[i] if i in changed else each[i] for i in range(len(each))))
            for changed in combinations(range(len(each)), k)
        )

    assert least(found.relabelled) > 0
    assert least(found.relabelled + 1) <= 0


def test_squared_error_bounds_no_target() -> None:
    problem = foreign_problem("tied", squared_error())
    assert line_tolerance(problem).relabelled is None
    assert len(flatten(problem.base_params)) == 49


def test_what_cannot_be_is_said() -> None:
    with pytest.raises(InputError, match="at least two independent inputs, got 1"):
        expectation([1.0])
    with pytest.raises(InputError, match="value_range: expected one that holds every value"):
        expectation([1.0, 2.0], value_range=(0.0, 1.5))
    with pytest.raises(InputError, match="confidence: expected a number in"):
        expectation([1.0, 2.0], confidence=1.0)
    with pytest.raises(InputError, match="largest: expected a number > 0"):
        expected_eps(GENERIC.build(), largest=0.0)
