"""The observed end of a ray, and the plane of both step sizes: nothing unconfirmed is told."""

from __future__ import annotations

import numpy as np
import pytest

from paper_figs.drawings import step_size_boundary as plane
from subtx_toy.certify import observed as module
from subtx_toy.certify.description import Description, describe
from subtx_toy.certify.observed import PlainQuantity, observe
from subtx_toy.problem.spec import ProblemSpec


@pytest.fixture(scope="module")
def described() -> Description:
    return describe(ProblemSpec(input_dim=3, hidden=(4,), num_classes=3, num_aux=2, loss="kl").build())


def crossing_at(root: float) -> type:
    class Line(PlainQuantity):
        def __init__(self, *_: object) -> None:
            pass

        def __call__(self, eps: float) -> float:
            return root - eps

    return Line


@pytest.mark.parametrize("root", [3.3e-6, 0.2, 17.0])
def test_a_change_of_sign_is_closed_in_on_whatever_its_size(
    root: float, described: Description, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PlainQuantity", crossing_at(root))
    monkeypatch.setattr(module, "_sign", lambda _d, eps: int(np.sign(root - eps)))
    found = observe(described, start=0.0, cap=100.0 * root)
    assert found.eps == pytest.approx(root, rel=1e-10)


def test_a_change_that_exact_arithmetic_does_not_see_is_told_as_unconfirmed(
    described: Description, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PlainQuantity", crossing_at(1.0))
    monkeypatch.setattr(module, "_sign", lambda _d, eps: int(np.sign(1.001 - eps)))
    found = observe(described, start=0.0, cap=1.0005)
    assert found.eps is None
    assert "not confirmed at 160 bits" in found.reason


def test_the_arithmetic_is_tested_before_a_plane_is_proved(
    described: Description, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken() -> None:
        raise ArithmeticError("products are off")

    monkeypatch.setattr(plane, "check_products", broken)
    with pytest.raises(ArithmeticError, match="products are off"):
        plane.boundary(described, [0.1], max_boxes=10)
