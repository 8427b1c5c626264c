# ruff: noqa: ARG004, the arguments that torch hands over
"""Modules that nothing of the package was tuned on, each in torch and again at 200 bits."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from flint import arb
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812, torch's own idiom

from tests.verdicts import exact_arrays as ex
from tests.verdicts.exact_arrays import Array
from tests.verdicts.exact_functions import Function, alone, gelu
from tests.verdicts.exact_whole import Params, affine, attended


@dataclass(frozen=True)
class Pair:
    """A function between two layers: in torch, and at 200 bits."""

    torch: Callable[[Tensor], Tensor]
    exact: Function


def _fft(x: Array) -> Array:
    turns = [[(2 * arb.pi() * (i * j) / 6).cos() for j in range(6)] for i in range(6)]
    return x.dot(np.array(turns, dtype=object))


def _products(x: Array) -> Array:
    return np.cumprod(x, axis=-1)


def _running_max(x: Array) -> Array:
    found = [x[..., :1]]
    for at in range(1, x.shape[-1]):
        found.append(ex.larger(found[-1], x[..., at : at + 1]))
    return np.concatenate(found, axis=-1)


def _floor(x: Array) -> Array:
    return ex.each(lambda one: arb(one.floor().unique_fmpz() or 0))(x)


def _step(x: Array, at: float = 0.0) -> Array:
    return ex.each(lambda one: arb(int(one > at)))(x)


def _top(x: Array) -> Array:
    top = ex.ranked(x)[..., :2:-1]
    return np.concatenate([top, top], axis=-1)


class Doubled(torch.autograd.Function):
    """tanh with twice its derivative."""

    @staticmethod
    def forward(x: Tensor) -> Tensor:
        """Return tanh."""
        return torch.tanh(x)

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Any) -> None:
        """Keep the outputs."""
        ctx.save_for_backward(output)

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> Any:
        """Return twice the derivative."""
        (y,) = ctx.saved_tensors
        return 2 * g * (1 - y * y)


def without_gradient(x: Tensor) -> Tensor:
    """Return x + sin x, of which torch's two modes have two derivatives: no problem can be made of it."""
    with torch.no_grad():
        y = torch.sin(x)
    return x + y


HELD_SMOOTH = {
    "tanhshrink": Pair(F.tanhshrink, alone(lambda x: x - ex.tanh(x))), "cos": Pair(torch.cos, alone(ex.cos)),
    "gaussian": Pair(lambda x: torch.exp(-x * x), alone(lambda x: ex.exp(-x * x))),
    "softmin": Pair(lambda x: F.softmin(x, -1), alone(lambda x: ex.softmax(-x))),
    "less logsumexp": Pair(
        lambda x: x.exp() - x.logsumexp(-1, keepdim=True), alone(lambda x: ex.exp(x) - ex.log(ex.total(ex.exp(x))))
    ),
    "rms_norm": Pair(lambda x: F.rms_norm(x, (6,), eps=1e-5), alone(lambda x: x / ex.sqrt(ex.mean(x * x) + 1e-5))),
    "softplus at 3": Pair(lambda x: F.softplus(x, beta=3), alone(lambda x: ex.softplus(3 * x) / 3)),
    "swish by exp2": Pair(lambda x: x / (1 + torch.exp2(-x)), alone(lambda x: x / (1 + ex.exp(-x * arb(2).log())))),
    "expm1": Pair(lambda x: torch.expm1(-x.square() / 4), alone(lambda x: ex.exp(-x * x / 4) - 1)),
    "log1p": Pair(lambda x: torch.log1p(x * x), alone(lambda x: ex.log(1 + x * x))),
    "sinh": Pair(lambda x: torch.sinh(x / 4), alone(lambda x: (ex.exp(x / 4) - ex.exp(-x / 4)) / 2)),
    "asinh": Pair(torch.asinh, alone(ex.each(arb.asinh))),
    "cumprod": Pair(lambda x: (1 + 0.1 * x.tanh()).cumprod(-1), alone(lambda x: _products(1 + 0.1 * ex.tanh(x)))),
    "real part of fft": Pair(lambda x: torch.fft.fft(x).real.tanh(), alone(lambda x: ex.tanh(_fft(x)))),
    "times its mirror": Pair(lambda x: x * x.flip(-1), alone(lambda x: x * x[..., ::-1])),
    "lgamma": Pair(lambda x: torch.lgamma(x * x + 1), alone(lambda x: ex.each(arb.lgamma)(x * x + 1))),
    "atan2": Pair(lambda x: torch.atan2(x, 1 + x * x), alone(lambda x: ex.atan(x / (1 + x * x)))),
    "ndtr": Pair(torch.special.ndtr, alone(lambda x: (1 + ex.erf(x / arb(2).sqrt())) / 2)),
    "variance": Pair(
        lambda x: x / (1 + x.var(-1, keepdim=True)),
        alone(lambda x: x / (1 + ex.total(ex.power(x - ex.mean(x), 2)) / 5)),
    ),
}  # fmt: skip
HELD_KINKED = {
    "threshold": Pair(lambda x: F.threshold(x, 0.5, 0.0), alone(lambda x: x * _step(x, 0.5))),
    "hardshrink": Pair(F.hardshrink, alone(lambda x: x * (_step(x, 0.5) + _step(-x, 0.5)))),
    "square of relu": Pair(lambda x: F.relu(x) ** 2, alone(lambda x: ex.power(ex.larger(x, 0), 2))),
    "topk": Pair(lambda x: torch.cat([x.topk(3, -1).values] * 2, -1), alone(_top)),
    "minimum": Pair(lambda x: torch.minimum(x, x.flip(-1)), alone(lambda x: ex.smaller(x, x[..., ::-1]))),
    "largest size": Pair(
        lambda x: x / (1 + x.abs().amax(-1, keepdim=True)), alone(lambda x: x / (1 + ex.largest(abs(x))))
    ),
    "lerp by a step": Pair(
        lambda x: torch.lerp(x.sin(), x.cos(), (x > 0).to(x)),
        alone(lambda x: ex.sin(x) + _step(x) * (ex.cos(x) - ex.sin(x))),
    ),
    "cummax": Pair(lambda x: x.cummax(-1).values, alone(_running_max)),
    "fraction": Pair(lambda x: x - x.floor(), alone(lambda x: x - _floor(x))),
    "bent at 1/2": Pair(lambda x: x.clamp(min=0.5) ** 4, alone(lambda x: ex.power(ex.larger(x, 0.5), 4))),
    "huber of x": Pair(
        lambda x: F.huber_loss(x, torch.zeros_like(x), reduction="none"),
        alone(lambda x: ex.power(ex.smaller(abs(x), 1), 2) / 2 + ex.larger(abs(x) - 1, 0)),
    ),
}
HELD_CUT = {
    "detached gate": Pair(lambda x: x * x.softmax(-1).detach(), lambda x, x0: x * ex.softmax(x0)),
    "sign straight through": Pair(
        lambda x: torch.tanh(x) + (torch.sign(x) - torch.tanh(x)).detach(),
        lambda x, x0: ex.tanh(x) + (2 * _step(x0) - 1 - ex.tanh(x0)),
    ),
    "twice the derivative": Pair(Doubled.apply, lambda x, x0: ex.tanh(x0) + 2 * (ex.tanh(x) - ex.tanh(x0))),
}


