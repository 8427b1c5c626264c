"""Taylor coefficients through nonlinear layers: f_k = f^(k)/k! along the ray, as lists of balls ``[f_0, f_1, ...]``.

The recursions hold for the coefficients at one point and, since they are identities of derivatives, for enclosures of
the coefficients at every point of a box at once.
"""

from __future__ import annotations

from collections.abc import Sequence

from subtx_toy.certify.balls import Ball, nonlinear

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
