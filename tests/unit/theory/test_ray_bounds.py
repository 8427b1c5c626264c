from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from subtx_toy.problem import params as vectors
from subtx_toy.problem.activations import ACTIVATIONS
from subtx_toy.problem.model import MLP
from subtx_toy.theory.activations import ACTIVATIONS as KNOWN
from subtx_toy.theory.closed_form import RayNorms
from tests.reference.examples import at_most
from tests.reference.perceptrons import Description, descriptions


@pytest.mark.parametrize("name", KNOWN)
def test_activation_bounds_hold_on_a_grid_and_are_nearly_attained(name: str) -> None:
    limits, z = KNOWN[name].bounds, torch.linspace(-12, 12, 24001).double()
    apply = ACTIVATIONS[name].apply
    ones = torch.ones_like(z)
    slope = torch.func.jvp(apply, (z,), (ones,))[1]
    bend = torch.func.jvp(lambda at: torch.func.jvp(apply, (at,), (ones,))[1], (z,), (ones,))[1]
    assert 0.99 * limits.slope <= slope.abs().max() <= limits.slope * (1 + 1e-12)
    assert 0.99 * limits.bend <= bend.abs().max() <= limits.bend * (1 + 1e-12)
    assert (apply(z).abs() <= (limits.offset + limits.growth * z.abs()).clamp_max(limits.ceiling) + 1e-12).all()


@at_most(20)
@given(description=descriptions(), eps=st.sampled_from([0.01, 0.5, 3.0]), share=st.floats(0, 1))
def test_derivatives_along_the_ray_stay_below_their_bounds(description: Description, eps: float, share: float) -> None:
    problem = description.build()
    base, dT, at = problem.base_params, problem.teacher_update, torch.tensor(share * eps).double()
    assert isinstance(problem.model, MLP)
    bounds = RayNorms.of(problem.model, base, dT, problem.inputs, columns=problem.columns).bounds(eps)

    def outputs(s: torch.Tensor) -> torch.Tensor:
        return problem.distilled(vectors.axpy(s, dT, base))

    def first(s: torch.Tensor) -> torch.Tensor:
        slope: torch.Tensor = torch.func.jvp(outputs, (s,), (torch.ones_like(s),))[1]
        return slope

    second = torch.func.jvp(first, (at,), (torch.ones_like(at),))[1]
    assert (first(at).norm(dim=-1).numpy() <= bounds.first + 1e-14).all()
    assert (second.norm(dim=-1).numpy() <= bounds.second + 1e-14).all()
