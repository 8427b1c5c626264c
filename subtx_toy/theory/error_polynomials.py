"""Error polynomials of heavy ball and Nesterov, and up to which step size a momentum student never points away.

A student of the linearised model has the error e_K(x) along an eigenvector of G, x = student_lr * eigenvalue: the part
of the teacher's move that is missing after K steps. It points away from the teacher where e_K > 1.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator

import numpy as np
from jaxtyping import Float

from subtx_toy.errors import InputError

Points = Float[np.ndarray, "..."]

_GRID, _HALVINGS = 4000, 60


def gradient_descent(x: Points, num_steps: int) -> Points:
    """Return 1 - h with h = 1 - (1 - x)^K, the fraction that plain gradient descent transfers; h is exact near 0."""
    return np.asarray(1 - fraction(x, num_steps))


def fraction(x: Points, num_steps: int) -> Points:
    """Return h_K = 1 - (1 - x)^K, to relative rounding also where x is tiny.

    >>> fraction(np.array([0.25, 0.5, 2.0]), 2).round(12).tolist()
    [0.4375, 0.75, 0.0]
    """
    x = np.asarray(x, dtype=float)
    small = np.abs(x) < 0.5
    with np.errstate(divide="ignore", over="ignore"):
        near = -np.expm1(num_steps * np.log1p(-np.where(small, x, 0.0)))
        far = 1 - (1 - x) ** num_steps
    return np.where(small, near, far)


def heavy_ball(x: Points, beta: float, num_steps: int) -> Points:
    """Return e_K of heavy ball: e_{k+1} = (1 + beta - x) e_k - beta e_{k-1}, e_0 = e_{-1} = 1.

    It is torch's SGD with momentum: v <- beta v + gradient from v = 0, theta <- theta - student_lr v.

    Reference: Polyak 1964, USSR Comput. Math. Math. Phys. 4(5), 1-17.
    """
    return nth(heavy_ball_errors(x, beta), num_steps)


def nesterov(x: Points, beta: float, num_steps: int) -> Points:
    """Return e_K of Nesterov as torch takes it: step gradient + beta v, v <- beta v + gradient.

    e_{k+1} = (1 - x) (e_k + beta (e_k - e_{k-1})) from e_0 = 1, e_1 = 1 - (1 + beta) x: torch's parameters are the
    points y_k = x_k + beta (x_k - x_{k-1}) at which gradients are taken. Those of ``nesterov_iterate`` are the x_k.

    Reference: Sutskever et al. 2013, ICML, 1139-1147.
    """
    return nth(nesterov_errors(x, beta), num_steps)


def nesterov_iterate(x: Points, beta: float, num_steps: int) -> Points:
    """Return e_K of Nesterov's iterates: the same recursion from e_0 = e_{-1} = 1.

    For 0 <= x <= 1 they obey |e_k| <= 1, since x e_k^2 + (e_k - e_{k-1})^2 never grows.

    Reference: Nesterov 1983, Soviet Math. Dokl. 27, 372-376.
    """
    return nth(nesterov_iterate_errors(x, beta), num_steps)


def heavy_ball_errors(x: Points, beta: float) -> Iterator[Points]:
    """Yield e_0, e_1, ... of ``heavy_ball`` without end."""
    x = np.asarray(x, dtype=float)
    before = now = np.ones_like(x)
    while True:
        yield now
        before, now = now, (1 + beta - x) * now - beta * before


def nesterov_errors(x: Points, beta: float) -> Iterator[Points]:
    """Yield e_0, e_1, ... of ``nesterov`` without end."""
    x = np.asarray(x, dtype=float)
    before, now = np.ones_like(x), 1 - (1 + beta) * x
    yield before
    while True:
        yield now
        before, now = now, (1 - x) * (now + beta * (now - before))


def nesterov_iterate_errors(x: Points, beta: float) -> Iterator[Points]:
    """Yield e_0, e_1, ... of ``nesterov_iterate`` without end."""
    x = np.asarray(x, dtype=float)
    before = now = np.ones_like(x)
    while True:
        yield now
        before, now = now, (1 - x) * (now + beta * (now - before))


def nth(errors: Iterator[Points], num_steps: int) -> Points:
    """Return e_K of an iterator that has not been used."""
    return np.asarray(next(itertools.islice(errors, num_steps, None)))


def heavy_ball_stability(beta: float) -> float:
    """Return the x below which heavy ball converges, 2 (1 + beta)."""
    return 2 * (1 + beta)


def nesterov_stability(beta: float) -> float:
    """Return the x below which Nesterov converges, 2 (1 + beta) / (1 + 2 beta)."""
    return 2 * (1 + beta) / (1 + 2 * beta)


def nesterov_crossing(beta: float) -> float:
    """Return the x up to which torch's Nesterov never points away, 1 + 1 / (1 + beta)^2, below its stability limit.

    After two steps e_2 - 1 = x ((1 + beta)^2 (x - 1) - 1), so beyond it the student points away in that mode. That no
    other number of steps crosses 1 before is found numerically, not proved.
    """
    return 1 + 1 / (1 + beta) ** 2


def first_crossing(beta: float, *, max_steps: int = 4000) -> tuple[float, int]:
    """Return the largest x* such that e_K(x) <= 1 for every K and every x in [0, x*], and the K that ends it.

    x* = 2 + beta with K = 2 for beta <= 3/4, and ((3 + 2 beta) - sqrt(4 beta - 3)) / 2 with K = 3 for beta up to about
    .885; beyond, the first root of e_K = 1 over K, by bisection. As beta -> 1 it tends to (8 pi (1 - beta))^(2/3).

    Raises:
        InputError: for a momentum outside [0, 1), or for which no crossing is found within ``max_steps``.
    """
    if not 0 <= beta < 1:
        raise InputError(f"beta: expected a momentum in [0, 1), got {beta!r}")
    limit, steps = 2 + beta, 2
    errors = heavy_ball_errors(np.linspace(0, limit, _GRID + 1)[1:], beta)
    for _ in range(3):
        now = next(errors)
    for num_steps in range(3, max_steps):
        grid = np.linspace(0, 2 + beta, _GRID + 1)[1:]
        now = next(errors)
        above = np.flatnonzero((now > 1) & (grid < limit))
        if len(above):
            at = int(above[0])
            limit, steps = _root(beta, num_steps, float(grid[at] - grid[0]), float(grid[at])), num_steps
        if num_steps > 4 * math.pi / math.sqrt(limit):  # later periods are damped more
            return limit, steps
    raise InputError(f"beta: expected a momentum whose first crossing comes within {max_steps} steps, got {beta!r}")


def _root(beta: float, num_steps: int, low: float, high: float) -> float:
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        if float(heavy_ball(np.array(middle), beta, num_steps)) > 1:
            high = middle
        else:
            low = middle
    return low


def asymptotic_crossing(beta: float) -> float:
    """Return (8 pi (1 - beta))^(2/3), the limit of ``first_crossing`` as beta -> 1.

    Undamped, e_k = cos(omega (k + 1/2)) / cos(omega / 2) peaks at about 1 + x / 8, and one period damps it by
    1 - pi (1 - beta) / sqrt(x). It is 7 % off at .999 and 23 % at .9.
    """
    return float((8 * math.pi * (1 - beta)) ** (2 / 3))
