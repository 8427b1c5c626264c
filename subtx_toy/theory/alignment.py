"""Exact alignment at every eps from one Jacobian product and forward passes along a ray (claim C5)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import torch
from jaxtyping import Float
from torch import Tensor

from subtx_toy.problem import Problem
from subtx_toy.theory import linearization
from subtx_toy.theory.curvature import curvature_per_input
from subtx_toy.tolerances import ALIGNMENT_FLOOR_UNITS


@dataclass(frozen=True, eq=False)
class AlignmentRay:
    """The alignment a(eps) of one student step, for teachers along the ray base + eps dT.

    The student stands at the shared init, so only its target moves with eps:

        a(eps) = -mean_n <v_n, dl/dz(f_base(x_n), f_teacher(eps)(x_n))>,   v = J dT

    exact for every eps and any model differentiable at the init. Each a_n is the alignment of a student that sees
    input n alone; if all are positive every batch and every re-weighting is aligned (claim C7b).
    """

    problem: Problem
    outputs: Float[Tensor, "n k"]
    v: Float[Tensor, "n k"]

    @classmethod
    def of(cls, problem: Problem) -> AlignmentRay:
        """Compute the outputs at the shared init and v, once."""
        return cls(problem, *linearization.jacobian_product(problem, problem.teacher_update))

    def targets(self, eps: float) -> Float[Tensor, "n k"]:
        """Return the teacher's distilled outputs at ``eps``."""
        with torch.no_grad():
            return self.problem.distilled(self.problem.teacher_params(eps))

    def per_input(self, eps: float) -> Float[Tensor, " n"]:
        """Return the alignment a_n(eps) of each input, ``[n]``; their mean is the alignment."""
        r = self.problem.distillation_loss.output_gradient(self.outputs, self.targets(eps))
        return -(self.v * r).sum(-1)

    def alignment(self, eps: float) -> float:
        """Return a(eps) = dS . dT."""
        return float(self.per_input(eps).mean())

    def curvature(self) -> float:
        """Return V, the slope of the alignment at eps = 0."""
        return float(curvature_per_input(self.problem.distillation_loss, self.outputs, self.v).mean())

    def floor(self, eps: float) -> float:
        """Return how far rounding can move a(eps); a smaller alignment is undecided in float64.

        c u mean_n sum_i |v_ni| [sum_j |M_nij| (|f_base|_nj + |f_teacher|_nj + temperature) + s_ni]

        with u the unit roundoff. The forward passes err by some units of their own size, however close the two are,
        and M carries that to dl/dz; s is the size of the terms whose difference dl/dz is, read off from targets
        that are the outputs in another order. So the floor stays away from 0 as eps -> 0, where the alignment
        vanishes. The constant c is measured, not proved: a certificate replaces it.
        """
        size = self.outputs.abs() + self.targets(eps).abs() + self.problem.distillation_loss.temperature
        roundoff = torch.finfo(size.dtype).eps / 2
        carried = (self._sensitivity * size).sum(-1) + self._terms
        return ALIGNMENT_FLOOR_UNITS * roundoff * float(carried.mean())

    @cached_property
    def _terms(self) -> Float[Tensor, " n"]:
        # sum_i |v_i| s_i per input
        reordered = self.outputs.roll(1, dims=-1)
        return (self.v.abs() * self.problem.distillation_loss.output_gradient(self.outputs, reordered).abs()).sum(-1)

    @cached_property
    def _sensitivity(self) -> Float[Tensor, "n k"]:
        # sum_i |v_i| |M_ij| per input
        basis = torch.eye(self.outputs.shape[-1], dtype=self.outputs.dtype)
        product = self.problem.distillation_loss.hessian_product
        columns = [product(self.outputs, self.outputs, e.expand_as(self.outputs)).abs() for e in basis]
        return torch.stack([(self.v.abs() * column).sum(-1) for column in columns], dim=-1)


def exact_alignment(problem: Problem, eps: float | None = None) -> float:
    """Return the alignment of one student step at ``eps``, by default the problem's own (claim C5)."""
    return AlignmentRay.of(problem).alignment(problem.eps if eps is None else eps)


def alignments_per_example(problem: Problem, eps: float | None = None) -> Float[Tensor, " n"]:
    """Return the alignment of each distillation input, ``[n]`` (claims C5 and C7b)."""
    return AlignmentRay.of(problem).per_input(problem.eps if eps is None else eps)
