from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from subtx_toy.problem.losses import kl
from subtx_toy.seeding import generator
from subtx_toy.theory.cosine import kantorovich_bound, largest_kantorovich, predicted_cosine, rayleigh_bound
from subtx_toy.training.gradient_step import observe
from tests.reference.examples import at_most
from tests.reference.modules import FOREIGN, foreign_problem
from tests.reference.perceptrons import Description, descriptions

ROUNDING = 1e-9  # relative, of cosines and bounds from an eigendecomposition


@pytest.mark.parametrize("name", FOREIGN)
def test_cosine_tends_to_the_prediction_on_foreign_modules(name: str) -> None:
    problem = foreign_problem(name, kl())
    assert observe(problem, 1e-5).cosine == pytest.approx(predicted_cosine(problem), abs=1e-3)


@at_most(25)
@given(description=descriptions())
def test_both_bounds_lie_below_the_cosine(description: Description) -> None:
    problem = description.build()
    cosine = predicted_cosine(problem)
    assert rayleigh_bound(problem) <= cosine * (1 + ROUNDING)
    assert kantorovich_bound(problem).value <= cosine * (1 + ROUNDING)
    assert cosine <= 1 + ROUNDING


def test_neither_bound_dominates() -> None:
    better = set()
    for seed in range(12):
        for loss in ("squared_error", "kl"):
            problem = Description(seed=seed, num_inputs=2, loss=loss).build()
            better.add(rayleigh_bound(problem) > kantorovich_bound(problem).value)
    assert better == {True, False}


def test_kantorovich_is_attained_by_two_modes() -> None:
    # Equality where the weights are the roots of the opposite eigenvalues: cos = 2 sqrt(9) / 10.
    values = torch.tensor([1.0, 9.0]).double()
    components = values.flip(0).sqrt()
    V, norm = values @ components**2, (values * components).norm() * components.norm()
    assert largest_kantorovich(values, components).value == pytest.approx(0.6)
    assert float(V / norm) == pytest.approx(0.6)


@given(seed=st.integers(0, 2**20), size=st.integers(1, 8), decades=st.floats(0, 12))
def test_kantorovich_holds_for_every_spectrum_also_with_a_null_space(seed: int, size: int, decades: float) -> None:
    rng = generator(seed, "tests", "spectrum")
    values = torch.from_numpy(10 ** (-decades * rng.random(size)) * (rng.random(size) < 0.8))
    components = torch.from_numpy(rng.standard_normal(size))
    norm = (values * components).norm() * components.norm()
    if norm > 0:
        cosine = float(values @ components**2 / norm)
        assert largest_kantorovich(values, components).value <= cosine * (1 + ROUNDING)


def test_dropping_faint_modes_only_sharpens_the_bound() -> None:
    values, components = torch.tensor([1.0, 0.5, 1e-9]).double(), torch.ones(3).double()
    best = largest_kantorovich(values, components)
    assert best.num_modes == 2
    assert best.mass == pytest.approx((2 / 3) ** 0.5)
    everything = 2 * 1e-9**0.5 / (1 + 1e-9)
    assert best.value > 1000 * everything


def test_an_eigenvalue_far_below_rounding_does_not_spoil_the_bound() -> None:
    components = torch.ones(3, dtype=torch.float64)
    tiny = largest_kantorovich(torch.tensor([1.0, 0.5, 1e-320], dtype=torch.float64), components)
    none = largest_kantorovich(torch.tensor([1.0, 0.5, 0.0], dtype=torch.float64), components)
    assert tiny == none
    assert 0 < tiny.value < 1
