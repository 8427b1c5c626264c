"""Exact alignments of tiny relu networks in rational numbers: squared error needs no function but max."""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from subtx_toy.certify.description import Description

Matrix = list[list[Fraction]]


def alignment_rate(described: Description, eps: Fraction, *, per_input: bool = False) -> list[Fraction]:
    """Return a(eps)/eps exactly: of every input, or their mean as a list of one."""
    start, v = _start(described)
    moved = _outputs(described, eps)
    rates = [
        sum((a * (b - c) for a, b, c in zip(row_v, row, row_0, strict=True)), Fraction(0)) / eps
        for row_v, row, row_0 in zip(v, moved, start, strict=True)
    ]
    return rates if per_input else [sum(rates, Fraction(0)) / len(rates)]


def _outputs(described: Description, eps: Fraction) -> Matrix:
    a = _exact(described.arrays["inputs"])
    for layer in range(described.num_layers):
        (W, b), (G, c) = described.base(layer), described.direction(layer)
        weight = [[x + eps * y for x, y in zip(*rows, strict=True)] for rows in zip(_exact(W), _exact(G), strict=True)]
        bias = [Fraction(float(x)) + eps * Fraction(float(y)) for x, y in zip(b, c, strict=True)]
        z = _affine(a, weight, bias)
        last = layer == described.num_layers - 1
        a = (
            [[row[j] for j in described.columns] for row in z]
            if last
            else [[max(x, Fraction(0)) for x in row] for row in z]
        )
    return a


def _start(described: Description) -> tuple[Matrix, Matrix]:
    a = _exact(described.arrays["inputs"])
    rate = [[Fraction(0)] * len(row) for row in a]
    for layer in range(described.num_layers):
        (W, b), (G, c) = described.base(layer), described.direction(layer)
        zero = [Fraction(0)] * len(b)
        z = _affine(a, _exact(W), [Fraction(float(x)) for x in b])
        first = _affine(rate, _exact(W), zero)
        second = _affine(a, _exact(G), [Fraction(float(x)) for x in c])
        rate = [[x + y for x, y in zip(*rows, strict=True)] for rows in zip(first, second, strict=True)]
        if layer == described.num_layers - 1:
            columns = described.columns
            return [[row[j] for j in columns] for row in z], [[row[j] for j in columns] for row in rate]
        rate = [[y if x > 0 else Fraction(0) for x, y in zip(*rows, strict=True)] for rows in zip(z, rate, strict=True)]
        a = [[max(x, Fraction(0)) for x in row] for row in z]
    raise AssertionError("a network has a last layer")


def _affine(a: Matrix, weight: Matrix, bias: list[Fraction]) -> Matrix:
    return [
        [sum((x * y for x, y in zip(row, unit, strict=True)), shift) for unit, shift in zip(weight, bias, strict=True)]
        for row in a
    ]


def _exact(values: np.ndarray) -> Matrix:
    return [[Fraction(float(x)) for x in row] for row in values]
