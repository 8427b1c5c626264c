"""Tangent kernels of a perceptron between the class logits of some inputs and the auxiliary logits of others.

A step of imitation with residual r on auxiliary logits moves the class logits by K r, K = J_class J_aux^T. Two networks
with the same K move alike, whatever their weights. Everything here follows from the gradients of the hidden layers, and
no Jacobian is built. Reference: Jacot et al. 2018, arXiv:1806.07572.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F  # noqa: N812, torch's own idiom

from subtx_toy.problem.model import MLP
from subtx_toy.problem.params import Params


@dataclass(frozen=True)
class Factors:
    """By layer: its inputs ``a`` ``[n, h]``, and the derivatives ``d`` ``[n, k, h']`` of the outputs in what it gives.

    The derivative of output j of input n in a weight matrix is the outer product of d[n, j] and a[n].
    """

    a: list[Tensor]
    d: list[Tensor]


def factors(model: MLP, params: Params, x: Float[Tensor, "n i"], outputs: str) -> Factors:
    """Return the factors of the Jacobian of some ``outputs`` at ``params``."""
    inputs, slopes = [x], []
    for layer in range(model.num_layers - 1):
        z = F.linear(inputs[-1], params[f"layers.{layer}.weight"], params[f"layers.{layer}.bias"])
        inputs.append(model.activation.apply(z))
        slopes.append(model.activation.derivative_over(z.clone(), inputs[-1]))
    columns = model.columns(outputs)
    d = torch.eye(model.num_outputs, dtype=x.dtype)[columns].expand(len(x), -1, -1)
    back = [d]
    for layer in range(model.num_layers - 1, 0, -1):
        d = (d @ params[f"layers.{layer}.weight"]) * slopes[layer - 1][:, None]
        back.append(d)
    return Factors(inputs, back[::-1])


def kernel(one: Factors, other: Factors) -> Float[Tensor, "n k m l"]:
    """Return K[n, j, m, l], the inner product of the gradients of output j at input n and output l at input m."""
    found: Tensor | None = None
    for a, d, b, e in zip(one.a, one.d, other.a, other.d, strict=True):
        term = torch.einsum("njh,mlh->njml", d, e) * (a @ b.T + 1)[:, None, :, None]  # + 1 of the bias
        found = term if found is None else found + term
    assert found is not None
    return found


def jacobian_product(one: Factors, other: Factors) -> float:
    """Return the sum over inputs, outputs and weights of the products of two Jacobians of one shape."""
    total = 0.0
    for a, d, b, e in zip(one.a, one.d, other.a, other.d, strict=True):
        total += float(((d * e).sum((1, 2)) * ((a * b).sum(1) + 1)).sum())
    return total


def cosine(a: Tensor, b: Tensor) -> float:
    """Return the cosine of two tensors of one shape."""
    return float((a * b).sum() / (a.norm() * b.norm()))


def compared(
    model: MLP, own: Params, base: Params, *, images: Float[Tensor, "n i"], inputs: Float[Tensor, "m i"],
    moved: Float[Tensor, "m a"], read: Float[Tensor, "n c"], base_model: MLP,
) -> dict[str, float]:  # fmt: skip
    """Compare a student at its start with the teacher at its own.

    Args:
        model: the student's.
        own: its parameters.
        base: the teacher's.
        images: where class logits are read.
        inputs: where auxiliary logits are imitated.
        moved: how the teacher's auxiliary logits changed on ``inputs`` while it learned.
        read: how its class logits changed on ``images``.
        base_model: the teacher's.

    Returns:
        Cosines: ``class_aux_kernel`` and ``aux_kernel`` of the kernels, ``aux_jacobian`` of the Jacobians weight by
        weight, ``first_step`` of K ``moved``, the first step's change of the class logits, with ``read``, both less
        their mean over the classes.
    """
    mine_class, mine_aux = factors(model, own, images, "class"), factors(model, own, inputs, "aux")
    base_class, base_aux = factors(base_model, base, images, "class"), factors(base_model, base, inputs, "aux")
    mine, theirs = kernel(mine_class, mine_aux), kernel(base_class, base_aux)
    lengths = jacobian_product(mine_aux, mine_aux) * jacobian_product(base_aux, base_aux)
    change = torch.einsum("njml,ml->nj", mine, moved - moved.mean(1, keepdim=True))
    return {
        "class_aux_kernel": cosine(mine, theirs),
        "aux_kernel": cosine(kernel(mine_aux, mine_aux), kernel(base_aux, base_aux)),
        "aux_jacobian": jacobian_product(mine_aux, base_aux) / lengths**0.5,
        "first_step": cosine(change - change.mean(1, keepdim=True), read - read.mean(1, keepdim=True)),
    }
