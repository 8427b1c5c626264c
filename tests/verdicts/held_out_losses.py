"""Losses and bounds that nothing of the package was tuned on; losses in torch and again at 200 bits."""

from __future__ import annotations

import numpy as np
from torch import Tensor, relu
from torch.nn import functional as F  # noqa: N812, torch's own idiom

from subtx_toy.problem.losses import Loss, kl
from subtx_toy.problem.smooth_loss import Value, smooth_loss
from tests.verdicts import exact_arrays as ex
from tests.verdicts.bound_corpus import Sides
from tests.verdicts.exact_arrays import Array
from tests.verdicts.exact_losses import ExactLoss, gaps, kl_terms
from tests.verdicts.exact_losses import Value as ExactValue
from tests.verdicts.exact_losses import kl as exact_kl

_WEIGHTS = (1.0, 3.0, 0.5, 2.0)


def _weighted(z: Tensor, y: Tensor) -> Tensor:
    return (z.new_tensor(_WEIGHTS) * (z - y) ** 2).sum(-1)


def _symmetric(z: Tensor, y: Tensor) -> Tensor:
    return ((z.softmax(-1) - y.softmax(-1)) * (z.log_softmax(-1) - y.log_softmax(-1))).sum(-1)


def _log_norm(z: Array) -> Array:
    return ex.log(ex.norm(z))[:, 0]


def _smoothed(z: Array, y: Array) -> Array:
    return -((0.9 * ex.softmax(y) + 0.1 / 4) * ex.log(ex.softmax(z))).sum(-1)


def pair(value: Value, exact: ExactValue) -> tuple[Loss, ExactLoss]:
    """Return a loss by its value, in torch and at 200 bits."""
    return smooth_loss("mine", value), ExactLoss(exact)


HELD_TRUE: dict[str, tuple[Loss, ExactLoss]] = {
    "kl at 0.3": (kl(0.3), exact_kl(0.3)),
    "symmetric kl": pair(
        _symmetric, lambda z, y: (kl_terms(z, y) + kl_terms(y, z)).sum(-1)
    ),
    "Cauchy": pair(lambda z, y: ((z - y) ** 2).log1p().sum(-1), gaps(lambda u: ex.log(1 + ex.power(u, 2))).value),
    "weights": pair(_weighted, lambda z, y: (np.array(_WEIGHTS, dtype=object) * ex.power(z - y, 2)).sum(-1)),
    "squared error of tanh": pair(
        lambda z, y: ((z.tanh() - y.tanh()) ** 2).sum(-1), lambda z, y: ex.power(ex.tanh(z) - ex.tanh(y), 2).sum(-1)
    ),
    "Itakura-Saito of exp": pair(
        lambda z, y: ((y - z).exp() - (y - z) - 1).sum(-1), gaps(lambda u: ex.exp(-u) + u - 1).value
    ),
    "chi squared": pair(
        lambda z, y: ((z.softmax(-1) - y.softmax(-1)) ** 2 / y.softmax(-1)).sum(-1),
        lambda z, y: (ex.power(ex.softmax(z) - ex.softmax(y), 2) / ex.softmax(y)).sum(-1),
    ),
    "squared error of log-probabilities": pair(
        lambda z, y: ((z.log_softmax(-1) - y.log_softmax(-1)) ** 2).sum(-1),
        lambda z, y: ex.power(ex.log(ex.softmax(z)) - ex.log(ex.softmax(y)), 2).sum(-1),
    ),
    "square and sixth power": pair(
        lambda z, y: ((z - y) ** 2 + (z - y) ** 6).sum(-1), gaps(lambda u: ex.power(u, 2) + ex.power(u, 6)).value
    ),
    "cosh": pair(lambda z, y: ((z - y).cosh() - 1).sum(-1), gaps(lambda u: (ex.exp(u) + ex.exp(-u)) / 2 - 1).value),
    "one part in ten is not seen": pair(
        lambda z, y: (relu((z - y).abs() - 0.1) ** 2).sum(-1),
        gaps(lambda u: ex.power(ex.larger(abs(u) - 0.1, 0), 2)).value,
    ),
    "ratio of norms": pair(
        lambda z, y: (z.norm(dim=-1).log() - y.norm(dim=-1).log()) ** 2,
        lambda z, y: ex.power(_log_norm(z) - _log_norm(y), 2),
    ),
    "clipped": pair(
        lambda z, y: ((z - y).clamp(-1, 1) ** 2).sum(-1), gaps(lambda u: ex.power(ex.clamp(u, -1, 1), 2)).value
    ),
}  # fmt: skip
HELD_FALSE: dict[str, tuple[Loss, ExactLoss]] = {
    "quantile": pair(
        lambda z, y: (0.7 * relu(z - y) + 0.3 * relu(y - z)).sum(-1),
        gaps(lambda u: 0.7 * ex.larger(u, 0) + 0.3 * ex.larger(-u, 0)).value,
    ),
    "smoothed labels": pair(
        lambda z, y: -((0.9 * y.softmax(-1) + 0.1 / 4) * z.log_softmax(-1)).sum(-1), _smoothed
    ),
    "squared hinge": pair(
        lambda z, y: (relu(z - y) ** 2).sum(-1), gaps(lambda u: ex.power(ex.larger(u, 0), 2)).value
    ),
    "largest square": pair(
        lambda z, y: ((z - y) ** 2).amax(-1), lambda z, y: ex.largest(ex.power(z - y, 2))[:, 0]
    ),
    "rounded target": pair(
        lambda z, y: ((z - (8 * y).round() / 8) ** 2).sum(-1),
        lambda z, y: ex.power(z - ex.each(lambda one: (8 * one + 0.5).floor() / 8)(y), 2).sum(-1),
    ),
    "less its mean": pair(
        lambda z, y: ((z - y) ** 2).sum(-1) - ((z - y) ** 2).sum(-1).mean(),
        lambda z, y: (one := ex.power(z - y, 2).sum(-1)) - one.sum() / len(one),
    ),
    "negative entropy": pair(
        lambda z, y: (z.softmax(-1) * z.log_softmax(-1)).sum(-1) + 0 * y.sum(-1),
        lambda z, y: (ex.softmax(z) * ex.log(ex.softmax(z))).sum(-1) + 0 * y.sum(-1),
    ),
    "elastic": pair(
        lambda z, y: ((z - y) ** 2 + 1e-3 * (z - y).abs()).sum(-1),
        gaps(lambda u: ex.power(u, 2) + 1e-3 * abs(u)).value,
    ),
    "smooth l1 of 1e-6": pair(
        lambda z, y: F.smooth_l1_loss(z, 1.000001 * y, reduction="none").sum(-1),
        lambda z, y: _smooth_l1(z - 1.000001 * y).sum(-1),
    ),
}  # fmt: skip


