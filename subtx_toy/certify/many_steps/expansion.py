"""How far one plain step can pull two students apart: a bound on the norm of I - student_lr H around a path.

The Hessian of the distillation loss is H = G + R, where G = mean_n J_n^T M_n J_n is positive semidefinite and R =
-mean_n sum_j rho_nj D^2 z_nj. So ||I - student_lr G|| <= max(1, student_lr ||G|| - 1), and R adds student_lr ||R||.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from subtx_toy.certify.balls import Ball, dot
from subtx_toy.certify.balls.ball import zeros
from subtx_toy.certify.many_steps.neighbourhood import SLACK, Neighbourhood, row_norms, spectral_norm


class Expansion(NamedTuple):
    """Bounds over a neighbourhood: ``factor`` on ||I - student_lr H||, and on the norms of G and R."""

    factor: float
    gauss_newton: float
    residual: float


def expansion(near: Neighbourhood, *, loss: str, temperature: float, student_lr: float) -> Expansion:
    """Bound how a step of ``student_lr`` expands the distance of two students of a neighbourhood; inf if unknown."""
    tau = None if loss == "squared_error" else temperature
    with np.errstate(all="ignore"):
        G, R = gauss_newton_norm(near, tau), residual_norm(near)
        # numpy's maximum keeps a nan
        factor = float((np.maximum(1.0, student_lr * G * SLACK - 1.0) + student_lr * R) * SLACK)
    return Expansion(factor if np.isfinite(factor) else np.inf, G, R)


def gauss_newton_norm(near: Neighbourhood, tau: float | None) -> float:
    """Bound ||G|| by ||G||^4 <= tr (M J J^T / n)^4, rows (input, output): the eigenvalues of G that are not zero.

    ``tau`` is the temperature of kl, None for squared error.
    """
    n, k = near.rho.shape
    rows = Ball.exact(np.tile(np.eye(k), (n, 1)))  # the derivatives of every output in z of a layer
    kernel = _by_output(near.inputs[-1], k) * dot(rows, rows.T)
    for layer in range(len(near.weights) - 1, 0, -1):
        rows = dot(rows, near.weights[layer].T) * _repeated(near.slopes[layer - 1], k)
        kernel = kernel + _by_output(near.inputs[layer - 1], k) * dot(rows, rows.T)
    if tau is not None:
        kernel = dot(_softmax_hessians(near.answer, tau), kernel)
    square = dot(kernel, kernel)
    fourth = (square * square.T).sum().upper()
    return float(np.maximum(fourth, 0.0) ** 0.25) / n * SLACK


def _repeated(ball: Ball, k: int) -> Ball:
    return Ball(np.repeat(ball.mid, k, 0), np.repeat(ball.rad, k, 0))


def _by_output(inputs: Ball, k: int) -> Ball:
    # a a^T + 1, for weights and biases, of the inputs that (input, output) rows belong to
    rows = _repeated(inputs, k)
    return dot(rows, rows.T) + Ball.exact(1.0)


def _softmax_hessians(answer: Ball, tau: float) -> Ball:
    # M_n = (diag(p) - p p^T) / tau^2 along the diagonal, where the answer is q = p / tau: diag(q) / tau - q q^T
    n, k = answer.shape
    over, squares, found = answer.over(tau), answer.square(), zeros((n * k, n * k))
    first, second = np.repeat(np.arange(k), k), np.tile(np.arange(k), k)
    products = -(answer[:, first] * answer[:, second])
    diagonal = over - squares
    for row in range(n):
        at = row * k
        found.mid[at + first, at + second], found.rad[at + first, at + second] = products.mid[row], products.rad[row]
        place = at + np.arange(k)
        found.mid[place, place], found.rad[place, place] = diagonal.mid[row], diagonal.rad[row]
    return found


def residual_norm(near: Neighbourhood) -> float:
    """Bound ||R|| by a quadratic form in the norms g_l of a direction's layers (G_l, c_l), whose squares add up to 1.

    Along a direction, z_l' = G_l a_(l-1) + c_l + W_l a_(l-1)', z_l'' = 2 G_l a_(l-1)' + W_l a_(l-1)'', a' = s' z' and
    a'' = s'' z'^2 + s' z''. With delta_l the backward pass of rho to z_l, delta_l . z_l'' is the sum of

        2 delta_l . G_l a_(l-1)',     sum_i (W_l^T delta_l)_i s''_i z'_i^2,     delta_(l-1) . z_(l-1)'',

    and z_1'' = 0. ||z_l'|| <= reach_l . g, with reach_l a vector of one number per layer.
    """
    depth, n = len(near.weights), len(near.rho.mid)
    reach = [np.zeros((n, depth)) for _ in range(depth)]
    steep = [slopes.magnitude().max(1) for slopes in near.slopes]
    for layer in range(depth):
        if layer:
            gain = spectral_norm(near.weights[layer]) * steep[layer - 1] * SLACK
            reach[layer] += gain[:, None] * reach[layer - 1] * SLACK
        reach[layer][:, layer] += row_norms(near.inputs[layer], bias=True)
    form, delta = np.zeros((depth, depth)), near.rho
    for layer in range(depth - 1, 0, -1):
        mixed = ((row_norms(delta) * steep[layer - 1])[:, None] * reach[layer - 1]).mean(0) * SLACK
        form[layer] += mixed
        form[:, layer] += mixed
        below = dot(delta, near.weights[layer].T)
        bent = (below.magnitude() * near.bends[layer - 1]).max(1)
        form += (bent[:, None, None] * reach[layer - 1][:, :, None] * reach[layer - 1][:, None, :]).mean(0) * SLACK
        delta = below * near.slopes[layer - 1]
    return float(np.linalg.norm(form) * SLACK**2)
