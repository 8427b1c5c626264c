"""The alignment along a ray for a perceptron under squared error or kl: the same formulas on small arrays, in numpy."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cached_property

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from subtx_toy.problem.stack import Array
from subtx_toy.theory import perceptron
from subtx_toy.theory.alignment import UNITS, AlignmentRay, random_signs


class PerceptronRay(AlignmentRay):
    """An ``AlignmentRay`` of a ``FastMLP``; every eps is computed once, and many in one pass.

    Arrays have the outputs first and the inputs last: z and v ``[k, n]``, teachers ``[s, k, n]``.
    """

    @cached_property
    def _teachers(self) -> dict[float, Array]:
        return {}

    @cached_property
    def _z(self) -> Array:
        return self.outputs.T.numpy()

    @cached_property
    def _v(self) -> Array:
        return self.v.T.numpy()

    @cached_property
    def _q(self) -> Array:
        return _softmax(self._z / self.problem.distillation_loss.temperature)

    @property
    def _is_kl(self) -> bool:
        return self.problem.distillation_loss.formula == "kl"

    def prepare(self, every: Sequence[float]) -> None:
        """Compute alignment and floor at all of these eps in one pass."""
        missing = [eps for eps in every if eps not in self._known]
        if missing:
            y = perceptron.teacher_outputs(self.problem, missing)
            s, n = len(y), y.shape[-1]
            alignments = self._slopes(y).reshape(s, -1) @ self._v.ravel() / -n + 0.0  # not -0
            floors = UNITS * (np.abs(y).reshape(s, -1) @ self._sensitivities.ravel() / n + self._fixed)
            self._teachers.update(zip(missing, y, strict=True))
            self._known.update(zip(missing, zip(alignments.tolist(), floors.tolist(), strict=True), strict=True))

    def targets(self, eps: float) -> Float[Tensor, "n k"]:
        """Return the teacher's distilled outputs at ``eps``; do not write to them."""
        self.prepare([eps])
        return torch.from_numpy(self._teachers[eps]).T

    def per_input(self, eps: float) -> Float[Tensor, " n"]:
        """Return the alignment a_n(eps) of each input, ``[n]``; their mean is the alignment."""
        self.prepare([eps])
        return torch.from_numpy(-(self._v * self._slopes(self._teachers[eps])).sum(0))

    def alignment(self, eps: float) -> float:
        """Return a(eps) = dS . dT."""
        if eps not in self._known:
            self.prepare([eps])
        return self._known[eps][0]

    def floor(self, eps: float) -> float:
        """Return how far rounding can move a(eps)."""
        if eps not in self._known:
            self.prepare([eps])
        return self._known[eps][1]

    def curvature(self) -> float:
        """Return V, the slope of the alignment at eps = 0."""
        if not self._is_kl:
            return float((self._v**2).sum(0).mean())
        centred = self._v - (self._q * self._v).sum(0)  # the variance of v under the softmax
        return float((self._q * centred**2).sum(0).mean()) / self.problem.distillation_loss.temperature**2

    def update_slope(self) -> Float[Tensor, " p"]:
        """Return G dT, the slope of dS at eps = 0."""
        return torch.from_numpy(perceptron.pulled_back(self.problem, self._slope / self._z.shape[1]))

    def is_linear(self, eps: float, part: float) -> bool:
        """Whether dl/dz differs from its first order in eps by at most that part of it, or that is zero."""
        size = _norm(self._slope)
        if size == 0:
            return True
        self.prepare([eps])
        return _norm(self._slopes(self._teachers[eps]) + eps * self._slope) <= part * eps * size

    def update_rounding(self, rng: np.random.Generator) -> float:
        """Return how far rounding moves dS, in norm, at small eps."""
        size = 2 * np.abs(self._z) + self.problem.distillation_loss.temperature
        errors = self._terms + self._carried(size)
        pulled = perceptron.pulled_back(self.problem, random_signs(rng, errors.T.shape).T * errors / errors.shape[1])
        return UNITS * _norm(pulled)

    @cached_property
    def _slope(self) -> Array:
        # M v
        if not self._is_kl:
            return self._v
        pv = self._q * self._v
        first: Array = (pv - self._q * pv.sum(0)) / self.problem.distillation_loss.temperature**2
        return first

    def _slopes(self, y: Array) -> Array:
        if not self._is_kl:
            return self._z - y
        tau = self.problem.distillation_loss.temperature
        return (self._q - _softmax(y / tau)) / tau

    @cached_property
    def _terms(self) -> Array:
        # The outputs in another order show the terms whose difference dl/dz is: see ``slope_terms``.
        return np.abs(self._slopes(self._z[np.arange(-1, len(self._z) - 1)]))

    def _carried(self, sizes: Array) -> Array:
        # sum_i |M_ij| sizes_i per input
        if not self._is_kl:
            return sizes
        found: Array = (self._hessians * sizes).sum(1)
        return found

    @cached_property
    def _hessians(self) -> Array:
        # |M_n| under kl: [j, i, n]
        M, at = self._q[:, None] * self._q, np.arange(len(self._q))
        M[at, at] -= self._q
        return np.abs(M) / self.problem.distillation_loss.temperature**2

    @cached_property
    def _sensitivities(self) -> Array:
        return self._carried(np.abs(self._v))

    @cached_property
    def _fixed(self) -> float:
        sizes = np.abs(self._z) + self.problem.distillation_loss.temperature
        return float((np.abs(self._v) * self._terms + self._sensitivities * sizes).sum(0).mean())


def _norm(values: Array) -> float:
    flat = values.ravel()
    return math.sqrt(flat @ flat)


def _softmax(z: Array) -> Array:
    powers: Array = np.exp(z - z.max(axis=-2, keepdims=True))
    powers /= powers.sum(axis=-2, keepdims=True)
    return powers
