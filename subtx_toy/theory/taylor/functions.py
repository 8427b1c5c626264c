"""Ranges of functions of one number and of their first two derivatives: exact at ends and critical points."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from subtx_toy.theory.taylor.ball import UNIT, Ball
from subtx_toy.theory.taylor.jet import Jet

Function = Callable[[Tensor], Tensor]
_TINY = torch.finfo(torch.float64).tiny
_ERROR = 64 * UNIT  # of evaluating one of these: a few roundings of terms of the size of the result, or of 1


@dataclass(frozen=True)
class Smooth:
    """A function with its derivatives, and the points where each of the three can have an extremum.

    ``offset`` is 1 where terms of the size of 1 cancel in them, and 0 where their error is relative. Outside
    ``domain`` it is not defined.
    """

    orders: tuple[Function, Function, Function]
    critical: tuple[tuple[float, ...], tuple[float, ...], tuple[float, ...]]
    offset: float = 1.0
    domain: tuple[float, float] = (-math.inf, math.inf)

    def range(self, order: int, low: Tensor, high: Tensor) -> Ball:
        """Enclose a derivative on intervals."""
        ends = [self.orders[order](low), self.orders[order](high)]
        least, most = torch.minimum(*ends), torch.maximum(*ends)
        for point in self.critical[order]:
            inside = (low <= point) & (point <= high)
            value = float(self.orders[order](torch.tensor(point, dtype=low.dtype)))
            least = torch.where(inside, least.clamp_max(value), least)
            most = torch.where(inside, most.clamp_min(value), most)
        found = Ball.between(least, most)
        return Ball(found.mid, found.rad + _ERROR * (found.size + self.offset) + _TINY)

    def of(self, x: Jet) -> Jet:
        """Return the jet of the function of x: f(x)'' = f''(x) x'^2 + f'(x) x''.

        Raises:
            ValueError: if x leaves the domain.
        """
        low, high = x.value.low, x.value.high
        if not (bool((low > self.domain[0]).all()) and bool((high < self.domain[1]).all())):
            raise ValueError(f"its argument reaches {float(low.min()):.3g} to {float(high.max()):.3g}")
        value, slope, bend = (self.range(order, low, high) for order in range(3))
        return Jet(value, slope * x.first, bend * (x.first * x.first) + slope * x.second)


def _phi(x: Tensor) -> Tensor:
    found: Tensor = torch.exp(-x * x / 2) / math.sqrt(2 * math.pi)
    return found


def _Phi(x: Tensor) -> Tensor:  # noqa: N802
    found: Tensor = torch.special.ndtr(x)
    return found


def _sigmoid_slope(x: Tensor) -> Tensor:
    return torch.sigmoid(x) * torch.sigmoid(-x)


_TANH_BEND = math.atanh(1 / math.sqrt(3))
_SIGMOID_BEND = math.log(2 + math.sqrt(3))
_GELU_LEAST = -0.7517915246935645  # the zero of Phi(x) + x phi(x)
# Their digits do not matter: near an extremum the function is flat to second order, and _ERROR is added.

FUNCTIONS: dict[str, Smooth] = {
    "tanh": Smooth(
        (
            torch.tanh,
            lambda x: 1 - torch.tanh(x) ** 2,
            lambda x: -2 * torch.tanh(x) * (1 - torch.tanh(x) ** 2),
        ),
        ((), (0.0,), (-_TANH_BEND, _TANH_BEND)),
    ),
    "sigmoid": Smooth(
        (torch.sigmoid, _sigmoid_slope, lambda x: _sigmoid_slope(x) * (1 - 2 * torch.sigmoid(x))),
        ((), (0.0,), (-_SIGMOID_BEND, _SIGMOID_BEND)),
    ),
    "softplus": Smooth(
        (lambda x: torch.nn.functional.softplus(x), torch.sigmoid, _sigmoid_slope),
        ((), (), (0.0,)), domain=(-math.inf, 20.0),
    ),
    "gelu": Smooth(
        (lambda x: x * _Phi(x), lambda x: _Phi(x) + x * _phi(x), lambda x: _phi(x) * (2 - x * x)),
        ((_GELU_LEAST,), (-math.sqrt(2), math.sqrt(2)), (-2.0, 0.0, 2.0)),
    ),
    "erf": Smooth(
        (
            torch.erf,
            lambda x: 2 / math.sqrt(math.pi) * torch.exp(-x * x),
            lambda x: -4 / math.sqrt(math.pi) * x * torch.exp(-x * x),
        ),
        ((), (0.0,), (-math.sqrt(0.5), math.sqrt(0.5))),
    ),
    "atan": Smooth(
        (torch.atan, lambda x: 1 / (1 + x * x), lambda x: -2 * x / (1 + x * x) ** 2),
        ((), (0.0,), (-math.sqrt(1 / 3), math.sqrt(1 / 3))),
    ),
    "exp": Smooth((torch.exp,) * 3, ((), (), ()), offset=0.0),
    "log": Smooth((torch.log, lambda x: 1 / x, lambda x: -1 / x**2), ((), (), ()), domain=(0.0, math.inf)),
    "sqrt": Smooth(
        (torch.sqrt, lambda x: 0.5 * x**-0.5, lambda x: -0.25 * x**-1.5),
        ((), (), ()), offset=0.0, domain=(0.0, math.inf),
    ),
    "rsqrt": Smooth(
        (torch.rsqrt, lambda x: -0.5 * x**-1.5, lambda x: 0.75 * x**-2.5),
        ((), (), ()), offset=0.0, domain=(0.0, math.inf),
    ),
    "reciprocal": Smooth(
        (lambda x: 1 / x, lambda x: -1 / x**2, lambda x: 2 / x**3), ((), (), ()), offset=0.0, domain=(0.0, math.inf)
    ),
}  # fmt: skip
"""By the name of the operation in aten; the reciprocal is of positive numbers."""


def trigonometric(name: str, x: Jet) -> Jet:
    """Return the jet of ``sin`` or ``cos``: from the middle, within the radius, and never beyond 1."""
    functions: list[Function] = [torch.sin, torch.cos, lambda y: -torch.sin(y), lambda y: -torch.cos(y)]
    start = 0 if name == "sin" else 1
    mid, rad = x.value.mid, x.value.rad
    value, slope, bend = (
        Ball(functions[(start + order) % 4](mid), rad.clamp_max(2.0) + _ERROR * (1 + mid.abs())) for order in range(3)
    )
    return Jet(value, slope * x.first, bend * (x.first * x.first) + slope * x.second)


def reciprocal(x: Jet) -> Jet:
    """Return 1 / x for numbers of one sign."""
    if bool((x.value.high < 0).all()):
        return -FUNCTIONS["reciprocal"].of(-x)
    return FUNCTIONS["reciprocal"].of(x)


def softmax(x: Jet, dim: int) -> Jet:
    """Return the softmax along an axis: p' = p (x' - p.x'), each p_i least where x_i is least and the others most."""
    shift, left_out = x.value.mid.amax(dim, keepdim=True), torch.isneginf(x.value.mid)
    low, high = (torch.exp(end - shift).masked_fill(left_out, 0.0) for end in (x.value.low, x.value.high))
    slack = 4 * x.shape[dim] * UNIT  # of a sum; the difference from one term errs by that of the sum
    rest_low, rest_high = (
        ((1 + sign * slack) * one.sum(dim, keepdim=True) - one).clamp_min(0.0) for sign, one in ((-1, low), (1, high))
    )
    value = Ball.between(low / (low + rest_high), high / (high + rest_low))
    value = Ball(value.mid, value.rad + (_ERROR + 2 * x.shape[dim] * UNIT) * (1 + value.size))
    num = x.shape[dim]

    def mean(weight: Ball, of: Ball) -> Ball:
        total = weight * of
        return Ball(total.mid.sum(dim, keepdim=True), total.rad.sum(dim, keepdim=True)).rounded(
            num, total.size.sum(dim, keepdim=True)
        )

    centred = x.first - mean(value, x.first)
    first = value * centred
    second = first * centred + value * (x.second - (mean(first, x.first) + mean(value, x.second)))
    return Jet(value, first, second)


def logsumexp(x: Jet, dim: int, *, keepdim: bool) -> Jet:
    """Return log sum exp x along an axis; its derivative is p . x', p the softmax."""
    p, num = softmax(x, dim), x.shape[dim]
    value = Ball.between(*(torch.logsumexp(end, dim, keepdim=True) for end in (x.value.low, x.value.high)))
    value = Ball(value.mid, value.rad + (_ERROR + num * UNIT) * (1 + value.size))

    def total(one: Ball) -> Ball:
        return Ball(one.mid.sum(dim, keepdim=True), one.rad.sum(dim, keepdim=True)).rounded(
            num, one.size.sum(dim, keepdim=True)
        )

    first = total(p.value * x.first)
    found = Jet(value, first, total(p.first * x.first + p.value * x.second))
    return found if keepdim else found.each(lambda one: one.squeeze(dim))
