"""Two more divergences between softmaxes: reverse KL, and Jensen and Shannon's."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from subtx_toy.problem.losses import Loss

_Values = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]


def reverse_kl() -> Loss:
    """Build KL(student || teacher), l(z, y) = sum_j q_j (log q_j - log p_j) with q = softmax(z), p = softmax(y).

    Output gradient q (r - sum q r), r = log q - log p.
    """
    return _loss("reverse_kl", _reverse_kl)


def jensen_shannon() -> Loss:
    """Build the mean of KL(p || m) and KL(q || m), m the mean of q = softmax(z) and p = softmax(y).

    Output gradient q (r - sum q r) / 2, r = log q - log m. Reference: Lin 1991, IEEE Trans. Inf. Theory 37, 145.
    """
    return _loss("jensen_shannon", _jensen_shannon)


def _loss(name: str, values: _Values) -> Loss:
    def hessian_product(z: Tensor, y: Tensor, v: Tensor) -> Tensor:
        product: Tensor = torch.func.jvp(lambda at: values(at, y)[1], (z,), (v,))[1]
        return product

    return Loss(name, "logits", values, hessian_product, by_row=True)


def _logs(z: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    return torch.log_softmax(z, -1), torch.log_softmax(y, -1)


def _reverse_kl(z: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    log_q, log_p = _logs(z, y)
    q, ratio = log_q.exp(), log_q - log_p
    value = (q * ratio).sum(-1)
    return value, q * (ratio - value[..., None])


def _jensen_shannon(z: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    log_q, log_p = _logs(z, y)
    log_m = torch.logaddexp(log_q, log_p) - torch.log(torch.tensor(2.0, dtype=z.dtype))
    q, ratio = log_q.exp(), log_q - log_m
    inner = (q * ratio).sum(-1)
    return 0.5 * (inner + (log_p.exp() * (log_p - log_m)).sum(-1)), 0.5 * q * (ratio - inner[..., None])
