"""Whether the trait loss falls to first order after ANY number of steps, for teachers that were trained (claim C29)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float

from subtx_toy.problem import params as vectors
from subtx_toy.problem.problem import Problem
from subtx_toy.theory.output_kernel import OutputKernel

Values = Float[np.ndarray, " m"]


@dataclass(frozen=True, eq=False)
class TraitCriterion:
    """F(t) = sum_j s_j min(lambda_j, t) with s_j = -(u_j . g)(u_j . dT), at the positive eigenvalues of G.

    If F(lambda_i) >= 0 at each of them, then g . h(G) dT <= 0 for every h that is concave and nondecreasing on
    [0, lambda_max] with h(0) = 0: for plain descent after every number of steps with student_lr <= 1 / lambda_max, and
    for gradient flow at every time. For such an h is a positive mixture of these kinks,

        h(lambda) = integral of min(lambda, t) (-h''(t)) dt + h'(lambda_max) min(lambda, lambda_max),

    so -g . h(G) dT is the same mixture of values of F, and F is linear between two eigenvalues and 0 at 0. A teacher
    that follows -g has s_j >= 0 throughout. F >= 0 is sufficient, and says nothing about terms of second order in eps.
    It is not necessary but at its two ends: F(lambda_max) is what one step does, and F at the least positive eigenvalue
    what infinitely many do.

    Attributes:
        eigenvalues: the positive ones, ascending.
        values: F at each.
        products: lambda_j (u_j . g)(u_j . dT).
        rounding: how far rounding may move a value of F.
    """

    eigenvalues: Values
    values: Values
    products: Values
    rounding: float

    @property
    def holds(self) -> bool:
        """Whether F >= 0 at every positive eigenvalue, up to rounding."""
        return bool((self.values >= -self.rounding).all())

    @property
    def least(self) -> float:
        """The least value of F, 0 where there is no eigenvalue."""
        return float(self.values.min(initial=np.inf)) if len(self.values) else 0.0

    def change(self, function: Callable[[Values], Values]) -> float:
        """Return g . h(G) dT, the change of the trait loss per unit eps, for a function with h(0) = 0."""
        return float((self.products * function(self.eigenvalues) / self.eigenvalues).sum())


def trait_criterion(problem: Problem, kernel: OutputKernel | None = None) -> TraitCriterion:
    """Return F for the problem's trait loss and teacher.

    Raises:
        InputError: without a trait loss, or if inputs times outputs are too many for a dense kernel.
    """
    kernel = OutputKernel(problem) if kernel is None else kernel
    g, dT = vectors.flatten(problem.trait_gradient()), vectors.flatten(problem.teacher_update)
    values = kernel.modes[0]
    products = kernel.components(kernel.seen(g)) * kernel.components(kernel.seen(dT))
    eps = torch.finfo(values.dtype).eps
    above = values > len(values) * eps * kernel.largest
    lambdas, kept = values[above].numpy(), products[above].numpy()
    # min(lambda_j, t) / lambda_j
    parts = np.minimum(1.0, lambdas[:, None] / lambdas[None, :]) if len(lambdas) else np.zeros((0, 0))
    size = float(np.abs(kept).sum()) + kernel.largest * float(g.norm() * dT.norm()) * eps
    return TraitCriterion(lambdas, -(parts @ kept), kept, 64 * eps * size)
