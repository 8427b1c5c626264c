"""A distillation loss from its value alone; gradient and Hessian follow by automatic differentiation."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch
from jaxtyping import Float
from torch import Tensor

from subtx_toy.problem.losses import Loss
from subtx_toy.settings.arguments import FUNCTION, TEXT, checked, number

Value = Callable[[Float[Tensor, "n k"], Float[Tensor, "n k"]], Float[Tensor, " n"]]


@checked(name=TEXT, value=FUNCTION._replace(expected="a function value(z, y) of logits [n, k], one number per input"))
def smooth_loss(name: str, value: Value) -> Loss:
    """Build a ``Loss`` on logits from ``value(z, y)``, which returns one number per input ``[n]``.

    For the one-step claims ``value`` has to be three times continuously differentiable and least over ``z`` at
    ``z = y`` (claim C7c: then its output Hessian there is positive semi-definite and equals minus its mixed
    derivative); neither is checked here. Input i's value may depend on row i only. The value can be differentiated
    again by ``torch.autograd``, the gradient not; neither inside ``torch.func``'s transforms.
    """
    return Loss(name, "logits", _Differentiated(value), partial(_hessian_product, value), by_row=True)


# Plain automatic differentiation: torch.func's transforms give the same numbers, an order of magnitude slower on
# tensors of this size.
@dataclass(frozen=True)
class _Differentiated:
    value: Value

    @torch.enable_grad()
    def __call__(self, z: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        leaf = z.detach().requires_grad_()
        values = self.value(leaf, y)
        slope = _slope(values, leaf, create_graph=False).detach()
        return self.value(z, y) if z.requires_grad else values.detach(), slope


def _slope(values: Tensor, leaf: Tensor, *, create_graph: bool) -> Tensor:
    total = values.sum()
    if not total.requires_grad:  # constant in z
        return torch.zeros_like(leaf)
    (slope,) = torch.autograd.grad(total, leaf, create_graph=create_graph, allow_unused=True, materialize_grads=True)
    return slope


@torch.enable_grad()
def _hessian_product(value: Value, z: Tensor, y: Tensor, v: Tensor) -> Tensor:
    # The Hessian is symmetric: M v is the gradient of <dl/dz, v>.
    leaf = z.detach().requires_grad_()
    slope = _slope(value(leaf, y.detach()), leaf, create_graph=True)
    if not slope.requires_grad:  # linear in z
        return torch.zeros_like(v)
    (Mv,) = torch.autograd.grad((slope * v).sum(), leaf, allow_unused=True, materialize_grads=True)
    return Mv


@checked(temperature=number("> 0"))
def reverse_kl(temperature: float = 1.0) -> Loss:
    """Build KL(student || teacher) between softmaxes at ``temperature``; targets are the teacher's logits."""

    def value(z: Tensor, y: Tensor) -> Tensor:
        log_q = torch.log_softmax(z / temperature, dim=-1)
        log_p = torch.log_softmax(y / temperature, dim=-1)
        return (log_q.exp() * (log_q - log_p)).sum(-1)

    return smooth_loss("reverse_kl", value)


@checked(temperature=number("> 0"))
def probability_squared_error(temperature: float = 1.0) -> Loss:
    """Build l(z, y) = 1/2 ||softmax(z / tau) - softmax(y / tau)||^2."""

    def value(z: Tensor, y: Tensor) -> Tensor:
        gap = torch.softmax(z / temperature, dim=-1) - torch.softmax(y / temperature, dim=-1)
        return 0.5 * (gap**2).sum(-1)

    return smooth_loss("probability_squared_error", value)


def cosine_distance() -> Loss:
    """Build l(z, y) = 1 - cos(z, y) on raw logits."""
    return smooth_loss("cosine_distance", lambda z, y: 1 - torch.cosine_similarity(z, y, dim=-1, eps=1e-300))
