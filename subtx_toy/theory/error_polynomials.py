"""Error polynomials of heavy ball and Nesterov, and up to which step size a momentum student never points away.

A student of the linearised model has the error e_K(x) along an eigenvector of G, x = student_lr * eigenvalue: the part
of the teacher's move that is missing after K steps. It points away from the teacher where e_K > 1.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator

import numpy as np
from jaxtyping import Float, Int

from subtx_toy.errors import InputError

Points = Float[np.ndarray, "..."]
Steps = Int[np.ndarray, "..."]

_THIRDS, _HALVINGS = 60, 60


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
    .885. Beyond, the interval of x in which e_K > 1 may be as narrow as one likes, so the peak of each e_K is found
    first, and then the root of e_K = 1 below it. As beta -> 1 it tends to (8 pi (1 - beta))^(2/3). For beta <= 3/4 it
    is proved. Beyond, no K above ``last_that_may_cross`` crosses below x*, and the roots of the others are searched.

    Raises:
        InputError: for a momentum outside [0, 1), or one so near 1 that the search takes more than ``max_steps`` steps.
    """
    if not 0 <= beta < 1:
        raise InputError(f"beta: expected a momentum in [0, 1), got {beta!r}")
    if beta <= 0.75:
        return 2 + beta, 2
    # The first K that crosses is about 2 pi / sqrt(x*): up to twice that, far beyond the last that may cross.
    last = 4 + math.ceil(4 * math.pi / math.sqrt(asymptotic_crossing(beta)))
    if last > max_steps:
        raise InputError(f"beta: expected a momentum whose first crossing is found in {max_steps} steps, got {beta!r}")
    steps = np.arange(4, last + 1)
    # Undamped, e_K = cos(omega (K + 1/2)) / cos(omega / 2) with x = 4 sin(omega / 2)^2: one peak between these.
    low, high = (4 * np.sin(turn * math.pi / (2 * steps + 1)) ** 2 for turn in (1.5, 2.5))
    peaks = _peaks(beta, steps, low, high)
    above = _excess(peaks, beta, steps) > 0
    roots = _roots(beta, steps[above], low[above], peaks[above])
    third = ((3 + 2 * beta) - math.sqrt(4 * beta - 3)) / 2
    found = [(third, 3), *zip(roots.tolist(), steps[above].tolist(), strict=True)]
    return min(found)


def last_that_may_cross(beta: float, x: float) -> int:
    """Return the largest K for which heavy ball's e_K can be the first above 1 at an x up to this one, 0 if none can.

    With v = e_k - e_{k-1} the recursion keeps x e_k^2 + (1 - beta - x) e_k v + beta v^2 = beta^k x. At the first
    e_k > 1 v is positive, so x > 1 - beta, and the least value over v gives beta^k > 1 - (x - 1 + beta)^2 / (4 beta x).

    Raises:
        InputError: for a momentum outside (0, 1), or an x from (1 + sqrt(beta))^2 on, where no K is excluded.

    >>> last_that_may_cross(0.9, 1.5087)
    4
    """
    if not (0 < beta < 1 and x < (1 + math.sqrt(beta)) ** 2):
        raise InputError(f"expected a momentum in (0, 1) and x < (1 + sqrt(beta))^2, got {beta!r} and {x!r}")
    if x <= 1 - beta:
        return 0
    return math.ceil(math.log1p(-((x - 1 + beta) ** 2) / (4 * beta * x)) / math.log(beta)) - 1


def _excess(x: Points, beta: float, num_steps: Steps) -> Points:
    # e_K - 1, K an array, in closed form. The roots of r^2 - (1 + beta - x) r + beta are sqrt(beta) exp(+-i omega):
    # e_k = beta^(k/2) (cos k omega + b sin k omega), with b from e_{-1} = 1. At all x here they are complex.
    root = math.sqrt(beta)
    omega = 2 * np.arcsin(np.sqrt((x - (1 - root) ** 2) / (4 * root)))
    b = (1 - beta - x) / (2 * root * np.sin(omega))
    shape = np.sqrt(1 + b * b) * np.cos(num_steps * omega - np.arctan(b))
    return np.asarray(np.exp(num_steps / 2 * math.log(beta)) * shape - 1)


def _peaks(beta: float, num_steps: Steps, low: Points, high: Points) -> Points:
    for _ in range(_THIRDS):
        left, right = low + (high - low) / 3, high - (high - low) / 3
        rises = _excess(left, beta, num_steps) < _excess(right, beta, num_steps)
        low, high = np.where(rises, left, low), np.where(rises, high, right)
    return np.asarray((low + high) / 2)


def _roots(beta: float, num_steps: Steps, low: Points, high: Points) -> Points:
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        above = _excess(middle, beta, num_steps) > 0
        low, high = np.where(above, low, middle), np.where(above, middle, high)
    return low


def asymptotic_crossing(beta: float) -> float:
    """Return (8 pi (1 - beta))^(2/3), the limit of ``first_crossing`` as beta -> 1.

    Undamped, e_k = cos(omega (k + 1/2)) / cos(omega / 2) peaks at about 1 + x / 8, and one period damps it by
    1 - pi (1 - beta) / sqrt(x). It is 6 % too small at .999, 23 % too large at .9.
    """
    return float((8 * math.pi * (1 - beta)) ** (2 / 3))
