"""Reverse KL, Jensen and Shannon's divergence, and anchored losses: values by hand, derivatives by autograd."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from subtx_toy.problem.anchored import anchored
from subtx_toy.problem.divergences import jensen_shannon, reverse_kl
from subtx_toy.problem.losses import Loss, kl, squared_error
from subtx_toy.seeding import generator
from subtx_toy.tolerances import FP64_FORMULA
from tests.reference.closeness import assert_close

LOSSES = {one.name: one for one in (reverse_kl(), jensen_shannon(), anchored(kl(), 2, 0.7))}
ANCHORS = {"corridor": anchored(kl(), 2, 0.7, width=0.5), "kl": anchored(kl(), 2, 0.7, by_kl=True)}


def drawn() -> tuple[Tensor, Tensor, Tensor]:
    rng = generator(0, "tests", "divergences")
    z, y, v = (torch.from_numpy(2 * rng.standard_normal((6, 5))) for _ in range(3))
    return z, y, v


def by_hand(name: str, z: Tensor, y: Tensor) -> list[float]:
    found = []
    for one, other in zip(z, y, strict=True):
        q, p = torch.softmax(one, 0).tolist(), torch.softmax(other, 0).tolist()
        if name == "reverse_kl":
            found.append(sum(a * math.log(a / b) for a, b in zip(q, p, strict=True)))
        elif name == "jensen_shannon":
            halves = (
                0.5 * (a * math.log(2 * a / (a + b)) + b * math.log(2 * b / (a + b))) for a, b in zip(q, p, strict=True)
            )
            found.append(sum(halves))
        else:
            q, p = torch.softmax(one[2:], 0).tolist(), torch.softmax(other[2:], 0).tolist()
            found.append(sum(b * math.log(b / a) for a, b in zip(q, p, strict=True)))
            found[-1] += 0.35 * float((one[:2] - other[:2]).square().sum())
    return found


@pytest.mark.parametrize("loss", LOSSES.values(), ids=LOSSES)
def test_values_and_derivatives(loss: Loss) -> None:
    z, y, v = drawn()
    value, gradient = loss.value_and_gradient(z, y)
    assert_close(value, torch.tensor(by_hand(loss.name, z, y), dtype=torch.float64), FP64_FORMULA)
    leaf = z.clone().requires_grad_()
    (slope,) = torch.autograd.grad(loss.value_and_gradient(leaf, y)[0].sum(), leaf, create_graph=True)
    assert_close(gradient, slope, FP64_FORMULA)
    (product,) = torch.autograd.grad((slope * v).sum(), leaf)
    assert_close(loss.hessian_product(z, y, v), product, FP64_FORMULA)
    with pytest.raises(AssertionError):  # another loss has other values
        assert_close(value, squared_error().value_and_gradient(z, y)[0], FP64_FORMULA)


def test_a_corridor_leaves_small_changes_free_and_an_anchor_by_kl_is_kl() -> None:
    z, y, _ = drawn()
    rest = kl().value_and_gradient(z[:, 2:], y[:, 2:])[0]
    beyond = ((z - y)[:, :2].abs() - 0.5).clamp_min(0)
    assert_close(ANCHORS["corridor"].value_and_gradient(z, y)[0], rest + 0.35 * beyond.square().sum(1), FP64_FORMULA)
    own = kl().value_and_gradient(z[:, :2], y[:, :2])[0]
    assert_close(ANCHORS["kl"].value_and_gradient(z, y)[0], rest + 0.7 * own, FP64_FORMULA)
    near = torch.cat([y[:, :2] + 0.4, z[:, 2:]], 1)
    assert float(ANCHORS["corridor"].value_and_gradient(near, y)[1][:, :2].abs().max()) == 0.0


@pytest.mark.parametrize("name", ANCHORS)
def test_an_anchors_derivatives_are_those_of_its_values(name: str) -> None:
    z, y, v = drawn()
    loss = ANCHORS[name]
    slope = torch.func.grad(lambda at: loss.value_and_gradient(at, y)[0].sum())
    assert_close(loss.value_and_gradient(z, y)[1], slope(z), FP64_FORMULA)
    assert_close(loss.hessian_product(z, y, v), torch.func.jvp(slope, (z,), (v,))[1], FP64_FORMULA)
