"""What the claims ask of functions and losses, decided at 200 bits: no kink, and a loss least at agreement."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import combinations, pairwise

import numpy as np
from flint import arb

from tests.verdicts import exact_arrays as ex
from tests.verdicts.exact_arrays import Array
from tests.verdicts.exact_losses import ExactLoss
from tests.verdicts.exact_step import ORDER, SMALL, below

ZERO = -80
"""Below 2^ZERO of its scale, a difference of gradients at 2^-100 is zero: third derivatives show there."""

JUMP = -60
"""Below 2^JUMP of the values' scale, a difference across 2^-120 is no jump; slopes of up to 1e17 pass."""

_POINTS = (
    *((at,) * 6 for at in (0.0, 0.2, -0.2, 0.5, -0.5, 1.0, -1.0, 3.0, -3.0, 6.0)),
    (1.0, -1.0, 0.5, -0.5, 2.0, -2.0),
)
"""Where the functions of the corpus may have kinks: at their thresholds, where numbers are equal, where a sum is 0."""

_SWEEPS = 10  # twice what matrices of four rows take at 200 bits

_ALONG = (1.0, -0.7, 0.45, 0.3, -0.2, 0.9)


def is_kinked(function: Callable[[Array], Array]) -> bool:
    """Return whether a function of six numbers, or a derivative up to the second, jumps at one of the points."""
    along = np.array([[arb(x) for x in _ALONG]], dtype=object)
    starts = [np.array([[arb(x) for x in point]], dtype=object) for point in _POINTS]
    return any(breaks(lambda s, x=x: function(x + s * along)) for x in starts)  # type: ignore[misc]


def breaks(curve: Callable[[arb], Array]) -> bool:
    """Return whether value, slope or second derivative of a curve jumps at 0."""
    h = arb(2) ** -120
    points = [curve(h * at).ravel() for at in (-2, -1, 0, 1, 2)]
    size = 1 + abs(points[2]).sum()
    sides = [(points[1:2], points[3:4]), (points[1:3], points[2:4]), (points[:3], points[2:])]
    for order, (left, right) in enumerate(sides):
        jump = _derivative(right, h, order) - _derivative(left, h, order)
        if not all(below(one, size, JUMP) for one in jump):
            return True
    return False


def _derivative(points: list[Array], h: arb, order: int) -> Array:
    for _ in range(order):
        points = [(after - before) / h for before, after in pairwise(points)]
    return points[0]


@dataclass(frozen=True)
class Conditions:
    """What is true of a loss at given outputs.

    Attributes:
        by_input: one value per input, whatever the other inputs are.
        own_gradient: the gradient that the student descends is the derivative of the value.
        least: its slope at agreement is zero, and its Hessian symmetric with no negative eigenvalue.
        second_order: a target or student moved by h changes the gradient by the Hessian and O(h^2).
        no_slope_unseen: gradients are orthogonal to the null space of the Hessian.
    """

    by_input: bool
    own_gradient: bool
    least: bool
    second_order: bool
    no_slope_unseen: bool

    def hypotheses(self) -> dict[str, bool]:
        """Return whether the loss is one that the claims speak of, by their ids."""
        identity = self.by_input and self.own_gradient
        first = identity and self.least and self.second_order
        of_all = dict.fromkeys(("C1", "C1b", "C3", "C4"), first)
        return of_all | {"C2": first and self.no_slope_unseen, "C5": identity}


def conditions(loss: ExactLoss, outputs: Array) -> Conditions:
    """Return what is true of a loss at outputs ``[n, k]``."""
    z = outputs[:4]
    d = np.array([[arb((3 * row + 5 * at) % 7 - 3) / 4 for at in range(z.shape[1])] for row in range(len(z))])
    values, alone = loss.value(z, z + d), loss.value(z[:2], z[:2] + d[:2])
    by_input = values.shape == z.shape[:1] and all(below(a - b, a) for a, b in zip(alone, values, strict=False))
    slope = loss.gradient(z, z + d)
    own = not (abs(slope - loss.derivative(z, z + d)).sum() > arb(2) ** ZERO * abs(slope).sum())
    basis = np.array([[arb(int(at == j)) for at in range(z.shape[1])] for j in range(z.shape[1])], dtype=object)
    M = np.stack([loss.hessian_product(z, z * 0 + one) for one in basis], axis=-1)
    still = abs(loss.gradient(z, z)).sum() <= arb(2) ** ZERO * abs(slope).sum()
    pairs = [_eigen(one) for one in M]
    symmetric = all(below(one, abs(M).sum(), ZERO) for one in (M - np.swapaxes(M, 1, 2)).ravel())
    least = bool(still) and symmetric and all(one >= -(arb(2) ** ZERO) for values, _ in pairs for one in values)
    far = [loss.gradient(z, z + s * d) for s in (0.01, 1.0, 16.0)]
    unseen = [_unseen(pair, slope) for rows in far for pair, slope in zip(pairs, rows, strict=True)]
    return Conditions(by_input, own, least, _second_order(loss, z, d), not any(unseen))


def _second_order(loss: ExactLoss, z: Array, d: Array) -> bool:
    Md = loss.hessian_product(z, d)
    moves: tuple[Callable[[arb], Array], ...] = (
        lambda h: loss.gradient(z, z + h * d) + h * Md,
        lambda h: loss.gradient(z + h * d, z) - h * Md,
    )
    for move in moves:
        mine, less = (ex.norm(move(SMALL / part).ravel())[0] for part in (1, 2))
        if not (below(mine, SMALL) or ex.log2(mine / less) >= ORDER):
            return False
    return True


Pairs = tuple[Array, Array]


def _eigen(M: Array) -> Pairs:
    # Jacobi's rotations of the symmetric part, relative to the largest eigenvalue unless all are small
    A = np.frompyfunc(arb.mid, 1, 1)((M + M.T) / 2)
    axes = np.array([[arb(int(i == j)) for j in range(len(A))] for i in range(len(A))], dtype=object)
    for p, q in list(combinations(range(len(A)), 2)) * _SWEEPS:
        if A[p, q] == 0:
            continue
        theta = (A[q, q] - A[p, p]) / (2 * A[p, q])
        t = (1 if theta >= 0 else -1) / (abs(theta) + (theta * theta + 1).sqrt())
        turn = np.array([[1, t], [-t, 1]], dtype=object) / (t * t + 1).sqrt()
        A[:, [p, q]] = A[:, [p, q]].dot(turn)
        A[[p, q]] = turn.T.dot(A[[p, q]])
        axes[:, [p, q]] = axes[:, [p, q]].dot(turn)
        A = np.frompyfunc(arb.mid, 1, 1)(A)
    values = np.diagonal(A)
    return values / max([*abs(values), arb(2) ** -40], key=float), axes


def _unseen(pairs: Pairs, slope: Array) -> bool:
    values, axes = pairs
    small = arb(2) ** (ZERO // 2)
    return any(
        bool(abs((axis * slope).sum()) > small * ex.norm(slope)[0])
        for value, axis in zip(values, axes.T, strict=True)
        if abs(value) <= small
    )
