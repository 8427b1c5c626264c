"""Kernels from layer-wise factors against dense Jacobians."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from subtx_toy.problem.model import MLP
from subtx_toy.problem.params import Params
from subtx_toy.seeding import generator
from subtx_toy.tolerances import FP64_FORMULA
from subtx_toy.training import kernels
from tests.reference.closeness import assert_close

MODEL = MLP((4, 6, 5, 7), "tanh", num_classes=3)


def drawn(seed: int) -> Params:
    return MODEL.initial(generator(seed, "tests", "kernels"))


def inputs(seed: int, num: int) -> Tensor:
    return torch.from_numpy(generator(seed, "tests", "kernel inputs").standard_normal((num, 4)))


def dense(params: Params, x: Tensor, outputs: str) -> Tensor:
    """Return the Jacobian ``[n, k, p]``."""
    found = torch.func.jacrev(lambda leaves: MODEL.apply(leaves, x)[:, MODEL.columns(outputs)])(dict(params))
    return torch.cat([one.flatten(2) for one in found.values()], dim=2)


@pytest.mark.parametrize("outputs", ["class", "aux"])
def test_a_kernel_is_the_product_of_the_jacobians(outputs: str) -> None:
    x, z, params, other = inputs(0, 3), inputs(1, 2), drawn(0), drawn(1)
    ours = kernels.kernel(kernels.factors(MODEL, params, x, "class"), kernels.factors(MODEL, other, z, outputs))
    theirs = torch.einsum("njp,mlp->njml", dense(params, x, "class"), dense(other, z, outputs))
    assert_close(ours, theirs, FP64_FORMULA)


def test_a_product_of_jacobians_is_the_dense_one() -> None:
    x, a, b = inputs(0, 3), drawn(0), drawn(1)
    ours = kernels.jacobian_product(kernels.factors(MODEL, a, x, "aux"), kernels.factors(MODEL, b, x, "aux"))
    theirs = (dense(a, x, "aux") * dense(b, x, "aux")).sum()
    assert_close(torch.tensor(ours, dtype=torch.float64), theirs, FP64_FORMULA)


def compared(own: Params) -> dict[str, float]:
    rng = generator(0, "tests", "kernel changes")
    moved, read = (torch.from_numpy(rng.standard_normal(shape)) for shape in ((2, 4), (3, 3)))
    mine, base = (kernels.Kernels.at(MODEL, params, inputs(0, 3), inputs(1, 2)) for params in (own, drawn(0)))
    return kernels.compared(mine, base, moved=moved, read=read)


def test_the_teachers_own_start_has_its_kernels_and_another_has_not() -> None:
    same, other = compared(drawn(0)), compared(drawn(1))
    for name in ("class_aux_kernel", "aux_kernel", "aux_jacobian"):
        assert same[name] == pytest.approx(1, abs=FP64_FORMULA)
        assert abs(other[name]) < 0.9


def test_a_permuted_twin_has_the_kernels_but_not_the_jacobian() -> None:
    from subtx_toy.problem.initialisations import permuted_units

    twin = compared(permuted_units(MODEL, drawn(0), generator(3, "tests", "twin")))
    assert twin["class_aux_kernel"] == pytest.approx(1, abs=FP64_FORMULA)
    assert twin["aux_kernel"] == pytest.approx(1, abs=FP64_FORMULA)
    assert twin["aux_jacobian"] < 0.9