def _smooth_l1(u: Array) -> Array:
    return ex.power(ex.smaller(abs(u), 1), 2) / 2 + ex.larger(abs(u) - 1, 0)


BOUNDS_TRUE: dict[str, Sides] = {
    "a^2 <= |dS|^2 |dT|^2": lambda q: (q.a**2, q.dS_norm**2 * q.dT_norm**2),
    "|a| <= (eps |G dT| + |R|) |dT|": lambda q: (abs(q.a), (q.eps * q.G_norm + q.remainder) * q.dT_norm),
    "V <= (|G dT|^2 + |dT|^2) / 2": lambda q: (q.V, (q.G_norm**2 + q.dT_norm**2) / 2),
    "|dS|^2 <= 2 eps^2 |G dT|^2 + 2 |R|^2": lambda q: (
        q.dS_norm**2, 2 * q.eps**2 * q.G_norm**2 + 2 * q.remainder**2
    ),
    "eps V - |R| |dT| <= a": lambda q: (q.eps * q.V - q.remainder * q.dT_norm, q.a),
    "V <= mean |v|^2 / tau^2 + |R|": lambda q: (q.V, q.v2 / q.tau**2 + q.remainder),
    "V / (1 + V) <= 1": lambda q: (q.V / (1 + q.V), 1.0),
    "V + |dT| - |dT| <= V": lambda q: (q.V + q.dT_norm - q.dT_norm, q.V),
}  # fmt: skip
BOUNDS_FALSE: dict[str, Sides] = {
    "|R| <= 0.01 eps |G dT|": lambda q: (q.remainder, 0.01 * q.eps * q.G_norm),
    "|R| <= eps^2 |dT|": lambda q: (q.remainder, q.eps**2 * q.dT_norm),
    "2 V <= |G dT| |dT|": lambda q: (2 * q.V, q.G_norm * q.dT_norm),
    "V <= 0.9 mean |v|^2 / tau^2": lambda q: (q.V, 0.9 * q.v2 / q.tau**2),
    "a <= 1.001 eps V": lambda q: (q.a, 1.001 * q.eps * q.V),
    "|G dT| <= 10 |dT|": lambda q: (q.G_norm, 10 * q.dT_norm),
    "|dS|^2 <= |dT|": lambda q: (q.dS_norm**2, q.dT_norm),
    "eps V <= |dS|": lambda q: (q.eps * q.V, q.dS_norm),
    "V <= n |dT|^2": lambda q: (q.V, q.n * q.dT_norm**2),
}
