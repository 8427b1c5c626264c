"""The four quantities whose sign is certified, as functions of eps that vanish at 0 with a known power of it."""

from __future__ import annotations

from functools import cached_property

from subtx_toy.certify.activations import Series, softmax
from subtx_toy.certify.balls import Ball
from subtx_toy.certify.balls.ball import zeros
from subtx_toy.certify.chain.ray import ChainRay
from subtx_toy.certify.description import Description
from subtx_toy.certify.jets import Box, Jet, divided, from_terms, quotient, taylor
from subtx_toy.certify.ray import START, OutputRay
from subtx_toy.certify.student import StudentStep


class Quantity:
    """F(eps), to be proved positive, and the power of eps that divides it: F(eps) / eps^power is the rate.

    ``alignment``    a(eps) = mean_i <v_i, rho_i(eps)>                        power 1
    ``every-batch``  the same for every input i by itself                     power 1
    ``trait-loss``   L_T(base) - L_T(base + student_lr dS(eps))               power 1
    ``distance``     2 eps a(eps) - student_lr ||dS(eps)||^2                  power 2

    rho_i(eps) = -dl/dz(z_i(0), z_i(eps)): z_i(eps) - z_i(0) for squared error, (p_i(eps) - p_i(0)) / tau for kl.
    """

    def __init__(self, described: Description) -> None:
        self.described, self.name = described, described.quantity
        self.power = 2 if self.name == "distance" else 1
        self.ray = ChainRay(described) if described.layers else OutputRay(described)
        self.outputs, self.v = self.ray.start
        self.probabilities = self._answer([self.outputs])[0]
        self.loss_at_init = self.student.loss_at_init() if self.name == "trait-loss" else Ball.exact(0.0)

    @cached_property
    def student(self) -> StudentStep:
        """The student's step, of perceptrons alone."""
        return StudentStep(self.described)

    def _answer(self, z: Series) -> Series:
        # What rho is a difference of: outputs, or probabilities over tau.
        if self.described.loss == "squared_error":
            return z
        tau = self.described.temperature
        return [one.over(tau) for one in softmax([one.over(tau) for one in z])]

    def order(self, wanted: int) -> int:
        """Return the order of Taylor's theorem to use: 1 where relu's kinks allow no more."""
        return wanted if self.ray.smooth else 1

    def _rho(self, box: Box, order: int) -> Jet:
        z = self.ray.outputs(box, order)
        value, *rest = self._answer(z.centre)
        first = zeros(value.shape) if box.at_zero else value - self.probabilities  # rho(0) = 0 exactly
        return from_terms([first, *rest, self._answer(z.box)[-1]], box)

    def rate(self, box: Box, order: int) -> Ball:
        """Enclose F(eps) / eps^power over a box; a scalar, or one number per input for every-batch."""
        order = self.order(order)
        rho = self._rho(box, order)
        if self.name in ("alignment", "every-batch"):
            return self._finish([self._aligned(one) for one in rho.terms], box)
        if self.name == "trait-loss":
            value, *rest = self.student.trait_loss(rho, box).terms
            return self._finish([self.loss_at_init - value, *(-one for one in rest)], box)
        return self._distance(rho, box)

    def curvature(self) -> Ball:
        """Enclose V, the slope of the alignment at 0: a scalar, or one number per input for every-batch."""
        still = self._rho(START, self.order(2))
        return divided([self._aligned(one) for one in still.terms], START, 1)

    def _finish(self, F: Series, box: Box) -> Ball:
        return divided(F, box, self.power) if box.at_zero else quotient(taylor(F, box, 0), box, self.power)

    def _aligned(self, rho: Ball) -> Ball:
        per_input = (self.v * rho).sum(-1)
        return per_input if self.name == "every-batch" else per_input.sum().over(float(per_input.shape[0]))

    def _distance(self, rho: Jet, box: Box) -> Ball:
        # At 0 both terms are divided by eps^2: 2 a/eps - student_lr ||dS/eps||^2, each enclosed over the box.
        K, lr = len(rho.centre), self.described.student_lr
        aligned = [self._aligned(one) for one in rho.terms]
        deltas = self.student.backward(rho.terms)
        if box.at_zero:
            update = [[divided(delta, box, 1)] for delta in deltas]
            return divided(aligned, box, 1).scaled(2.0) - self.student.squared_norm(update, 0).scaled(lr)
        over_box = [from_terms(delta, box).box for delta in deltas]
        c, eps = Ball.exact(box.centre), box.eps()
        moved = [aligned[0] * c, *(aligned[k] * c + aligned[k - 1] for k in range(1, K))]
        centre = [
            moved[k].scaled(2.0) - self.student.squared_norm([delta[:K] for delta in deltas], k).scaled(lr)
            for k in range(K)
        ]
        last = aligned[K] * eps + taylor(aligned, box, K - 1)
        return self._finish([*centre, last.scaled(2.0) - self.student.squared_norm(over_box, K).scaled(lr)], box)
