"""Nonlinear functions of balls: increasing ones by their values at both ends."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from subtx_toy.certify.balls import functions
from subtx_toy.certify.balls.ball import Ball
from subtx_toy.certify.balls.rounding import TINY, Array, down, up

_ROOT_TWO_PI = math.sqrt(2 * math.pi)


def _increasing(bounds: Callable[[Array], functions.Bounds], x: Ball) -> Ball:
    lower, upper = bounds(np.stack([x.lower(), x.upper()]))
    return Ball.between(lower[0], upper[1])


def exp(x: Ball) -> Ball:
    """Enclose e^x."""
    return _increasing(functions.exp_bounds, x)


def tanh(x: Ball) -> Ball:
    """Enclose tanh x."""
    return _increasing(functions.tanh_bounds, x)


def sigmoid(x: Ball) -> Ball:
    """Enclose 1/(1 + e^-x)."""
    return _increasing(functions.sigmoid_bounds, x)


def softplus(x: Ball) -> Ball:
    """Enclose log(1 + e^x)."""
    return _increasing(functions.softplus_bounds, x)


def normal_cdf(x: Ball) -> Ball:
    """Enclose (1 + erf(x / sqrt 2)) / 2."""
    return _increasing(functions.normal_cdf_bounds, x)


def normal_density(x: Ball) -> Ball:
    """Enclose e^(-x^2/2) / sqrt(2 pi)."""
    # The constant is rounded twice: 2^-51 covers it.
    return exp(x.square().scaled(-0.5)) * Ball(np.float64(1 / _ROOT_TWO_PI), np.float64(2.0**-51))


def inverse_root(x: Ball) -> Ball:
    """Enclose x^(-1/2) for x >= 0: it falls, and the root and the quotient round once each."""
    with np.errstate(all="ignore"):
        lower, upper = np.maximum(x.lower(), 0.0), np.maximum(x.upper(), 0.0)
        least = np.maximum(down(1.0 / up(np.sqrt(upper))), 0.0)
        most = up(1.0 / np.maximum(down(np.sqrt(lower)), 0.0))
    return Ball.between(least, most)


def relu(x: Ball) -> Ball:
    """Enclose max(x, 0)."""
    return Ball.between(np.maximum(x.lower(), 0.0), np.maximum(x.upper(), 0.0))


def step(x: Ball) -> Ball:
    """Enclose the slopes of max(x, 0): 1, 0, or anything between where the sign is not known (Clarke)."""
    return Ball.between((x.lower() > 0).astype(np.float64), (x.upper() >= 0).astype(np.float64))


def softmax(w: Ball) -> Ball:
    """Enclose softmax over the last axis: p_i = 1/(1 + sum_{j != i} e^(w_j - w_i)), increasing in w_i, falling in w_j.

    A sum of k terms and the division round k + 2 times.
    """
    lower, upper, k = w.lower(), w.upper(), w.shape[-1]
    others = ~np.eye(k, dtype=bool)
    with np.errstate(all="ignore"):
        most = functions.exp_bounds(up(upper[..., None, :] - lower[..., :, None]))[1]
        least = functions.exp_bounds(down(lower[..., None, :] - upper[..., :, None]))[0]
        slack = (k + 4) * 2.0**-52
        low = 1.0 / (1.0 + np.where(others, most, 0.0).sum(-1)) * (1 - slack) - TINY
        high = 1.0 / (1.0 + np.where(others, least, 0.0).sum(-1)) * (1 + slack) + TINY
        return Ball.between(np.maximum(low, 0.0), np.minimum(high, 1.0))


def log_sum_exp(w: Ball) -> Ball:
    """Enclose log sum_j e^(w_j) over the last axis; increasing in every entry."""
    lower, upper = w.lower(), w.upper()
    return Ball.between(_log_sum_exp(lower)[0], _log_sum_exp(upper)[1])


def _log_sum_exp(x: Array) -> functions.Bounds:
    # max + log S with S in [1, k]; x - max rounds once, as an end of an interval it is moved outwards.
    with np.errstate(all="ignore"):
        most, k = x.max(-1), x.shape[-1]
        gap = x - most[..., None]
        total_low = functions.exp_bounds(down(gap))[0].sum(-1) * (1 - (k + 4) * 2.0**-52)
        total_high = functions.exp_bounds(up(gap))[1].sum(-1) * (1 + (k + 4) * 2.0**-52)
        lower = down(most + functions.log_bounds(np.maximum(total_low, 1.0))[0])
        upper = up(most + functions.log_bounds(np.maximum(total_high, 1.0))[1])
    lost = ~np.isfinite(most)
    return np.where(lost, -np.inf, lower), np.where(lost, np.inf, upper)
