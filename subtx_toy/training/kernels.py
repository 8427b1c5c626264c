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
    for a, d, b, e in zip(one.a[:-1], one.d[:-1], other.a[:-1], other.d[:-1], strict=True):
        term = torch.einsum("njh,mlh->njml", d, e).mul_(_of_inputs(a, b))
        found = term if found is None else found.add_(term)
    same = one.d[-1][0] @ other.d[-1][0].T  # 1 where j and l are one output of the network: only these share weights
    if found is None or same.any():
        last = same[:, None] * _of_inputs(one.a[-1], other.a[-1])
        found = last if found is None else found.add_(last)
    return found


def _of_inputs(a: Float[Tensor, "n h"], b: Float[Tensor, "m h"]) -> Float[Tensor, "n 1 m 1"]:
    return (a @ b.T + 1)[:, None, :, None]  # + 1 of the bias


def jacobian_product(one: Factors, other: Factors) -> float:
    """Return the sum over inputs, outputs and weights of the products of two Jacobians of one shape."""
    total = 0.0
    for a, d, b, e in zip(one.a, one.d, other.a, other.d, strict=True):
        total += float(((d * e).sum((1, 2)) * ((a * b).sum(1) + 1)).sum())
    return total


def cosine(a: Tensor, b: Tensor) -> float:
    """Return the cosine of two tensors of one shape."""
    return float((a * b).sum() / (a.norm() * b.norm()))


@dataclass(frozen=True)
class Kernels:
    """The factors of a network's class logits on some images and of its auxiliary ones on inputs, and their kernels."""

    of_class: Factors
    of_aux: Factors
    class_aux: Float[Tensor, "n c m a"]
    aux: Float[Tensor, "m a m a"]

    @classmethod
    def at(cls, model: MLP, params: Params, images: Float[Tensor, "n i"], inputs: Float[Tensor, "m i"]) -> Kernels:
        """Compute them: class logits are read on ``images``, auxiliary logits imitated on ``inputs``."""
        of_class, of_aux = factors(model, params, images, "class"), factors(model, params, inputs, "aux")
        return cls(of_class, of_aux, kernel(of_class, of_aux), kernel(of_aux, of_aux))


def compared(
    mine: Kernels, base: Kernels, *, moved: Float[Tensor, "m a"], read: Float[Tensor, "n c"]
) -> dict[str, float]:
    """Compare a student at its start with the teacher at its own.

    Args:
        mine: the student's kernels.
        base: the teacher's.
        moved: how the teacher's auxiliary logits changed on the inputs while it learned.
        read: how its class logits changed on the images.

    Returns:
        Cosines: ``class_aux_kernel`` and ``aux_kernel`` of the kernels, ``aux_jacobian`` of the Jacobians weight by
        weight, ``first_step`` of K ``moved``, the first step's change of the class logits, with ``read``, both less
        their mean over the classes.
    """
    lengths = jacobian_product(mine.of_aux, mine.of_aux) * jacobian_product(base.of_aux, base.of_aux)
    change = torch.einsum("njml,ml->nj", mine.class_aux, moved - moved.mean(1, keepdim=True))
    return {
        "class_aux_kernel": cosine(mine.class_aux, base.class_aux),
        "aux_kernel": cosine(mine.aux, base.aux),
        "aux_jacobian": jacobian_product(mine.of_aux, base.of_aux) / lengths**0.5,
        "first_step": cosine(change - change.mean(1, keepdim=True), read - read.mean(1, keepdim=True)),
    }
