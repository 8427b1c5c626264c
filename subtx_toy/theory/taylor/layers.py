"""What layers do to jets: convolutions, normalisations, activations of several operations."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from subtx_toy.theory.taylor.arithmetic import Number, add, as_jet, mean, multiply, subtract, total
from subtx_toy.theory.taylor.functions import FUNCTIONS, reciprocal
from subtx_toy.theory.taylor.jet import Jet, product, square


def vector_norm(x: Jet, order: float = 2.0, dim: Any = None, keepdim: bool = False, **_dtype: Any) -> Jet:
    """Return the Euclidean norms over axes, of vectors that are not zero."""
    if order != 2:
        raise ValueError(f"its order is {order}")
    return FUNCTIONS["sqrt"].of(total(square(x), dim, keepdim))


def glu(x: Jet, dim: int = -1) -> Jet:
    """Return the first half times the sigmoid of the second."""
    halves = [x.each(lambda one, at=at: one.chunk(2, dim)[at]) for at in (0, 1)]  # type: ignore[misc]
    return halves[0] * FUNCTIONS["sigmoid"].of(halves[1])


def weight_norm(v: Number, g: Number, dim: int = 0) -> list[Any]:
    """Return the rows v of a weight with norms g."""
    direction = as_jet(v)
    axes = [one for one in range(len(direction.shape)) if one != dim % len(direction.shape)]
    return [multiply(direction, multiply(g, reciprocal(vector_norm(direction, 2.0, axes, True)))), None]


def convolution(
    x: Number, weight: Number, bias: Number | None, stride: Any, padding: Any, dilation: Any, transposed: bool,
    output_padding: Any, groups: int,
) -> Jet:  # fmt: skip
    """Return a convolution, transposed or not."""
    inputs, kernel = as_jet(x), as_jet(weight)

    def convolve(a: Tensor, b: Tensor) -> Tensor:
        found: Tensor = torch.convolution(a, b, None, stride, padding, dilation, transposed, output_padding, groups)
        return found

    terms = math.prod(kernel.shape[2:]) * (kernel.shape[0] // groups if transposed else kernel.shape[1])
    found = product(convolve, inputs, kernel, terms=terms)
    if bias is None:
        return found
    return add(found, as_jet(bias).each(lambda one: one.reshape(-1, *[1] * (len(found.shape) - 2))))


def normalised(x: Jet, axes: list[int], eps: float) -> Jet:
    """Return (x - mean) / sqrt(variance + eps) over axes."""
    centred = subtract(x, mean(x, axes, True))
    return multiply(centred, FUNCTIONS["rsqrt"].of(add(mean(square(centred), axes, True), eps)))


def layer_norm(x: Jet, shape: Sequence[int], weight: Number | None, bias: Number | None, eps: float) -> list[Any]:
    """Return the normalised last axes, scaled and shifted."""
    jet = as_jet(x)
    found = normalised(jet, list(range(len(jet.shape) - len(shape), len(jet.shape))), eps)
    found = found if weight is None else multiply(found, weight)
    return [found if bias is None else add(found, bias), None, None]


def group_norm(
    x: Jet, weight: Number | None, bias: Number | None, n: int, _channels: int, _size: int, groups: int, eps: float
) -> list[Any]:
    """Return the normalised groups of channels, scaled and shifted."""
    jet = as_jet(x)
    found = normalised(jet.each(lambda one: one.reshape(n, groups, -1)), [2], eps)
    found = found.each(lambda one: one.reshape(jet.shape))
    return [affine(found, weight, bias), None, None]


def affine(x: Jet, weight: Number | None, bias: Number | None) -> Jet:
    """Return x scaled and shifted for each channel."""
    shape = (-1, *[1] * (len(x.shape) - 2))
    for map_, one in ((multiply, weight), (add, bias)):
        if one is not None:
            x = map_(x, as_jet(one).each(lambda part: part.reshape(shape)))
    return x


def batch_norm(
    x: Jet, weight: Number | None, bias: Number | None, mean: Tensor, var: Tensor, training: bool, _momentum: float,
    eps: float, *_rest: Any,
) -> list[Any]:  # fmt: skip
    """Return x normalised by running statistics."""
    if training:
        raise ValueError("it uses statistics of the batch")
    jet = as_jet(x)
    shape = (-1, *[1] * (len(jet.shape) - 2))
    scale = FUNCTIONS["rsqrt"].of(add(as_jet(var.reshape(shape)), eps))
    return [affine(multiply(subtract(jet, mean.reshape(shape)), scale), weight, bias), None, None]


def gelu(x: Jet, *, approximate: str = "none") -> Jet:
    """Return x Phi(x), or torch's approximation of it by tanh."""
    if approximate == "none":
        return FUNCTIONS["gelu"].of(x)
    inner = (x + (square(x) * x).scaled(0.044715)).scaled(math.sqrt(2 / math.pi))
    return x * (FUNCTIONS["tanh"].of(inner) + as_jet(1.0).each(lambda one: one.expand(x.shape))).scaled(0.5)


def softplus(x: Jet, beta: int | float = 1.0, threshold: int | float = 20.0) -> Jet:
    """Return log(1 + exp(beta x)) / beta, below the threshold from which torch takes x."""
    if threshold != 20.0:
        raise ValueError(f"its threshold is {threshold}")
    return FUNCTIONS["softplus"].of(x.scaled(float(beta))).scaled(1 / beta)
