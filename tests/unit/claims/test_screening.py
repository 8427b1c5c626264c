"""Evidence of a stack is the evidence that automatic differentiation gives on each of its problems."""

from __future__ import annotations

import itertools

import pytest
import torch

from subtx_toy.claims.screening import STACK, screened
from subtx_toy.claims.vocabulary.evidence import Evidence
from subtx_toy.theory import perceptron as batched
from subtx_toy.tolerances import TERMS_ROUNDING
from subtx_toy.training import perceptron as training


@pytest.mark.parametrize("group", range(4))
def test_every_quantity_of_a_stack_is_that_of_the_single_route(group: int) -> None:
    for spec, found in itertools.islice(screened(4 * STACK, seed=1), group * STACK, group * STACK + 6):
        wanted = Evidence(spec.build(), seed=spec.seed)
        eps, rounding = wanted.problem.eps, 1e-15 * TERMS_ROUNDING
        assert pytest.approx(wanted.V, rel=1e-9, abs=rounding) == found.V
        for at in (eps, 2 * eps):
            floor = wanted.alignment_rounding(at)
            assert abs(found.alignment(at) - wanted.alignment(at)) <= floor
            assert abs(found.ray.alignment(at) - wanted.ray.alignment(at)) <= floor
            assert float((found.update(at) - wanted.update(at)).norm()) <= wanted.update_rounding
        assert found.update_norm(eps) == pytest.approx(float(found.update(eps).norm()), rel=1e-12)
        assert torch.allclose(found.G_dT, wanted.G_dT, rtol=1e-8, atol=rounding * wanted.dT_norm)


def test_the_first_problems_do_not_depend_on_how_many_there_are() -> None:
    few, many = ([spec for spec, _ in screened(num, seed=3)] for num in (STACK + 2, 2 * STACK))
    assert len(few) == STACK + 2
    assert few == many[: STACK + 2]


def test_what_no_bound_asks_for_is_not_computed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(training, "observe")
    monkeypatch.delattr(batched, "ggn_products")
    assert all(evidence.V >= 0 for _, evidence in screened(4, seed=0))
