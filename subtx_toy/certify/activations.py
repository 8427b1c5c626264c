"""What certificates need of an activation: Taylor series, and bounds on derivatives."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import scipy.special

from subtx_toy.certify.balls import Ball, nonlinear
from subtx_toy.certify.balls.rounding import Array
from subtx_toy.problem.activation_bounds import ActivationBounds

Series = list[Ball]
"""Taylor coefficients of one array, from order 0 on."""

ONE = Ball.exact(1.0)


def product_term(a: Sequence[Ball], b: Sequence[Ball], k: int) -> Ball:
    """Return coefficient k of a product: sum_j a_j b_(k-j)."""
    total = a[0] * b[k]
    for j in range(1, k + 1):
        total = total + a[j] * b[k - j]
    return total


def square_term(a: Sequence[Ball], k: int) -> Ball:
    """Return coefficient k of a square; equal terms are added once."""
    if k == 0:
        return a[0].square()
    total = (a[0] * a[k]).scaled(2.0)
    for j in range(1, (k + 1) // 2):
        total = total + (a[j] * a[k - j]).scaled(2.0)
    return total + a[k // 2].square() if k % 2 == 0 else total


def integral_term(slope: Sequence[Ball], z: Sequence[Ball], k: int) -> Ball:
    """Return coefficient k of y where y' = slope z': (1/k) sum_{j=1}^k j z_j slope_(k-j)."""
    total = slope[k - 1] * z[1]
    for j in range(2, k + 1):
        total = total + slope[k - j] * z[j].scaled(float(j))
    return total.over(float(k)) if k > 1 else total


def softmax(w: Series) -> Series:
    """Return the probabilities p over the last axis: p' = p (w' - <p, w'>)."""
    return _softmax(w)[0]


def log_sum_exp(w: Series) -> Series:
    """Return L = log sum e^w over the last axis: L' = <p, w'>."""
    means = _softmax(w)[1]
    return [nonlinear.log_sum_exp(w[0]), *(mean.over(float(k)) for k, mean in enumerate(means, start=1))]


def _softmax(w: Series) -> tuple[Series, Series]:
    # Also the coefficients m_j of the mean <p, w'>, numbered such that k L_k = m_k.
    p, means = [nonlinear.softmax(w[0])], []
    rates = [w[j].scaled(float(j)) for j in range(1, len(w))]  # j w_j
    gaps: Series = []  # of w' - <p, w'>
    for k in range(1, len(w)):
        mean = (p[0] * rates[k - 1]).sum(-1)
        for j in range(1, k):
            mean = mean + (p[j] * rates[k - 1 - j]).sum(-1)
        means.append(mean)
        gaps.append(rates[k - 1] - Ball(mean.mid[..., None], mean.rad[..., None]))
        total = p[k - 1] * gaps[0]
        for j in range(1, k):
            total = total + p[k - 1 - j] * gaps[j]
        p.append(total.over(float(k)))
    return p, means


class CertifiedActivation(NamedTuple):
    """One nonlinearity s; ``value`` and ``slope`` are s and s' in plain float64: where to look, never a proof.

    ``series`` goes from the coefficients ``[z_0, ..., z_K]`` to those of s(z), each a ball that holds the truth, at
    points and over boxes alike; the first ones must not depend on how many there are. ``bounds`` are rounded up; None,
    and there is no closed form, if s is not twice continuously differentiable. An s that is not ``smooth`` has a kink
    at 0: its series are asked for two coefficients at most, the second of which encloses every slope between those on
    either side (Clarke), and a unit at 0 at the init is refused.
    """

    series: Callable[[Series], Series]
    value: Callable[[Array], Array]
    slope: Callable[[Array], Array]
    bounds: ActivationBounds | None = None
    smooth: bool = True

    def slopes(self, z: Ball) -> Ball:
        """Enclose the derivative at ``z``."""
        return self.series([z, Ball.exact(np.ones(z.shape))])[1]


