"""Lower and upper bounds of elementary functions at float64 points, from ``+ - * /`` alone.

Every error bound is derived beside the code, in units of u = 2^-53; "a few" roundings of relative size are always
rounded up to a power of two. Arguments may be infinite (as ends of unbounded intervals), never nan.
"""

from __future__ import annotations

import math

import numpy as np

from subtx_toy.certify.balls.rounding import Array

Bounds = tuple[Array, Array]

_LN2_HIGH = float.fromhex("0x1.62e42feep-1")  # 32 bits: its products with integers below 2^21 are exact
_LN2_LOW = float.fromhex("0x1.a39ef35793c76p-33")  # ln 2 - _LN2_HIGH, rounded: off by less than 2^-86
_EXP_LEAST, _EXP_MOST = -708.0, 709.0  # between them exp is a normal number
_EXP_TERMS = [1.0 / math.factorial(power) for power in range(14)]
_SQRT_HALF = math.sqrt(0.5)
_CDF_TERMS, _CDF_MOST = 120, 8.5
_MIN_NORMAL = 2.0**-1022


def exp_bounds(x: Array) -> Bounds:
    """Bound e^x, from below by 0 and from above by infinity where it leaves the normal range.

    With k = rint(x / ln 2) and r = x - k ln 2, e^x = 2^k e^r for any k. |r| <= ln2/2 + 1e-12 < .3466. Reduction: x -
    k HIGH rounds once (.36u), k LOW once (1024 * 2^-33 u), their difference once (.35u), and LOW is off by k 2^-86:
    .75u absolute in r, so .75u relative. The polynomial of degree 13 leaves .3466^14/14! e^.35 < .06u. Horner's rule
    with coefficients rounded to nearest errs by at most 29u times sum |r|^j/j! <= e^.3466 < 1.42, that is 41.2u, on a
    value of at least e^-.3466 > .70: 59u. In all 60u < 2^-47; 2^-46 is used, and the bounds' own roundings are below
    the difference. Scaling by 2^k is exact: the result is normal.
    """
    inside = np.clip(x, _EXP_LEAST, _EXP_MOST)
    k = np.rint(inside * (1 / math.log(2)))
    r = (inside - k * _LN2_HIGH) - k * _LN2_LOW
    p = np.full_like(r, _EXP_TERMS[-1])
    for coefficient in reversed(_EXP_TERMS[:-1]):
        p *= r
        p += coefficient
    value = np.ldexp(p, k.astype(np.int32))
    lower = np.where(x < _EXP_LEAST, 0.0, value * (1 - 2.0**-46))
    upper = np.where(x > _EXP_MOST, np.inf, value * (1 + 2.0**-46))
    return lower, upper


def log_bounds(x: Array) -> Bounds:
    """Bound log x for normal x > 0.

    x = 2^e m with m in [sqrt(1/2), sqrt 2), f = m - 1 exact, s = f/(2 + f), |s| < .1716 with two roundings, log m = 2 s
    (1 + q), q = sum_{k=1}^{11} s^2k/(2k+1) < .0101 with fewer than 40 roundings (.4u of 1 + q), the rest below .01u. So
    log m errs by 2u + 2u + .5u < 5u of |log m| <= .35, that is 1.8u. e HIGH is exact, e LOW + log m and the last sum
    round once each: .4u and u |log x|, and LOW's own error is 1075 * 2^-86 < .01u. In all less than 2^-51 (1 +
    |log x|).
    """
    m, e = np.frexp(x)
    small = m < _SQRT_HALF
    m, e = np.where(small, 2 * m, m), np.where(small, e - 1, e).astype(np.float64)
    f = m - 1.0
    s = f / (2.0 + f)
    value = e * _LN2_HIGH + (2 * s * (1.0 + _odd_series(s * s, 11)) + e * _LN2_LOW)
    error = 2.0**-51 * (1 + np.abs(value)) * (1 + 2.0**-40)
    return np.where(x > 1, np.maximum(value - error, 0.0), value - error), value + error


def log1p_bounds(t: Array) -> Bounds:
    """Bound log(1 + t) for t in [0, 1]: 2 s (1 + q), s = t/(2 + t) <= 1/3, q = sum_{k=1}^{17} s^2k/(2k+1) < .04.

    Every term is positive. s has two roundings, q fewer than 64 (2.6u of 1 + q) and those of s^2 (.2u), the end three:
    8u with the tail, which is below (1/9)^18/37 * 9/8 < .01u. 2^-49 is used; TINY is for subnormal t.
    """
    s = t / (2.0 + t)
    value = 2 * s * (1.0 + _odd_series(s * s, 17))
    return np.maximum(value * (1 - 2.0**-49) - _MIN_NORMAL, 0.0), value * (1 + 2.0**-49) + _MIN_NORMAL


