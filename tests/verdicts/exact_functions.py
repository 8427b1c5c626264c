"""The functions between two layers, written again at 200 bits.

Each takes ``x`` and ``x0``, its input at the shared initialisation: what torch detaches depends on ``x0``. With ``x0``
held still, the derivative in ``x`` is the one that automatic differentiation takes; with ``x0 = x`` it is the true one.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from flint import arb

from tests.verdicts import exact_arrays as ex
from tests.verdicts.exact_arrays import Array

Function = Callable[[Array, Array], Array]


def alone(function: Callable[[Array], Array]) -> Function:
    """Return a function that detaches nothing."""
    return lambda x, _x0: function(x)


def undetached(function: Function) -> Callable[[Array], Array]:
    """Return the function that its outputs are of."""
    return lambda x: function(x, x)


def gelu(x: Array) -> Array:
    """Return x times the normal distribution function of x."""
    return x * (1 + ex.erf(x / arb(2).sqrt())) / 2


def _gelu_tanh(x: Array) -> Array:
    return x * (1 + ex.tanh((2 / arb.pi()).sqrt() * (x + 0.044715 * ex.power(x, 3)))) / 2


def _elu(x: Array, scale: float = 1.0, alpha: float = 1.0) -> Array:
    return scale * (ex.larger(x, 0) + ex.smaller(alpha * (ex.exp(ex.smaller(x, 0)) - 1), 0))


def _groups(x: Array) -> Array:
    return ex.normalised(x.reshape(len(x), 2, 3)).reshape(x.shape)


def _pooled(x: Array, value: float) -> list[Array]:
    wide = ex.padded(x, value)
    return [wide[..., start : start + x.shape[-1]] for start in range(3)]


def _glu(x: Array) -> Array:
    half = x[..., :3] * ex.sigmoid(x[..., 3:])
    return np.concatenate([half, half], axis=-1)


def _stable(x: Array) -> Array:
    return ex.softmax(x - ex.largest(x))


def _chosen(test: Callable[[arb], bool], yes: Callable[[Array], Array], no: Callable[[Array], Array]) -> Function:
    return alone(lambda x: np.where(np.vectorize(test, otypes=[bool])(x), yes(x), no(x)))


SIXTH = float(torch.func.grad(torch.nn.functional.hardsigmoid)(torch.tensor(0.25, dtype=torch.float64)))
"""The slope of torch's hardsigmoid in float64, read from torch: in 2.13 it is the float32 that is nearest to 1/6."""


def _hardsigmoid(x: Array, x0: Array) -> Array:
    inside = ex.clamp(x0 + 3, 0, 6)
    return inside / 6 + SIXTH * (ex.clamp(x + 3, 0, 6) - inside)


PRELU = alone(lambda x: ex.larger(x, 0.25 * x))
"""At the slope that its parameter begins with."""

SELU = (1.0507009873554805, 1.6732632423543772)
"""Scale and alpha of Klambauer et al. 2017, arXiv:1706.02515."""

FUNCTIONS: dict[str, Function] = {name: alone(function) for name, function in {
    "tanh": ex.tanh, "gelu": gelu, "gelu tanh": _gelu_tanh, "silu": lambda x: x * ex.sigmoid(x),
    "mish": lambda x: x * ex.tanh(ex.softplus(x)), "softplus": ex.softplus, "sigmoid": ex.sigmoid,
    "logsigmoid": lambda x: -ex.softplus(-x), "sin": ex.sin, "exp": lambda x: ex.exp(x / 2),
    "square": lambda x: x * x, "erf": ex.erf, "atan": ex.atan, "rsqrt": lambda x: 1 / ex.sqrt(x * x + 0.1),
    "sqrt": lambda x: ex.sqrt(x * x + 1), "softmax": ex.softmax, "log_softmax": lambda x: ex.log(ex.softmax(x)),
    "layer_norm": ex.normalised, "group_norm": _groups, "normalize": lambda x: x / ex.larger(ex.norm(x), 1e-12),
    "where of one function": ex.tanh, "clamp far away": lambda x: ex.clamp(x, -1e6, 1e6), "stable softmax": _stable,
    "log cosh by abs": lambda x: ex.log(ex.exp(x) + ex.exp(-x)), "cube of abs": lambda x: ex.power(abs(x), 3),
    "cube of clamp": lambda x: ex.power(ex.larger(x, 0), 3), "glu": _glu,
    "cumsum": lambda x: ex.tanh(np.cumsum(x, axis=-1)), "avg_pool": lambda x: ex.tanh(sum(_pooled(x, 0.0)) / 3),
    "outer": lambda x: x * ex.mean(x), "own function": ex.tanh, "detached constant": lambda x: ex.tanh(x) + 1,
    "linear": lambda x: x, "sum of squares in the mean": lambda x: x - ex.mean(x),
    "polynomial": lambda x: x + 0.1 * ex.power(x, 3), "dropout in eval": ex.tanh,
    "roll": lambda x: np.roll(ex.tanh(x), 1, axis=-1),
    "relu": lambda x: ex.larger(x, 0), "nn.ReLU": lambda x: ex.larger(x, 0),
    "leaky_relu": lambda x: ex.larger(x, 0.01 * x), "elu": _elu, "selu": lambda x: _elu(x, *SELU), "celu": _elu,
    "hardtanh": lambda x: ex.clamp(x, -1, 1), "hardswish": lambda x: x * ex.clamp(x + 3, 0, 6) / 6,
"softshrink": lambda x: x - ex.clamp(x, -0.5, 0.5),
    "relu6": lambda x: ex.clamp(x, 0, 6), "abs": abs, "softsign": lambda x: x / (1 + abs(x)),
    "relu by where": lambda x: ex.larger(x, 0), "relu by a mask": lambda x: ex.larger(x, 0),
    "relu by clamp": lambda x: ex.larger(x, 0), "clamp": lambda x: ex.clamp(x, -1, 1),
    "maximum": lambda x: ex.larger(x, 0.1 * x), "sort": ex.ranked, "x abs(x)": lambda x: x * abs(x),
    "relu by abs": lambda x: (x + abs(x)) / 2, "l1 norm": lambda x: x / (1 + ex.total(abs(x))),
    "max_pool": lambda x: ex.larger(ex.larger(*_pooled(x, -1e300)[:2]), _pooled(x, -1e300)[2]),
    "max": lambda x: x + ex.largest(x), "median": lambda x: x - ex.ranked(x)[..., 2:3],
    "1e9 + Wx - 1e9": lambda x: (10**9 + ex.tanh(x)) - 10**9, "outputs of 1e150": lambda x: 1e150 * ex.tanh(x),
    "kl at 1e8": ex.tanh,
}.items()} | {
    "hardsigmoid": _hardsigmoid, "branches": _chosen(lambda one: one > 0.2, lambda x: x * x, ex.sin),
    "Python's if": alone(lambda x: ex.tanh(x) if x.sum() > 0 else ex.sin(x)),
    "detached branch": lambda x, x0: ex.tanh(x) + x0, "detached factor": lambda x, x0: ex.tanh(x) * ex.sigmoid(x0),
    "straight through": lambda x, x0: ex.tanh(x0) + (x - x0), "detached norm": lambda x, x0: x / ex.norm(x0),
    "rounded straight through": lambda x, x0: x + (ex.each(lambda one: (8 * one + 0.5).floor() / 8)(x0) - x0),
    "hidden in numpy": lambda x, x0: x + x0 * x0,
}  # fmt: skip
"""By the names of the corpus; ``prelu``, which has a parameter, stands with the whole modules."""