def slope_series(activation: CertifiedActivation, z: Series) -> Series:
    """Return the coefficients of s'(z) for a smooth s, from those of z.

    With s(z_0 + u) = sum_m c_m u^m it is sum_m (m + 1) c_(m+1) u^m at u = z - z_0, whose powers begin at order m.
    """
    K = len(z) - 1
    one, none = Ball.exact(np.ones(z[0].shape)), Ball.exact(np.zeros(z[0].shape))
    c = activation.series([z[0], one, *[none] * K])
    found, power = [c[1]], [ONE, *[none] * K]
    found += [none] * K
    for m in range(1, K + 1):
        # u has no coefficient 0, and u^(m-1) none below m - 1
        after = [none] * m
        for k in range(m, K + 1):
            total = power[m - 1] * z[k - m + 1]
            for j in range(m, k):
                total = total + power[j] * z[k - j]
            after.append(total)
        power, slope = after, c[m + 1].scaled(float(m + 1))
        for k in range(m, K + 1):
            found[k] = found[k] + slope * power[k]
    return found


def tanh(z: Series) -> Series:
    """Solve y' = (1 - y^2) z'."""
    y = [nonlinear.tanh(z[0])]
    slope: Series = []
    for k in range(1, len(z)):
        square = square_term(y, k - 1)
        slope.append(ONE - square if k == 1 else -square)
        y.append(integral_term(slope, z, k))
    return y


def sigmoid(z: Series) -> Series:
    """Solve y' = y (1 - y) z'."""
    y = [nonlinear.sigmoid(z[0])]
    slope: Series = []
    for k in range(1, len(z)):
        # y (1 - y) = 1/4 - (y - 1/2)^2 keeps the dependency at order 0.
        centred = y[0] - Ball.exact(0.5)
        slope.append(Ball.exact(0.25) - centred.square() if k == 1 else y[k - 1] - square_term(y, k - 1))
        y.append(integral_term(slope, z, k))
    return y


def softplus(z: Series) -> Series:
    """Solve y' = sigmoid(z) z'."""
    slope = sigmoid(z[:-1]) if len(z) > 1 else []
    return [nonlinear.softplus(z[0]), *(integral_term(slope, z, k) for k in range(1, len(z)))]


def gelu(z: Series) -> Series:
    """Form y = z Phi(z), with Phi' = phi z' and phi' = -z phi z' = phi (-z^2/2)'."""
    density, cdf = [nonlinear.normal_density(z[0])], [nonlinear.normal_cdf(z[0])]
    exponent = [square_term(z, k).scaled(-0.5) for k in range(len(z))]
    for k in range(1, len(z)):
        cdf.append(integral_term(density, z, k))
        density.append(integral_term(density, exponent, k))
    return [product_term(z, cdf, k) for k in range(len(z))]


def relu(z: Series) -> Series:
    """Order 1 at most: Clarke's slopes, anything from 0 to 1 where a sign is not known (mean value theorem)."""
    y = [nonlinear.relu(z[0])]
    if len(z) > 1:
        y.append(nonlinear.step(z[0]) * z[1])
    return y


def _gelu_slope(z: Array) -> Array:
    slope: Array = scipy.special.ndtr(z) + z * np.exp(-0.5 * z * z) / math.sqrt(2 * math.pi)
    return slope


ACTIVATIONS = {
    "tanh": CertifiedActivation(
        tanh, np.tanh, lambda z: 1 - np.tanh(z) ** 2, ActivationBounds(1.0, 0.77, ceiling=1.0)  # 4/(3 sqrt 3) = .7698
    ),
    "sigmoid": CertifiedActivation(
        sigmoid, scipy.special.expit, lambda z: scipy.special.expit(z) * scipy.special.expit(-z),
        ActivationBounds(0.25, 0.0963, offset=0.5, growth=0.25, ceiling=1.0),  # 1/(6 sqrt 3) = .09623
    ),
    "softplus": CertifiedActivation(
        softplus, lambda z: np.logaddexp(0.0, z), scipy.special.expit,
        ActivationBounds(1.0, 0.25, offset=0.6932),  # log 2 = .69315
    ),
    "gelu": CertifiedActivation(
        gelu, lambda z: z * scipy.special.ndtr(z), _gelu_slope,
        ActivationBounds(1.129, 0.798),  # at sqrt 2: 1.12890; 2/sqrt(2 pi) = .79788
    ),
    "relu": CertifiedActivation(
        relu, lambda z: np.maximum(z, 0.0), lambda z: (z > 0).astype(np.float64), smooth=False
    ),
}  # fmt: skip
"""By the name of the ``Activation``; a nonlinearity of your own is one more entry."""