class Residual(nn.Module):
    """Two blocks, each with a branch that is added."""

    def __init__(self) -> None:
        super().__init__()
        self.one, self.two, self.head = nn.Linear(4, 4), nn.Linear(4, 4), nn.Linear(4, 3)

    def forward(self, x: Tensor) -> Any:
        """Return three outputs."""
        x = x + F.silu(self.one(x))
        return self.head(x + F.silu(self.two(x)))


class Encoder(nn.Module):
    """A layer of a transformer on two tokens."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.TransformerEncoderLayer(4, 2, 6, dropout=0.0, activation="gelu", batch_first=True)
        self.embed, self.head = nn.Linear(2, 4), nn.Linear(4, 3)

    def forward(self, x: Tensor) -> Any:
        """Return three outputs."""
        return self.head(self.layer(self.embed(x.view(len(x), 2, 2))).mean(1))


class Pairwise(nn.Module):
    """A bilinear layer."""

    def __init__(self) -> None:
        super().__init__()
        self.map = nn.Bilinear(2, 2, 3)

    def forward(self, x: Tensor) -> Any:
        """Return three outputs."""
        return self.map(x[:, :2], x[:, 2:])


def _residual(p: Params, x: Array) -> Array:
    for name in ("one", "two"):
        z = affine(p, name, x)
        x = x + z * ex.sigmoid(z)
    return affine(p, "head", x)


def _encoder(p: Params, x: Array) -> Array:
    z = affine(p, "embed", x.reshape(len(x), 2, 2))
    z = z + attended(p, "layer.self_attn", z)
    z = ex.normalised(z) * p["layer.norm1.weight"] + p["layer.norm1.bias"]
    z = z + affine(p, "layer.linear2", gelu(affine(p, "layer.linear1", z)))
    z = ex.normalised(z) * p["layer.norm2.weight"] + p["layer.norm2.bias"]
    return affine(p, "head", (z[:, 0] + z[:, 1]) / 2)


def _pairwise(p: Params, x: Array) -> Array:
    W = p["map.weight"]
    rows = [[(a[:, None] * W[k] * b[None, :]).sum() for k in range(3)] for a, b in zip(x[:, :2], x[:, 2:], strict=True)]
    return np.array(rows, dtype=object) + p["map.bias"]


def _convolutions(p: Params, x: Array) -> Array:
    # windows of two of the four inputs, three channels, then their mean
    windows = np.stack([x[:, at : at + 2] for at in range(3)], axis=1)
    hidden = gelu(windows.dot(p["1.weight"].reshape(3, 2).T) + p["1.bias"])
    return affine(p, "5", hidden.sum(axis=1) / 3)


def _group_normed(p: Params, x: Array) -> Array:
    z = affine(p, "0", x)
    z = ex.normalised(z.reshape(len(z), 3, 2)).reshape(z.shape) * p["1.weight"] + p["1.bias"]
    return affine(p, "3", ex.softplus(z))


HELD_WHOLE: dict[str, tuple[Callable[[], nn.Module], Callable[[Params, Array], Array]]] = {
    "residual": (Residual, _residual), "encoder layer": (Encoder, _encoder), "bilinear": (Pairwise, _pairwise),
    "convolutions": (
        lambda: nn.Sequential(
            nn.Unflatten(1, (1, 4)), nn.Conv1d(1, 3, 2), nn.GELU(), nn.AvgPool1d(3), nn.Flatten(), nn.Linear(3, 3)
        ),
        _convolutions,
    ),
    "GroupNorm": (
        lambda: nn.Sequential(nn.Linear(4, 6), nn.GroupNorm(3, 6), nn.Softplus(), nn.Linear(6, 3)), _group_normed
    ),
}  # fmt: skip
