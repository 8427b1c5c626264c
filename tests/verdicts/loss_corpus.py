"""Losses, each with whether it is, smoothly, least where student and teacher agree: known from its formula."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812, torch's own idiom

from subtx_toy.problem.losses import Loss, kl, scaled, squared_error
from subtx_toy.problem.smooth_loss import cosine_distance, probability_squared_error, reverse_kl, smooth_loss


def _softmax(z: Tensor) -> Tensor:
    return z.softmax(-1)


def _jensen_shannon(z: Tensor, y: Tensor) -> Tensor:
    q, p = _softmax(z), _softmax(y)
    m = (q + p) / 2
    return (q * (q.log() - m.log()) + p * (p.log() - m.log())).sum(-1) / 2


def _renyi(z: Tensor, y: Tensor) -> Tensor:
    return -2 * torch.logsumexp((z.log_softmax(-1) + y.log_softmax(-1)) / 2, -1)


def _centred(z: Tensor) -> Tensor:
    return z - z.mean(-1, keepdim=True)


_half_gap = Loss("kl", "logits", lambda z, y: (0.5 * ((z - y) ** 2).sum(-1), z - y), lambda _z, _y, v: v)
_wrong_gradient = Loss("mine", "logits", lambda z, y: (((z - y) ** 2).sum(-1), z - y), lambda _z, _y, v: v)
_wrong_hessian = Loss("mine", "logits", lambda z, y: (0.5 * ((z - y) ** 2).sum(-1), z - y), lambda _z, _y, v: 2 * v)

TRUE = {
    "kl": kl(), "kl at 4": kl(4.0), "squared error": squared_error(), "twice kl": scaled(kl(), 2.0),
    "reverse kl": reverse_kl(2.0), "squared error of probabilities": probability_squared_error(),
    "cosine distance": cosine_distance(), "named kl, is squared error": _half_gap,
    "huber": smooth_loss("huber", lambda z, y: F.huber_loss(z, y, reduction="none").sum(-1)),
    "log cosh": smooth_loss("mine", lambda z, y: torch.log(torch.cosh(z - y)).sum(-1)),
    "Jensen-Shannon": smooth_loss("mine", _jensen_shannon), "Renyi at 1/2": smooth_loss("mine", _renyi),
    "cross-entropy of soft labels": smooth_loss("mine", lambda z, y: -(_softmax(y) * z.log_softmax(-1)).sum(-1)),
    "Bregman of exp": smooth_loss("mine", lambda z, y: (torch.exp(z - y) - (z - y) - 1).sum(-1)),
    "weighted by the target": smooth_loss("mine", lambda z, y: (y.exp() * (z - y) ** 2).sum(-1)),
    "weighted by the student": smooth_loss("mine", lambda z, y: (z.exp() * (z - y) ** 2).sum(-1)),
    "Hellinger": smooth_loss("mine", lambda z, y: ((_softmax(z).sqrt() - _softmax(y).sqrt()) ** 2).sum(-1)),
    "correlation": smooth_loss("mine", lambda z, y: 1 - F.cosine_similarity(_centred(z), _centred(y), -1)),
    "Charbonnier": smooth_loss("mine", lambda z, y: (((z - y) ** 2).sum(-1) + 1e-2).sqrt()),
    "quartic": smooth_loss("mine", lambda z, y: ((z - y) ** 4).sum(-1)),
    "cubic": smooth_loss("mine", lambda z, y: (z - y).abs().pow(3).sum(-1)),
}  # fmt: skip
FALSE = {
    "l1": smooth_loss("mine", lambda z, y: (z - y).abs().sum(-1)),
    "power 3/2": smooth_loss("mine", lambda z, y: (z - y).abs().pow(1.5).sum(-1)),
    "power 5/2": smooth_loss("mine", lambda z, y: (z - y).abs().pow(2.5).sum(-1)),
    "distance": smooth_loss("mine", lambda z, y: ((z - y) ** 2).sum(-1).sqrt()),
    "hotter student": smooth_loss("mine", lambda z, y: -(_softmax(y) * (z / 2).log_softmax(-1)).sum(-1)),
    "repulsive": scaled(squared_error(), -1.0),
    "offset": smooth_loss("mine", lambda z, y: ((z - y - 0.1) ** 2).sum(-1)),
    "saddle": smooth_loss("mine", lambda z, y: ((z - y) ** 2).sum(-1) - 3 * (z - y)[:, 0] ** 2),
    "divided by n": smooth_loss("mine", lambda z, y: ((z - y) ** 2).sum(-1) / len(z)),
    "one number": smooth_loss("mine", lambda z, y: ((z - y) ** 2).mean()),
    "batch statistics": smooth_loss("mine", lambda z, y: ((z - z.mean(0) - y + y.mean(0)) ** 2).sum(-1)),
    "wrong gradient": _wrong_gradient, "wrong Hessian": _wrong_hessian,
    "argmax labels": smooth_loss("mine", lambda z, y: F.cross_entropy(z, y.argmax(-1), reduction="none")),
    "two terms of kl": smooth_loss(
        "mine", lambda z, y: (_softmax(y) * (y.log_softmax(-1) - z.log_softmax(-1)))[:, :2].sum(-1)
    ),
}  # fmt: skip
