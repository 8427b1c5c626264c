"""What the theory knows of each nonlinearity: bounds on its derivatives, and its values at any precision."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

from flint import arb

from subtx_toy.problem.activation_bounds import ActivationBounds
from subtx_toy.problem.activations import ACTIVATIONS as OWN
from subtx_toy.problem.activations import Activation
from subtx_toy.problem.model import MLP
from subtx_toy.problem.problem import Problem


class SmoothActivation(NamedTuple):
    """One twice continuously differentiable nonlinearity, with bounds rounded to nearest: theory leaves room for that.

    ``at_point`` gives value and slope at a ball, each a ball that holds the truth, at the precision of ``flint.ctx``.
    """

    bounds: ActivationBounds
    at_point: Callable[[arb], tuple[arb, arb]]


def is_known(activation: Activation) -> bool:
    """Whether an activation has bounds here; one that takes the name of the package's own has not."""
    return activation.name in ACTIVATIONS and activation is OWN.get(activation.name, activation)


def no_bounds(problem: Problem) -> str:
    """Say why the derivatives of a problem's model are not bounded here; an empty text if they are."""
    if not isinstance(problem.model, MLP):
        return "no bound on the second derivative of this model is known, only of this package's perceptrons"
    activation = problem.model.activation
    if problem.model.num_layers == 1 or is_known(activation):
        return ""
    if activation.smooth:
        return f"no bounds are registered for {activation.name} in subtx_toy.theory.activations"
    return f"{activation.name} is not twice continuously differentiable"


def _tanh(z: arb) -> tuple[arb, arb]:
    a = z.tanh()
    return a, 1 - a * a


def _sigmoid(z: arb) -> tuple[arb, arb]:
    a = 1 / (1 + (-z).exp())
    return a, a * (1 - a)


def _softplus(z: arb) -> tuple[arb, arb]:
    return z.exp().log1p(), 1 / (1 + (-z).exp())


def _gelu(z: arb) -> tuple[arb, arb]:
    cumulative = (1 + (z / arb(2).sqrt()).erf()) / 2
    density = (-z * z / 2).exp() / (2 * arb.pi()).sqrt()
    return z * cumulative, cumulative + z * density


ACTIVATIONS = {
    # s'' = -2 s (1 - s^2), largest at s^2 = 1/3.
    "tanh": SmoothActivation(ActivationBounds(slope=1.0, bend=4 / (3 * math.sqrt(3)), ceiling=1.0), _tanh),
    # s(z) = (1 + tanh(z/2))/2.
    "sigmoid": SmoothActivation(
        ActivationBounds(slope=0.25, bend=1 / (6 * math.sqrt(3)), offset=0.5, growth=0.25, ceiling=1.0), _sigmoid
    ),
    # s' = sigmoid, s(0) = log 2.
    "softplus": SmoothActivation(ActivationBounds(slope=1.0, bend=0.25, offset=math.log(2)), _softplus),
    # s = z Phi, s' = Phi + z phi is largest at sqrt 2 (1.12890...), s'' = (2 - z^2) phi at 0.
    "gelu": SmoothActivation(ActivationBounds(slope=1.129, bend=2 / math.sqrt(2 * math.pi)), _gelu),
}
"""By the name of the ``Activation``; a nonlinearity of your own is one more entry."""
