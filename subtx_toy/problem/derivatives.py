"""Products with a model's Jacobian by whatever its operations have: forward mode, reverse mode twice, or row by row."""

from __future__ import annotations

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor

from subtx_toy.problem.params import Params

MAX_ROWS = 4096
"""Outputs of a Jacobian that is taken row by row, a backward pass each."""

Function = Callable[[Params], Tensor]


def jacobian_product(function: Function, params: Params, update: Params) -> tuple[Float[Tensor, "n k"], ...]:
    """Return the outputs and J ``update``, without graphs.

    Forward mode takes one pass. Some operations lack it, such as weight_norm's and EmbeddingBag's: there J v is the
    derivative of J^T w in w, and where that is missing too, each row of J is multiplied with v.

    Raises:
        RuntimeError: of torch, if the outputs cannot even be differentiated backwards.
    """
    try:
        outputs, Jv = torch.func.jvp(function, (params,), (update,))[:2]
    except (RuntimeError, NotImplementedError):
        outputs, Jv = _by_reverse_mode(function, params, update)
    return outputs.detach(), Jv.detach()


def pull_back(function: Function, params: Params) -> tuple[Float[Tensor, "n k"], Callable[[Tensor], Params]]:
    """Return the outputs and the map from weights ``[n, k]`` to J^T weights; the reverse pass is traced once."""
    try:
        outputs, transposed = torch.func.vjp(function, params)[:2]
    except (RuntimeError, NotImplementedError):
        leaves, kept = traced(function, params)
        outputs = kept.detach()

        def transposed(weights: Tensor) -> tuple[Params]:
            return (_slopes(kept, leaves, weights, retain_graph=True),)

    return outputs, lambda weights: transposed(weights)[0]


def _by_reverse_mode(function: Function, params: Params, update: Params) -> tuple[Tensor, Tensor]:
    leaves, outputs = traced(function, params)
    weights = torch.zeros_like(outputs, requires_grad=True)
    try:
        Jtw = _slopes(outputs, leaves, weights, create_graph=True)
        product = torch.stack([(Jtw[name] * update[name]).sum() for name in leaves]).sum()
        (Jv,) = torch.autograd.grad(product, weights, retain_graph=True)
    except (RuntimeError, NotImplementedError):
        if outputs.numel() > MAX_ROWS:
            raise
        rows = [_slopes(one, leaves, None, retain_graph=True) for one in outputs.flatten()]
        found = [sum((row[name] * update[name]).sum() for name in leaves) for row in rows]
        Jv = torch.stack([torch.as_tensor(one) for one in found]).view_as(outputs)
    return outputs, Jv


@torch.enable_grad()
def traced(function: Function, params: Params) -> tuple[Params, Tensor]:
    """Return copies of the parameters that torch follows, and the outputs at them."""
    leaves = {name: value.detach().clone().requires_grad_() for name, value in params.items()}
    return leaves, function(leaves)


def _slopes(outputs: Tensor, leaves: Params, weights: Tensor | None, **how: bool) -> Params:
    found = torch.autograd.grad(
        outputs, list(leaves.values()), weights, allow_unused=True, materialize_grads=True, **how
    )
    return dict(zip(leaves, found, strict=True))
