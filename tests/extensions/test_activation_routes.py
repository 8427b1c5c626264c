"""An activation from outside the package is bounded by the theory, certified, and proved again by the checker."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch
from flint import arb

from subtx_toy.api.certify import certify, check
from subtx_toy.certify import activations as certified
from subtx_toy.certify.checker.units import UNITS
from subtx_toy.theory import activations as theory
from subtx_toy.theory.closed_form import closed_form_eps
from subtx_toy.theory.curvature import curvature
from subtx_toy.theory.observed_eps import observed_eps
from subtx_toy.training.gradient_step import observe
from tests.reference.finite_differences import central_jacobian, dense_output_hessian, ggn_from

FILE = Path(__file__).parents[2] / "examples" / "own_activation.py"
TABLES = (theory.ACTIVATIONS, certified.ACTIVATIONS, UNITS)


@pytest.fixture
def example(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """The example, in every table for one test."""
    kept = [dict(table) for table in TABLES]
    spec = importlib.util.spec_from_file_location("own_activation", FILE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "own_activation", module)
    spec.loader.exec_module(module)
    yield module
    for table, before in zip(TABLES, kept, strict=True):
        table.clear()  # type: ignore[attr-defined]
        table.update(before)  # type: ignore[attr-defined]


def test_its_forms_agree(example: ModuleType) -> None:
    z = torch.linspace(-9, 9, 1801).double().requires_grad_()
    a = example.SWISH.apply(z)
    (slope,) = torch.autograd.grad(a.sum(), z, create_graph=True)
    (bend,) = torch.autograd.grad(slope.sum(), z)
    known = certified.ACTIVATIONS["swish"]
    np.testing.assert_allclose(known.value(z.detach().numpy()), a.detach(), atol=1e-14)
    np.testing.assert_allclose(known.slope(z.detach().numpy()), slope.detach(), atol=1e-14)
    assert (slope.abs() <= example.BOUNDS.slope).all()
    assert (bend.abs() <= example.BOUNDS.bend).all()
    for at, first, half in zip(z.tolist(), slope.tolist(), (bend / 2).tolist(), strict=True):
        found = UNITS["swish"].slopes(arb(at))
        assert abs(float(found[0].mid()) - first) < 1e-13
        assert abs(float(found[1].mid()) - half) < 1e-13


def test_training_and_theory_agree_on_it(example: ModuleType) -> None:
    problem = example.problem()
    J, M = central_jacobian(problem), dense_output_hessian(problem)
    update = torch.cat([value.flatten() for value in problem.teacher_update.values()]).numpy()
    V = float(curvature(problem))
    assert pytest.approx(float(update @ ggn_from(J, M) @ update), rel=1e-6) == V
    assert observe(problem, 1e-6).alignment == pytest.approx(1e-6 * V, rel=1e-4)
    closed, seen = closed_form_eps(problem).eps, observed_eps(problem)
    assert closed is not None
    assert 0 < closed <= (seen.cap if seen.eps is None else seen.eps)
    assert seen.unconfirmed == ""


@pytest.mark.parametrize("quantity", ["every-batch", "trait-loss"])
def test_a_certificate_with_it_is_proved_again(example: ModuleType, quantity: str, tmp_path: Path) -> None:
    found = certify(example.problem(), quantity, max_boxes=40)
    assert found.boxes
    found.save(tmp_path / "it.cert")
    assert check(tmp_path / "it.cert", problem=example.problem())
    del UNITS["swish"]
    verdict = check(tmp_path / "it.cert")
    assert verdict.reason.startswith("the activation 'swish' is not known to this checker, only tanh, sigmoid,")


def test_without_an_entry_each_route_says_what_is_missing(example: ModuleType) -> None:
    problem = example.problem()
    del theory.ACTIVATIONS["swish"], certified.ACTIVATIONS["swish"]
    found = closed_form_eps(problem)  # without its table, the range is proved from the operations that run
    assert found.eps is not None
    assert found.reason == ""
    with pytest.raises(ValueError, match=r"model: expected an activation of tanh, .*, got 'swish'"):
        certify(problem)


def test_the_example_is_short() -> None:
    assert len(FILE.read_text().splitlines()) <= 80
