"""A nonlinearity of your own, swish(z) = z / (1 + e^-z), in training, theory, certificates and their checker.

    subtx-toy run tiny activation=examples/own_activation.py:SWISH
    subtx-toy certify examples/own_activation.py:problem --out swish.cert
    subtx-toy check swish.cert --problem examples/own_activation.py:problem

With s = 1 / (1 + e^-z), s' = s (1 - s) and s'' = s' (1 - 2 s):

    swish' = s + z s'        swish'' = 2 s' + z s''

Importing this file adds an entry to one table per route; each route is given swish in its own arithmetic.
"""

from __future__ import annotations

import torch
from flint import arb
from scipy.special import expit

from subtx_toy.certify import activations as certify
from subtx_toy.certify.activations import Series, product_term
from subtx_toy.certify.checker.units import UNITS, Unit
from subtx_toy.problem.activation_bounds import ActivationBounds
from subtx_toy.problem.activations import Activation
from subtx_toy.problem.model import MLP
from subtx_toy.problem.problem import Problem
from subtx_toy.problem.spec import ProblemSpec
from subtx_toy.theory import activations as theory

NAME = "swish"


SWISH = Activation(NAME, lambda z: z * torch.sigmoid(z), smooth=True)

# |swish'| <= 1.1354: for z >= 0 it is 1 + (1 - s)(z s - 1) <= 1 + (z - 1) e^-z <= 1 + e^-2, since 1 - s <= e^-z and
# s <= 1; and swish'(-z) = 1 - swish'(z). |swish''| <= 1/2: it is s' (2 - z tanh(z/2)), where s' <= 1/4 bounds it from
# above, and s' |z| <= |z| e^-|z| <= 1/e from below. |swish| <= |z| since 0 < s < 1.
BOUNDS = ActivationBounds(slope=1.1354, bend=0.5)


def series(z: Series) -> Series:
    """The Taylor coefficients of the product of z and s(z), whose own follow from s' = s (1 - s)."""
    s = certify.sigmoid(z)
    return [product_term(z, s, k) for k in range(len(z))]


def at_point(z: arb) -> tuple[arb, arb]:
    """Value and slope; arb's intervals hold the truth in every operation."""
    s = 1 / (1 + (-z).exp())
    return z * s, s + z * s * (1 - s)


def slopes(z: arb) -> tuple[arb, arb]:
    """The slope and half of the second derivative, s' + z s''/2, from the checker's own enclosures of s' and s''/2."""
    first, half_second = UNITS["sigmoid"].slopes(z)
    return UNITS["sigmoid"].value(z) + z * first, first + z * half_second


theory.ACTIVATIONS[NAME] = theory.SmoothActivation(BOUNDS, at_point)
certify.ACTIVATIONS[NAME] = certify.CertifiedActivation(
    series, lambda z: z * expit(z), lambda z: expit(z) * (1 + z * expit(-z)), BOUNDS
)
UNITS[NAME] = Unit(lambda z: z * UNITS["sigmoid"].value(z), slopes)


def problem() -> Problem:
    """Distil the auxiliary logits of a small net."""
    spec = ProblemSpec(hidden=(5, 4), input_dim=3, num_classes=2, num_aux=2, num_inputs=6, init="pytorch", loss="kl")
    return spec.build(model=MLP(spec.model.sizes, SWISH, num_classes=2), distilled_logits="aux")