def sigmoid_bounds(x: Array) -> Bounds:
    """Bound 1/(1 + e^-x): with t = e^-|x| it is 1/(1 + t) for x >= 0 and t/(1 + t) below, two roundings each."""
    t_low, t_high = exp_bounds(-np.abs(x))
    positive = x >= 0
    lower = np.where(positive, 1.0 / (1.0 + t_high), t_low / (1.0 + t_low))
    upper = np.where(positive, 1.0 / (1.0 + t_low), t_high / (1.0 + t_high))
    return lower * (1 - 2.0**-51), np.minimum(upper * (1 + 2.0**-51) + _MIN_NORMAL, 1.0)


def tanh_bounds(x: Array) -> Bounds:
    """Bound tanh x: (1 - t)/(1 + t) with t = e^-2|x|, three roundings; and x - x^3/3 <= tanh x <= x for x >= 0."""
    size = np.abs(x)
    t_low, t_high = exp_bounds(-2.0 * size)
    near = np.minimum(size, 1.0)  # the cubic is below zero beyond sqrt 3, and then of no use
    cubic = np.where(size <= 1.0, near * (1.0 - near * near * (1.0 / 3.0 + 2.0**-50)) * (1 - 2.0**-50), 0.0)
    lower = np.maximum(np.maximum((1.0 - t_high) / (1.0 + t_high) * (1 - 2.0**-51), cubic - _MIN_NORMAL), 0.0)
    upper = np.minimum(np.minimum((1.0 - t_low) / (1.0 + t_low) * (1 + 2.0**-51), size), 1.0)
    negative = x < 0
    return np.where(negative, -upper, lower), np.where(negative, -lower, upper)


def softplus_bounds(x: Array) -> Bounds:
    """Bound log(1 + e^x) = max(x, 0) + log(1 + e^-|x|): one more rounding, of a sum of non-negative numbers."""
    t_low, t_high = exp_bounds(-np.abs(x))
    rest = np.maximum(x, 0.0)
    lower = rest + log1p_bounds(t_low)[0]
    upper = rest + log1p_bounds(np.minimum(t_high, 1.0))[1]
    return lower * (1 - 2.0**-51), upper * (1 + 2.0**-51)


def normal_cdf_bounds(x: Array) -> Bounds:
    """Bound the normal distribution function: 1/2 + phi(z) z (1 + w/3 (1 + w/5 (1 + ...))), w = z^2, for z = |x|.

    All terms T_n = z^(2n+1)/(2n+1)!! are positive, and T_n carries 3n + 2 roundings of Horner's rule and n of w. From
    (2n + 1) T_n = w T_(n-1) their average n is at most w/2, so the sum errs by (2w + 2)u. phi = e^(-w/2)/sqrt(2 pi):
    w/2 u from w, 2^-46 from exp, three roundings: (2.5w + 6)u + 2^-46 in all; (4w + 32)u + 2^-46 is used. For z <= 8.5
    the 120 terms leave less than 2^-60 of the sum (the share of the tail grows with z; a test computes it at 8.5).
    Beyond, the upper tail is below phi(8.5)/8.5 < 2^-56.
    """
    z = np.minimum(np.abs(x), _CDF_MOST)
    w = z * z
    series = np.ones_like(w)
    for step in range(_CDF_TERMS, 0, -1):
        series *= w / (2.0 * step + 1.0)
        series += 1.0
    density_low, density_high = exp_bounds(-0.5 * w)
    error = (4 * w + 32) * 2.0**-53 + 2.0**-46
    body = z * series * (1 / math.sqrt(2 * math.pi))
    lower = np.maximum(0.5 + body * density_low * (1 - error) - 2.0**-53, 0.5)
    upper = np.minimum(0.5 + body * density_high * (1 + error) + 2.0**-53, 1.0)
    beyond = np.abs(x) > _CDF_MOST
    lower, upper = np.where(beyond, 1.0 - 2.0**-53, lower), np.where(beyond, 1.0, upper)
    negative = x < 0
    # 1 - upper and 1 - lower are exact: both numbers lie in [1/2, 1].
    return np.where(negative, 1.0 - upper, lower), np.where(negative, 1.0 - lower, upper)


def _odd_series(w: Array, terms: int) -> Array:
    """Return sum_{k=1}^{terms} w^k/(2k+1) by Horner's rule."""
    q = np.zeros_like(w)
    for k in range(terms, 0, -1):
        q = w * (1.0 / (2 * k + 1) + q)
    return q
