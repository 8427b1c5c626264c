"""What each operation of torch does to jets, by its name in aten: the table that enclosures of modules stand on."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812, torch's own idiom

from subtx_toy.theory.taylor import layers
from subtx_toy.theory.taylor.arithmetic import (
    Number,
    add,
    as_jet,
    axes_of,
    divide,
    masked_fill,
    matrix_product,
    mean,
    multiply,
    power,
    subtract,
    total,
    with_bias,
)
from subtx_toy.theory.taylor.ball import Ball
from subtx_toy.theory.taylor.functions import FUNCTIONS, logsumexp, reciprocal, softmax, trigonometric
from subtx_toy.theory.taylor.jet import Jet, square


class Unbounded(Exception):  # noqa: N818, it is no error of the caller's
    """No enclosure is known, and the text says of which operation."""


def _pooled(name: str) -> Callable[..., Jet]:
    pool = getattr(torch.ops.aten, name)

    def pooled(x: Jet, *args: Any, **kwargs: Any) -> Jet:
        return x.mapped(lambda one: pool(one, *args, **kwargs), terms=math.prod(x.shape[1:]))

    return pooled


def _clamp(x: Jet, least: float | None = None, most: float | None = None) -> Jet:
    inside = (least is None or bool((x.value.low > least).all())) and (
        most is None or bool((x.value.high < most).all())
    )
    if not inside:
        raise ValueError("a kink is reached")
    return x


def _one_sided(x: Jet, slope: float) -> Jet:
    """Linear where the sign of x is settled; beyond a kink nothing is said."""
    resting = (x.value.size == 0) & (x.first.size == 0) & (x.second.size == 0)
    up, down = x.value.low > 0, x.value.high < 0
    if not bool((up | down | resting).all()):
        raise ValueError("a kink is reached")
    return x.scaled(torch.where(up, 1.0, slope).to(torch.float64))


def _log_softmax(x: Jet, dim: int, _half: bool = False) -> Jet:
    return subtract(x, logsumexp(x, dim, keepdim=True))


def _reduced(x: Jet, reduction: int) -> Jet:
    return x if reduction == 0 else mean(x) if reduction == 1 else total(x)


def _nll(x: Jet, target: Tensor, weight: Tensor | None, reduction: int, ignored: int) -> list[Any]:
    if weight is not None or bool((target == ignored).any()) or len(x.shape) != 2:
        raise ValueError("it has weights, or targets that are left out")
    return [_reduced(-x.each(lambda one: one.gather(1, target[:, None])[:, 0]), reduction), None]


def _moved(name: str) -> Callable[..., Any]:
    """What only moves or copies entries; of what gives several tensors, one jet for each."""
    operation = getattr(torch.ops.aten, name)

    def moved(x: Jet, *args: Any, **kwargs: Any) -> Any:
        pairs = ((operation(one.mid, *args, **kwargs), operation(one.rad, *args, **kwargs)) for one in x.balls)
        mids, rads = zip(*pairs, strict=True)
        if isinstance(mids[0], Tensor):
            return Jet(*map(Ball, mids, rads))
        return [
            Jet(*(Ball(mid[at], rad[at]) for mid, rad in zip(mids, rads, strict=True))) for at in range(len(mids[0]))
        ]

    return moved


def _joined(name: str) -> Callable[..., Jet]:
    operation = getattr(torch.ops.aten, name)

    def joined(pieces: Sequence[Number], dim: int = 0) -> Jet:
        jets = [as_jet(one).balls for one in pieces]
        return Jet(*(Ball(operation([one.mid for one in order], dim), operation([one.rad for one in order], dim))
                     for order in zip(*jets, strict=True)))  # fmt: skip

    return joined


def _padded(x: Jet, pad: Sequence[int], value: float = 0.0) -> Jet:
    found = x.each(lambda one: F.pad(one, list(pad)))
    if value:
        edge = F.pad(torch.zeros_like(x.value.mid), list(pad), value=float(value))
        found = found + Jet.constant(edge)
    return found


def _embedding(weight: Jet, indices: Tensor, *_how: Any) -> Jet:
    return weight.each(lambda one: one[indices])


OPERATIONS: dict[str, Callable[..., Any]] = {
    **{name: FUNCTIONS[name].of for name in ("tanh", "sigmoid", "erf", "atan", "exp", "log", "sqrt", "rsqrt")},
    **{
        name: _moved(name)
        for name in (
            "view", "_unsafe_view", "reshape", "transpose", "t", "permute", "expand", "slice", "select", "unsqueeze",
            "squeeze", "clone", "flip", "roll", "repeat", "alias", "unbind", "split", "split_with_sizes", "index",
            "index_select", "gather", "as_strided", "tril", "triu", "diagonal", "lift_fresh", "_reshape_alias",
            "unfold", "unsafe_split", "unsafe_chunk",
        )
    },
    **{name: _pooled(name) for name in ("avg_pool2d", "_adaptive_avg_pool2d", "avg_pool3d", "_adaptive_avg_pool3d")},
    **{name: matrix_product for name in ("mm", "bmm", "mv", "dot", "matmul")},
    **{name: _joined(name) for name in ("cat", "stack")},
    "add": add, "sub": subtract, "mul": multiply, "div": divide, "neg": lambda x: -x, "pow": power,
    "rsub": lambda a, b, alpha=1.0: subtract(b, multiply(a, float(alpha))),
    "square": square, "reciprocal": reciprocal, "addmm": with_bias, "convolution": layers.convolution,
    "sum": total, "mean": mean, "native_layer_norm": layers.layer_norm, "native_group_norm": layers.group_norm,
    "native_batch_norm": layers.batch_norm, "_native_batch_norm_legit_no_training":
        lambda x, w, b, mean, var, momentum, eps: layers.batch_norm(x, w, b, mean, var, False, momentum, eps),
    "_safe_softmax": lambda x, dim, **_dtype: softmax(x, dim),
    "masked_fill": masked_fill, "linalg_vector_norm": layers.vector_norm, "clamp_min": _clamp, "clamp": _clamp,
    "glu": layers.glu,
    "_weight_norm_interface": layers.weight_norm,
    "cumsum": lambda x, dim, **_dtype: x.mapped(lambda one: one.cumsum(dim), terms=x.shape[dim]),
    "_softmax": lambda x, dim, _half=False: softmax(x, dim), "_log_softmax": _log_softmax,
    "logsumexp": lambda x, dim, keepdim=False: logsumexp(x, axes_of(x, dim)[0], keepdim=keepdim),
    "gelu": layers.gelu, "silu": lambda x: x * FUNCTIONS["sigmoid"].of(x), "softplus": layers.softplus,
    "log_sigmoid_forward": lambda x: [-FUNCTIONS["softplus"].of(-x), None],
    "mish": lambda x: x * FUNCTIONS["tanh"].of(FUNCTIONS["softplus"].of(x)),
    "sin": lambda x: trigonometric("sin", x), "cos": lambda x: trigonometric("cos", x),
    "relu": lambda x: _one_sided(x, 0.0), "leaky_relu": lambda x, slope=0.01: _one_sided(x, float(slope)),
    "abs": lambda x: _one_sided(x, -1.0), "constant_pad_nd": _padded, "embedding": _embedding,
    "nll_loss_forward": _nll, "mse_loss": lambda a, b, reduction=1: _reduced(square(subtract(a, b)), reduction),
}  # fmt: skip
"""By name; each takes jets, or numbers and tensors that do not move, and gives a jet, or one for each result."""
