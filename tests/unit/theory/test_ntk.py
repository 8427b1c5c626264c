from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from subtx_toy.errors import InputError
from subtx_toy.problem.losses import kl, squared_error
from subtx_toy.problem.params import norm
from subtx_toy.theory import ntk
from subtx_toy.theory.alignment import exact_alignment
from subtx_toy.theory.curvature import curvature, dense_ggn, empirical_ntk
from subtx_toy.theory.linearization import dense_jacobian
from tests.reference.modules import FOREIGN, foreign_problem
from tests.reference.planted import GENERIC, SQUARED


@pytest.mark.parametrize("name", FOREIGN)
def test_the_kernels_form_gives_the_curvature_and_the_alignment(name: str) -> None:
    problem = foreign_problem(name, kl())
    kernel = ntk.transfer_kernel(problem)
    assert kernel.curvature == pytest.approx(float(curvature(problem)), rel=1e-10)
    assert kernel.alignment(0.3) == pytest.approx(exact_alignment(problem, 0.3), rel=1e-10)


def test_a_kernel_with_a_planted_error_gives_others() -> None:
    problem = foreign_problem("residual", kl())
    kernel = ntk.transfer_kernel(problem)
    planted = dataclasses.replace(kernel, block=1.01 * kernel.block)
    assert planted.curvature == pytest.approx(1.01**2 * float(curvature(problem)), rel=1e-10)


def test_products_and_eigenvalues_are_those_of_the_dense_kernel(monkeypatch: pytest.MonkeyPatch) -> None:
    problem = foreign_problem("transformer", squared_error())
    dense = empirical_ntk(problem)
    weights = torch.linspace(-1, 1, len(dense), dtype=torch.float64).view(6, -1)
    assert torch.allclose(ntk.ntk_product(problem, weights).flatten(), dense @ weights.flatten(), rtol=1e-10)
    wanted = torch.linalg.eigvalsh(dense).flip(0)
    values, residuals = ntk.ntk_eigenvalues(problem)
    assert torch.allclose(values[:8], wanted[:8], rtol=1e-9)
    assert not residuals.any()
    monkeypatch.setattr(ntk, "_MAX_JACOBIAN", 0)
    values, residuals = ntk.ntk_eigenvalues(problem, 3, num_steps=12)
    assert float((values - wanted[:3]).abs().max()) <= float(residuals.max()) + 1e-9 * float(wanted[0])


def test_with_squared_error_they_are_n_times_those_of_the_ggn() -> None:
    problem = SQUARED.build()
    values, _ = ntk.ntk_eigenvalues(problem, 5)
    wanted = np.linalg.eigvalsh(dense_ggn(problem).numpy())[::-1][:5]
    assert values.numpy() / len(problem.inputs) == pytest.approx(wanted, rel=1e-9)


@pytest.mark.parametrize("held", [2**26, 0])  # by two Jacobians, and column by column
def test_blocks_are_those_of_the_dense_kernel(held: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ntk, "_MAX_JACOBIAN", held)
    problem = foreign_problem("gru", kl())
    J = dense_jacobian(problem)
    found = ntk.kernel_block(problem, "class", "aux")
    assert torch.allclose(found, J[:, :3].flatten(0, 1) @ J[:, 3:].flatten(0, 1).T, rtol=1e-10, atol=1e-14)
    same = ntk.kernel_block(problem, [1], [1])
    assert torch.allclose(same, J[:, 1] @ J[:, 1].T, rtol=1e-10)


def test_the_coupling_is_zero_where_heads_share_nothing_and_at_most_one() -> None:
    problem = GENERIC.build()
    whole = ntk.cross_coupling(problem)
    assert 0 < whole.coupling < 1
    head = {"layers.2.weight", "layers.2.bias"}  # alone: rows of their own for each logit
    fixed = {name: value for name, value in problem.base_params.items() if name not in head}

    def model(params: dict[str, torch.Tensor], inputs: torch.Tensor) -> torch.Tensor:
        return problem.outputs({**fixed, **params}, inputs)

    alone = dataclasses.replace(
        problem,
        model=model,
        base_params={name: problem.base_params[name] for name in sorted(head, reverse=True)},
        teacher_update={},
    )
    assert float(norm(alone.teacher_update)) > 0
    assert ntk.cross_coupling(alone).class_aux == 0.0


def test_what_has_no_kernel_says_so() -> None:
    problem = GENERIC.build()
    moved = dataclasses.replace(problem, teacher_update=problem.base_params)
    with pytest.raises(InputError, match="expected minus the trait gradient"):
        ntk.transfer_kernel(moved)
    with pytest.raises(InputError, match="num_classes: expected an integer"):
        ntk.kernel_block(dataclasses.replace(foreign_problem("cnn", kl()), num_classes=None), "class", "aux")
    with pytest.raises(InputError, match="num: expected an integer >= 1"):
        ntk.ntk_eigenvalues(problem, 0)
    with pytest.raises(InputError, match=r"weights: expected shape \[7, 5\]"):
        ntk.ntk_product(problem, torch.zeros(3, 5, dtype=torch.float64))
