"""Forward and backward passes of a student whose parameters are polynomials in the teacher's step size."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from subtx_toy.certify.activations import ACTIVATIONS, Series, slope_series, softmax
from subtx_toy.certify.balls import Ball, dot
from subtx_toy.certify.balls.ball import zeros
from subtx_toy.certify.description import Description
from subtx_toy.certify.jets import Box, Jet, from_terms, multiplied

Parameters = list[tuple[Jet, Jet]]
"""Weight ``[in, out]`` and bias ``[out]`` of every layer along a box; of the last one the distilled outputs alone."""


@dataclass(frozen=True)
class Passes:
    """A student over a box: by layer its inputs and pre-activations ``[n, w]``, and where its gradient points.

    ``rho`` ``[n, k]`` is minus the gradient of every input's loss in the outputs; ``update`` is dS, minus the gradient
    of the distillation loss in the parameters: mean over inputs, sum over outputs.
    """

    inputs: list[Jet]
    z: list[Jet]
    rho: Jet
    update: Parameters


class MovingStudent:
    """The student of one description, at parameters that move along a box."""

    def __init__(self, described: Description) -> None:
        self.described = described
        self.activation = ACTIVATIONS[described.activation]
        self.examples = Ball.exact(described.arrays["inputs"])

    def answer(self, z: Series) -> Series:
        """Return what rho is a difference of: outputs, or probabilities over the temperature."""
        if self.described.loss == "squared_error":
            return z
        tau = self.described.temperature
        return [one.over(tau) for one in softmax([one.over(tau) for one in z])]

    def passes(self, at: Parameters, teacher: Jet, box: Box, *, agree: bool) -> Passes:
        """Enclose one forward and one backward pass; ``teacher`` holds the teacher's ``answer`` ``[n, k]``.

        ``agree`` says that student and teacher are one at the centre of the box, so that rho is zero there.
        """
        weight, bias = at[0]
        order = len(weight.centre)
        inputs = [from_terms([self.examples, *[zeros(self.examples.shape)] * order], box)]
        z = [_plus([dot(self.examples, one) for one in weight.terms], bias, box)]  # of the inputs nothing moves
        for weight, bias in at[1:]:
            inputs.append(z[-1].map(self.activation.series, box))
            z.append(_plus(multiplied(inputs[-1], weight, box, dot).terms, bias, box))
        rho = self._rho(z[-1], teacher, box, agree=agree)
        return Passes(inputs, z, rho, self._backward(at, inputs, z, rho, box))

    def _rho(self, z: Jet, teacher: Jet, box: Box, *, agree: bool) -> Jet:
        terms = [theirs - own for theirs, own in zip(teacher.terms, z.map(self.answer, box).terms, strict=True)]
        if agree:
            terms[0] = zeros(terms[0].shape)
        return from_terms(terms, box)

    def _backward(self, at: Parameters, inputs: list[Jet], z: list[Jet], rho: Jet, box: Box) -> Parameters:
        delta = from_terms([one.over(float(one.shape[0])) for one in rho.terms], box)
        found = []
        for layer in range(len(at) - 1, 0, -1):
            weight = multiplied(inputs[layer], delta, box, lambda a, one: dot(a.T, one))
            found.append((weight, _summed(delta, box)))
            below = multiplied(delta, at[layer][0], box, lambda one, W: dot(one, W.T))
            slopes = z[layer - 1].map(lambda series: slope_series(self.activation, series), box)
            delta = multiplied(below, slopes, box, Ball.__mul__)
        first = from_terms([dot(self.examples.T, one) for one in delta.terms], box)
        return [(first, _summed(delta, box)), *found[::-1]]


def polynomial(coefficients: list[np.ndarray], box: Box) -> Jet:
    """Return the jet of a polynomial in eps minus the centre of a box, of a degree below the order."""
    return from_terms([*map(Ball.exact, coefficients), zeros(coefficients[0].shape)], box)


def _plus(z: Series, bias: Jet, box: Box) -> Jet:
    return from_terms([one + other for one, other in zip(z, bias.terms, strict=True)], box)


def _summed(delta: Jet, box: Box) -> Jet:
    return from_terms([one.sum(0) for one in delta.terms], box)
