"""Matrix products of the stacked engine: in the precision of their operands, or with operands in bfloat16.

A product of two bfloat16 numbers is a float32 without rounding. Processors that multiply them add the products up in
float32 and round the sum to bfloat16; elsewhere float32 products of rounded operands do the same, up to the order of
summation. Hidden layers of a gate such as ReLU, which rounds nothing itself, are kept in bfloat16 too.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from subtx_toy.problem.activations import Activation


class Products:
    """Products of matrices or of stacks by numpy's OpenBLAS: 8-20 % faster than torch's MKL here on an AMD core."""

    name = "in the operands' precision"

    def stored(self, activation: Activation, dtype: torch.dtype) -> torch.dtype:
        """Return what hidden layers are kept in between the products of a model in ``dtype``."""
        del activation
        return dtype

    def operand(self, key: str, value: Tensor) -> Tensor:
        """Return ``value`` as a product takes it; valid until the next call with this ``key``."""
        del key
        return value

    def write(self, a: Tensor, b: Tensor, out: Tensor) -> None:
        """Write the product of two operands, or of each pair of two stacks, to ``out``."""
        # Kernels may raise the flag for lanes beyond the matrices: the result is right, numpy's warning is not.
        with np.errstate(invalid="ignore"):
            np.matmul(a.numpy(), b.numpy(), out=out.numpy())


class _LowProducts(Products):
    # Buffers are kept by name and shape: those of a full batch and of an epoch's last one.
    def __init__(self) -> None:
        self._buffers: dict[tuple[str, tuple[int, ...], torch.dtype], Tensor] = {}

    def _buffer(self, key: str, like: Tensor, dtype: torch.dtype) -> Tensor:
        at = (key, tuple(like.shape), dtype)
        if at not in self._buffers:
            self._buffers[at] = torch.empty(like.shape, dtype=dtype)
        return self._buffers[at]

    def stored(self, activation: Activation, dtype: torch.dtype) -> torch.dtype:
        """Return bfloat16 where the activation is a gate, which rounds nothing itself."""
        return torch.bfloat16 if activation.gate else dtype


class RoundedProducts(_LowProducts):
    """Operands and results rounded to bfloat16; operands are held in float32, results as the caller keeps them."""

    name = "float32 products of rounded operands"

    def operand(self, key: str, value: Tensor) -> Tensor:
        """Return ``value`` rounded; valid until the next call with this ``key`` and shape."""
        if value.dtype != torch.bfloat16:
            value = self._buffer(key, value, torch.bfloat16).copy_(value)
        return self._buffer(key, value, torch.float32).copy_(value)

    def write(self, a: Tensor, b: Tensor, out: Tensor) -> None:
        """Write the rounded products of two operands to ``out``."""
        full = self._buffer("out", out, torch.float32)
        super().write(a, b, full)
        out.copy_(full if out.dtype == torch.bfloat16 else self._buffer("out", out, torch.bfloat16).copy_(full))


class Bfloat16Products(_LowProducts):
    """Operands in bfloat16, multiplied by torch."""

    name = "bfloat16 products"

    def operand(self, key: str, value: Tensor) -> Tensor:
        """Return ``value`` itself if it is in bfloat16, else a copy, valid until the next call with this ``key``."""
        return value if value.dtype == torch.bfloat16 else self._buffer(key, value, torch.bfloat16).copy_(value)

    def write(self, a: Tensor, b: Tensor, out: Tensor) -> None:
        """Write the products of two operands to ``out``, in bfloat16 or rounded to it."""
        multiply = torch.mm if a.dim() == 2 else torch.bmm
        if out.dtype == torch.bfloat16:
            multiply(a, b, out=out)
        else:
            out.copy_(multiply(a, b, out=self._buffer("out", out, torch.bfloat16)))


def multiplies_bfloat16() -> bool:
    """Tell whether this processor has instructions for products of bfloat16."""
    return bool(torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported())


def products(precision: str) -> Products:
    """Return the products of ``precision``, ``"fp32"``, ``"fp64"`` or ``"bf16"``, by this processor's best route."""
    if precision != "bf16":
        return Products()
    return Bfloat16Products() if multiplies_bfloat16() else RoundedProducts()
