"""Sums, products, powers and means of jets, broadcast as torch does it."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from subtx_toy.theory.taylor.ball import Ball
from subtx_toy.theory.taylor.functions import FUNCTIONS, reciprocal
from subtx_toy.theory.taylor.jet import Jet, product, square

Number = Jet | Tensor | float | int


def as_jet(value: Number) -> Jet:
    """Return a jet as it is, and of a number or a tensor the jet of what does not move."""
    if isinstance(value, Jet):
        return value
    dtype = torch.float64
    return Jet.constant(value.to(dtype) if isinstance(value, Tensor) else torch.tensor(float(value), dtype=dtype))


def broadcast(*values: Number) -> list[Jet]:
    """Return jets of one shape."""
    jets = [as_jet(one) for one in values]
    shape = torch.broadcast_shapes(  # type: ignore[no-untyped-call]
        *(one.shape for one in jets)
    )
    return [one if one.shape == shape else one.each(lambda part: part.expand(shape)) for one in jets]


def add(a: Number, b: Number, *, alpha: float = 1.0) -> Jet:
    """Return a + alpha b; entries of -inf in b, as of attention masks, stay."""
    if isinstance(a, Jet) and isinstance(b, Tensor) and bool(torch.isneginf(b).any()):  # a mask of attention
        left_out = torch.isneginf(b)
        return masked_fill(add(a, b.masked_fill(left_out, 0.0), alpha=alpha), left_out, -math.inf)
    x, y = broadcast(a, b)
    return x + (y if alpha == 1.0 else y.scaled(float(alpha)))


def masked_fill(x: Jet, mask: Tensor, value: Number) -> Jet:
    """Return x with a constant where the mask is."""
    shape = torch.broadcast_shapes(  # type: ignore[no-untyped-call]
        x.shape, mask.shape
    )
    x, mask = x.each(lambda one: one.expand(shape)), mask.expand(shape)
    zeros = [one.each(lambda part: part.masked_fill(mask, 0.0)) for one in x.balls]
    return Jet(Ball(zeros[0].mid.masked_fill(mask, float(value)), zeros[0].rad), zeros[1], zeros[2])  # type: ignore[arg-type]


def subtract(a: Number, b: Number, *, alpha: float = 1.0) -> Jet:
    """Return a - alpha b."""
    return add(a, -as_jet(b), alpha=alpha)


def multiply(a: Number, b: Number) -> Jet:
    """Return the products, entry by entry."""
    for x, factor in ((a, b), (b, a)):
        if isinstance(x, Jet) and isinstance(factor, float | int):
            return x.scaled(float(factor))
        if isinstance(x, Jet) and isinstance(factor, Tensor):
            one, _ = broadcast(x, factor)
            return one.scaled(factor.to(torch.float64))
    x, y = broadcast(a, b)
    return x * y


def divide(a: Number, b: Number, *, rounding_mode: str | None = None) -> Jet:
    """Return a / b, b of one sign."""
    if rounding_mode is not None:
        raise ValueError("it rounds")
    return multiply(a, reciprocal(as_jet(b)))


def power(x: Jet, exponent: int | float) -> Jet:
    """Return x to a fixed power: an integer, or plus or minus a half."""
    if exponent == 1:
        return x
    if exponent == 2:
        return square(x)
    if exponent in (-0.5, 0.5):
        return FUNCTIONS["rsqrt" if exponent < 0 else "sqrt"].of(x)
    if exponent != int(exponent):
        raise ValueError(f"the exponent is {exponent}")
    if exponent < 0:
        return reciprocal(power(x, -exponent))
    if exponent == 0:
        return Jet.constant(torch.ones_like(x.value.mid))
    rest = power(x, exponent - exponent // 2)
    return power(x, exponent // 2) * rest


def matrix_product(a: Number, b: Number) -> Jet:
    """Return the product of matrices, batches of them or vectors."""
    x, y = as_jet(a), as_jet(b)
    return product(torch.matmul, x, y, terms=x.shape[-1])


def with_bias(bias: Number, a: Number, b: Number, *, beta: float = 1.0, alpha: float = 1.0) -> Jet:
    """Return beta bias + alpha a b."""
    return add(multiply(bias, float(beta)), matrix_product(a, b), alpha=alpha)


def axes_of(x: Jet, dim: Any) -> list[int]:
    """Return axes as numbers >= 0, all of them by default."""
    dims = list(range(len(x.shape))) if dim is None or dim == [] else [dim] if isinstance(dim, int) else list(dim)
    return [one % max(len(x.shape), 1) for one in dims]


def total(x: Jet, dim: Any = None, keepdim: bool = False, **_dtype: Any) -> Jet:
    """Return the sums over axes."""
    axes = axes_of(x, dim)
    if not axes:
        return x
    return x.mapped(lambda one: one.sum(axes, keepdim=keepdim), terms=math.prod(x.shape[axis] for axis in axes))


def mean(x: Jet, dim: Any = None, keepdim: bool = False, **_dtype: Any) -> Jet:
    """Return the means over axes."""
    return total(x, dim, keepdim).scaled(1 / math.prod(x.shape[axis] for axis in axes_of(x, dim)))
