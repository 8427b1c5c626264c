from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from subtx_toy.problem.losses import Loss, kl, squared_error
from subtx_toy.problem.smooth_loss import smooth_loss
from subtx_toy.seeding import generator
from tests.reference.perceptrons import LOSSES


@pytest.mark.parametrize("named", [squared_error(), kl(0.5)], ids=lambda loss: loss.name)
def test_loss_by_automatic_differentiation_agrees_with_the_formulas(named: Loss) -> None:
    own = smooth_loss("own", lambda z, y: named.value_and_gradient(z, y)[0])
    rng = generator(0, "tests", "logits")
    z, y, v = (torch.from_numpy(rng.standard_normal((5, 4))) for _ in range(3))
    for ours, theirs in zip(own.value_and_gradient(z, y), named.value_and_gradient(z, y), strict=True):
        assert torch.allclose(ours, theirs, rtol=1e-12, atol=1e-14)
    assert torch.allclose(own.hessian_product(z, y, v), named.hessian_product(z, y, v), rtol=1e-11, atol=1e-14)


@given(seed=st.integers(0, 2**20), name=st.sampled_from(sorted(LOSSES)))
def test_every_loss_is_least_where_student_and_teacher_agree(seed: int, name: str) -> None:
    rng, loss = generator(seed, "tests", "logits"), LOSSES[name]
    y, v = (torch.from_numpy(rng.standard_normal((3, 4))) for _ in range(2))
    value, gradient = loss.value_and_gradient(y, y)
    assert value.abs().max() <= 1e-14
    assert gradient.abs().max() <= 1e-14
    assert (v * loss.hessian_product(y, y, v)).sum(-1).min() >= -1e-14
    assert loss.value_and_gradient(y + 0.1 * v, y)[0].min() >= 0
