from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from hypothesis import given

from subtx_toy.problem.losses import Loss, kl, squared_error
from subtx_toy.problem.params import flatten
from subtx_toy.theory.cosine import estimated_traces, exact_traces, expected_random_cosine, lambda_max
from subtx_toy.theory.curvature import dense_ggn, ggn_spectrum
from subtx_toy.tolerances import Z_BOUND
from tests.reference.examples import at_most
from tests.reference.modules import FOREIGN, foreign_problem
from tests.reference.perceptrons import Description, descriptions
from tests.reference.planted import GENERIC


@pytest.mark.parametrize("name", FOREIGN)
def test_largest_eigenvalue_agrees_with_the_dense_matrix_on_foreign_modules(name: str) -> None:
    problem = foreign_problem(name, kl())
    top = lambda_max(problem)
    assert top.value == pytest.approx(np.linalg.eigvalsh(dense_ggn(problem).numpy())[-1], rel=1e-10)
    assert top.residual <= 1e-8 * top.value


@at_most(15)
@given(description=descriptions())
def test_largest_eigenvalue_agrees_with_the_dense_matrix(description: Description) -> None:
    problem = description.build()
    top, dense = lambda_max(problem), np.linalg.eigvalsh(dense_ggn(problem).numpy())[-1]
    assert top.value == pytest.approx(dense, rel=1e-9, abs=1e-14)
    assert abs(top.value - dense) <= top.residual + 1e-12 * dense + 1e-14


@pytest.mark.parametrize("loss", ["kl", "squared_error"])
@pytest.mark.parametrize("num_inputs", [2, 40])  # fewer outputs than parameters, and more
def test_the_spectrum_along_the_teacher_is_that_of_the_dense_matrix(loss: str, num_inputs: int) -> None:
    problem = dataclasses.replace(GENERIC, loss=loss, num_inputs=num_inputs).build_fast()
    values, components = ggn_spectrum(problem)
    dense, dT = dense_ggn(problem), flatten(problem.teacher_update)
    wanted = torch.linalg.eigvalsh(dense)
    num = min(len(values) - 1, 6)
    if num_inputs == 2:
        assert values[0] == 0 < values[1]
    else:
        assert len(values) == len(dT)
    assert torch.allclose(values[-num:], wanted[-num:], rtol=1e-9, atol=0)
    powers = [float(values**power @ components**2) for power in range(4)]  # dT^T G^i dT
    expected = [float(dT @ torch.linalg.matrix_power(dense, power) @ dT) for power in range(4)]
    assert powers == pytest.approx(expected, rel=1e-9)
    assert [(1 + 1e-6) * power for power in powers] != pytest.approx(expected, rel=1e-9)


def test_largest_eigenvalue_of_a_model_that_sees_nothing_is_zero() -> None:
    problem = dataclasses.replace(Description(num_aux=1, loss="kl").build(), distilled_logits="aux")
    assert lambda_max(problem).value == 0.0


def test_traces_agree_with_the_spectrum() -> None:
    problem = foreign_problem("residual", kl())
    values = np.linalg.eigvalsh(dense_ggn(problem).numpy())
    traces = exact_traces(problem)
    assert traces.trace.mean == pytest.approx(values.sum())
    assert traces.trace_of_square.mean == pytest.approx((values**2).sum())
    assert traces.effective_rank.mean == pytest.approx(values.sum() ** 2 / (values**2).sum())


@pytest.mark.parametrize("loss", [squared_error(), kl()], ids=lambda loss: loss.name)
def test_estimated_traces_lie_within_their_standard_errors(loss: Loss) -> None:
    problem = dataclasses.replace(Description(hidden=(8, 8)).build(), distillation_loss=loss)
    exact = exact_traces(problem)
    for seed in range(3):
        drawn = estimated_traces(problem, num_samples=128, seed=seed)
        for name in ("trace", "trace_of_square", "effective_rank"):
            estimate, truth = getattr(drawn, name), getattr(exact, name).mean
            assert 0 < estimate.standard_error < 0.5 * truth
            assert abs(estimate.mean - truth) <= Z_BOUND * estimate.standard_error


def test_an_estimate_with_a_planted_factor_is_caught() -> None:
    problem = Description(hidden=(8, 8)).build()
    drawn, truth = estimated_traces(problem, num_samples=512).trace, exact_traces(problem).trace.mean
    assert abs(1.5 * drawn.mean - truth) > Z_BOUND * drawn.standard_error


def test_random_directions_have_the_cosine_that_the_effective_rank_expects() -> None:
    problem = Description(hidden=(12, 12)).build()
    G = dense_ggn(problem)
    rng = np.random.Generator(np.random.SFC64(1))
    u = torch.from_numpy(rng.standard_normal((len(G), 400)))
    Gu = G @ u
    cosines = (u * Gu).sum(0) / (u.norm(dim=0) * Gu.norm(dim=0))
    expected = expected_random_cosine(exact_traces(problem), len(G))
    assert float(cosines.mean()) == pytest.approx(expected, rel=0.1)
