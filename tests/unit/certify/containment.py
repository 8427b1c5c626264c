"""Random balls with points inside, and arb's answer to what a function of the points is: no violation is allowed."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import numpy as np
from flint import arb, ctx

from subtx_toy.certify.balls import Ball, dot, nonlinear
from subtx_toy.certify.balls.rounding import up

BITS = 320

Violation = tuple[str, float, float, float]
"""The operation, a point, and the ball that does not hold its image."""


def points(rng: np.random.Generator, size: tuple[int, ...]) -> np.ndarray:
    """Draw numbers of every size: ordinary, tiny, subnormal, huge, zero, and the ends of the polynomials' ranges."""
    ordinary = rng.standard_normal(size) * 10.0 ** rng.uniform(-3, 2.5, size)
    with np.errstate(all="ignore"):
        extreme = rng.standard_normal(size) * 10.0 ** rng.uniform(-323, 307, size)
    special = rng.choice(
        [0.0, -0.0, 5e-324, -5e-324, 1.0, -1.0, 708.0, -708.0, 709.5, 8.5, -8.5, 2.0**-1022, 1e300], size
    )
    kind = rng.random(size)
    return np.where(kind < 0.7, ordinary, np.where(kind < 0.95, extreme, special))


def balls(rng: np.random.Generator, inside: np.ndarray) -> Ball:
    """Draw balls that hold given points: a third exact, the others from hair-thin to as wide as their points."""
    with np.errstate(all="ignore"):
        mid = inside + np.abs(inside) * rng.uniform(-1, 1, inside.shape) * 10.0 ** rng.uniform(-18, 0.3, inside.shape)
        mid = np.where((rng.random(inside.shape) < 0.35) | ~np.isfinite(mid), inside, mid)
        rad = up(np.abs(inside - mid))
    return Ball(mid, np.where(mid == inside, 0.0, np.where(np.isfinite(rad), rad, np.inf)))


def outside(value: arb, mid: float, rad: float) -> bool:
    """Whether arb proves that a value is not in a ball."""
    return math.isfinite(rad) and bool(abs(value - arb(mid)) > arb(rad))


UNARY: dict[str, tuple[Callable[[Ball], Ball], Callable[[arb], arb]]] = {
    "exp": (nonlinear.exp, arb.exp),
    "tanh": (nonlinear.tanh, arb.tanh),
    "sigmoid": (nonlinear.sigmoid, lambda x: 1 / (1 + (-x).exp()) if x > -700 else x.exp() / (1 + x.exp())),
    "softplus": (nonlinear.softplus, lambda x: x + (-x).exp().log1p() if x > 0 else x.exp().log1p()),
    "normal_cdf": (nonlinear.normal_cdf, lambda x: (-x / arb(2).sqrt()).erfc() / 2),
    "normal_density": (nonlinear.normal_density, lambda x: (-x * x / 2).exp() / (2 * arb.pi()).sqrt()),
    "relu": (nonlinear.relu, lambda x: x if x > 0 else arb(0)),
    "square": (Ball.square, lambda x: x * x),
    "scaled": (lambda x: x.scaled(1 / 3), lambda x: x * arb(1 / 3)),
    "over": (lambda x: x.over(0.7), lambda x: x / arb(0.7)),
}
BINARY: dict[str, tuple[Callable[[Ball, Ball], Ball], Callable[[arb, arb], arb]]] = {
    "add": (lambda a, b: a + b, lambda a, b: a + b),
    "subtract": (lambda a, b: a - b, lambda a, b: a - b),
    "multiply": (lambda a, b: a * b, lambda a, b: a * b),
}
ROWS: dict[str, tuple[Callable[[Ball], Ball], Callable[[list[arb]], list[arb]]]] = {
    "sum": (lambda x: x.sum(-1), lambda row: [sum(row, arb(0))]),
    "softmax": (nonlinear.softmax, lambda row: [1 / sum(((b - a).exp() for b in row), arb(0)) for a in row]),
    "log_sum_exp": (
        nonlinear.log_sum_exp,
        lambda row: [top(row) + sum(((a - top(row)).exp() for a in row), arb(0)).log()],
    ),
}
OPERATIONS = (*UNARY, *BINARY, *ROWS, "dot")


def top(row: list[arb]) -> arb:
    """Return the largest entry of a row of exact numbers."""
    most = row[0]
    for one in row[1:]:
        most = most.max(one)
    return most


def violations(name: str, rng: np.random.Generator, num: int) -> Iterator[Violation]:
    """Look at ``num`` samples of one operation."""
    before, ctx.prec = ctx.prec, BITS
    try:
        with np.errstate(all="ignore"):
            if name in UNARY:
                yield from _unary(name, rng, num)
            elif name in BINARY:
                yield from _binary(name, rng, num)
            elif name in ROWS:
                yield from _rows(name, rng, num)
            else:
                yield from _products(rng, num)
    finally:
        ctx.prec = before


def _unary(name: str, rng: np.random.Generator, num: int) -> Iterator[Violation]:
    (of_balls, of_points), x = UNARY[name], points(rng, (num,))
    found = of_balls(balls(rng, x))
    for at, mid, rad in zip(x.tolist(), found.mid.tolist(), found.rad.tolist(), strict=True):
        if outside(of_points(arb(at)), mid, rad):
            yield name, at, mid, rad


def _binary(name: str, rng: np.random.Generator, num: int) -> Iterator[Violation]:
    of_balls, of_points = BINARY[name]
    x = points(rng, (num,))
    y = np.where(rng.random(num) < 0.3, -x * (1 + rng.integers(-4, 5, num) * 2.0**-52), points(rng, (num,)))
    found = of_balls(balls(rng, x), balls(rng, y))
    for a, b, mid, rad in zip(x.tolist(), y.tolist(), found.mid.tolist(), found.rad.tolist(), strict=True):
        if outside(of_points(arb(a), arb(b)), mid, rad):
            yield name, a, mid, rad


def _rows(name: str, rng: np.random.Generator, num: int) -> Iterator[Violation]:
    (of_balls, of_points), width = ROWS[name], int(rng.integers(1, 6))
    x = points(rng, (max(1, num // width), width))
    found = of_balls(balls(rng, x))
    mid, rad = found.mid.reshape(len(x), -1), found.rad.reshape(len(x), -1)
    for i, row in enumerate(x.tolist()):
        for j, value in enumerate(of_points([arb(one) for one in row])):
            if outside(value, float(mid[i, j]), float(rad[i, j])):
                yield name, row[0], float(mid[i, j]), float(rad[i, j])


def _products(rng: np.random.Generator, num: int) -> Iterator[Violation]:
    done = 0
    while done < num:
        n, k, m = (int(one) for one in rng.integers(1, 12, 3))
        a, b = points(rng, (n, k)), points(rng, (k, m))
        found = dot(balls(rng, a), balls(rng, b))
        for i in range(n):
            for j in range(m):
                value = sum((arb(float(a[i, h])) * arb(float(b[h, j])) for h in range(k)), arb(0))
                if outside(value, float(found.mid[i, j]), float(found.rad[i, j])):
                    yield "dot", float(a[i, 0]), float(found.mid[i, j]), float(found.rad[i, j])
        done += n * m
