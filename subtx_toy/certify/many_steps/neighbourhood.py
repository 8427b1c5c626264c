"""All students within a radius of a path over a box, as far as a second derivative of the loss has to know them."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from subtx_toy.certify.balls import Ball, dot
from subtx_toy.certify.balls.ball import zeros
from subtx_toy.certify.balls.rounding import up
from subtx_toy.certify.many_steps.moving import MovingStudent, Parameters, Passes

SLACK = 1 + 1e-9
"""Covers the rounding of sums and products of at most a million non-negative numbers, as in ``closed_form``."""


@dataclass(frozen=True)
class Neighbourhood:
    """By layer: weights ``[in, out]``, inputs ``[n, w]``, and of the hidden ones the slopes s' and bounds on |s''|.

    ``answer`` and ``rho`` ``[n, k]`` are those of ``MovingStudent``.
    """

    weights: list[Ball]
    inputs: list[Ball]
    slopes: list[Ball]
    bends: list[np.ndarray]
    answer: Ball
    rho: Ball


def neighbourhood(student: MovingStudent, at: Parameters, passes: Passes, radius: float) -> Neighbourhood:
    """Widen the passes of a path by what parameters within a Euclidean ``radius`` can change.

    ||z_l - z^_l|| <= radius ||(a^, 1)|| + ||W_l|| ||a - a^|| and ||a - a^|| <= sup|s'| ||z_(l-1) - z^_(l-1)||; no entry
    moves further than the whole. softmax(z/tau)/tau moves by half of z over tau^2 at most.
    """
    limits, tau = student.activation.bounds, student.described.temperature
    weights = [_widened(weight.box[0], radius) for weight, _ in at]
    inputs, slopes, bends = [student.examples], list[Ball](), list[np.ndarray]()
    moved: np.ndarray = np.zeros(len(student.examples.mid))
    z = Ball.exact(moved)
    for layer, weight in enumerate(weights):
        if layer:
            assert limits is not None, "the search refuses activations with kinks"
            value, slope, half = student.activation.series([z, Ball.exact(np.ones(z.shape)), zeros(z.shape)])
            inputs.append(value)
            slopes.append(slope)
            bends.append(2 * half.magnitude())
            moved = moved * limits.slope * SLACK
        reach = radius * row_norms(passes.inputs[layer].box[0], bias=True)
        with np.errstate(all="ignore"):
            moved = (reach + spectral_norm(weight) * moved) * SLACK
        moved = np.where(np.isnan(moved), np.inf, moved)  # infinity times zero
        z = _widened(passes.z[layer].box[0], moved[:, None])
    gain = 1.0 if student.described.loss == "squared_error" else 0.5 / tau**2
    rho = _widened(passes.rho.box[0], (moved * gain * SLACK)[:, None])
    return Neighbourhood(weights, inputs, slopes, bends, student.answer([z])[0], rho)


def spectral_norm(matrix: Ball) -> float:
    """Bound the spectral norm of every matrix in a ball: ||W||^8 <= tr (W^T W)^4."""
    gram = dot(matrix.T, matrix) if matrix.shape[1] <= matrix.shape[0] else dot(matrix, matrix.T)
    square = dot(gram, gram)
    eighth = float((square * square).sum().upper())
    return math.sqrt(math.sqrt(math.sqrt(eighth))) * SLACK


def row_norms(ball: Ball, *, bias: bool = False) -> np.ndarray:
    """Bound the Euclidean norms of the rows, or of each row with a 1 at its end."""
    return np.asarray(np.sqrt((ball.magnitude() ** 2).sum(1) + float(bias)) * SLACK)


def _widened(ball: Ball, by: float | np.ndarray) -> Ball:
    return Ball(ball.mid, up(ball.rad + by))
