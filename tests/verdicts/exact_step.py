# ruff: noqa: N802, the symbols of the theory
"""One step of a student at 200 bits, for any module and loss: every derivative is a difference of the outputs."""

from __future__ import annotations

import copy
from collections.abc import Callable
from functools import cached_property

import numpy as np
import torch
from flint import arb

from subtx_toy.problem.problem import Problem
from subtx_toy.problem.trait_loss import LabelledCrossEntropy
from tests.verdicts import exact_arrays as ex
from tests.verdicts.exact_arrays import Array
from tests.verdicts.exact_losses import ExactLoss
from tests.verdicts.exact_whole import Forward, Params

STEP = arb(2) ** -100
"""Of central differences, which err by the square of it."""

SMALL = arb(2) ** -40
"""What small eps means: a teacher that has moved that far."""

EXACT = -150
"""A difference below 2^EXACT of what it is a difference of is zero."""

BLIND, NEAR = -80, -20
"""V is zero below 2^BLIND of the mean of ||v||^2; a window is near its limit within 2^NEAR of it."""

ORDER = 1.99
"""Least order of a remainder that is O(eps^2): at eps = 2^-40 the next term changes it by 2^-40 or so."""


class ExactStep:
    """The student at an eps, its teacher's update dT, and what the claims say of them.

    ``forward(inputs)(p, p0)`` gives outputs ``[n, k]``. What the student descends holds ``p0`` still, as autograd does.
    """

    def __init__(self, problem: Problem, forward: Callable[[torch.Tensor], Forward], loss: ExactLoss) -> None:
        self._forward, self._loss, self._columns = forward(problem.inputs), loss, problem.columns
        assert problem.trait_loss is not None
        self._trait_forward, self._trait = forward(problem.trait_loss.inputs), problem.trait_loss.value
        self.student_lr = arb(problem.student_lr)
        self.theta = {name: ex.exact(value) for name, value in problem.base_params.items()}
        self.set_update(np.concatenate([ex.exact(problem.teacher_update[name]).ravel() for name in self.theta]))
        self.z = self._outputs(self.theta, self.theta)
        self.n = len(self.z)

    def set_update(self, dT: Array) -> None:
        """Let the teacher move by eps times a flat vector."""
        self.dT, self.dT_norm = dT, ex.norm(dT)[0]
        self.unit = 1 / self.dT_norm

    def _moved(self, by: Array) -> Params:
        params, start = {}, 0
        for name, value in self.theta.items():
            params[name] = value + by[start : start + value.size].reshape(value.shape)
            start += value.size
        return params

    def _places(self) -> list[tuple[str, tuple[int, ...]]]:
        return [(name, place) for name, value in self.theta.items() for place in np.ndindex(*value.shape)]

    def _outputs(self, params: Params, frozen: Params) -> Array:
        return self._forward(params, frozen)[:, self._columns]

    def teacher(self, eps: arb) -> Array:
        """Return the outputs of the teacher."""
        moved = self._moved(eps * self.dT)
        return self._outputs(moved, moved)

    def _slope(self, name: str, place: tuple[int, ...], of: Forward) -> Array:
        params = dict(self.theta)
        ends = []
        for step in (STEP, -STEP):
            params[name] = self.theta[name].copy()
            params[name][place] += step
            ends.append(of(params, self.theta))
        return (ends[0] - ends[1]) / (2 * STEP)

    @cached_property
    def J(self) -> Array:
        """The Jacobian that the student's gradient sees, ``[p, n, k]``."""
        return np.array([self._slope(*one, of=self._outputs) for one in self._places()], dtype=object)

    def _along(self, frozen: bool) -> Array:
        h, ends = STEP * self.unit, []
        for eps in (h, -h):
            moved = self._moved(eps * self.dT)
            ends.append(self._outputs(moved, self.theta if frozen else moved))
        return (ends[0] - ends[1]) / (2 * h)

    @cached_property
    def v(self) -> Array:
        """J dT by one difference along the ray, ``[n, k]``; shares nothing with ``J``."""
        return self._along(frozen=True)

    @cached_property
    def is_cut(self) -> bool:
        """Whether the student's gradient is not the derivative of its outputs."""
        true = self._along(frozen=False)
        return not below(ex.norm((true - self.v).ravel())[0], ex.norm(true.ravel())[0])

    def _back(self, rows: Array) -> Array:
        return (self.J.reshape(len(self.J), -1) * rows.ravel()).sum(axis=1) / self.n

    def dS(self, eps: arb) -> Array:
        """Return the student's update, flat, for a student_lr of 1."""
        return self._back(-self._loss.gradient(self.z, self.teacher(eps)))

    @cached_property
    def G_dT(self) -> Array:
        """J^T M J dT, flat."""
        return self._back(self._loss.hessian_product(self.z, self.v))

    @cached_property
    def V(self) -> arb:
        """<v, M v>, a mean over inputs."""
        return arb((self.v * self._loss.hessian_product(self.z, self.v)).sum()) / self.n

    @property
    def is_blind(self) -> bool:
        """Whether V is zero."""
        return below(self.V, ex.norm(self.v.ravel())[0] ** 2, BLIND)

    def a(self, eps: arb) -> arb:
        """Return the alignment dS . dT."""
        return arb((self.dS(eps) * self.dT).sum())

    def remainders(self, eps: arb) -> tuple[arb, arb]:
        """Return |a - eps V| and ||dS - eps G dT||."""
        dS = self.dS(eps)
        return abs((dS * self.dT).sum() - eps * self.V), ex.norm(dS - eps * self.G_dT)[0]

    @cached_property
    def orders(self) -> tuple[float, float]:
        """The orders in eps of both remainders at small eps; infinite where there is none."""
        first, second = (self.remainders(SMALL * self.unit / part) for part in (1, 2))
        eps = SMALL * self.unit
        scales = (eps * abs(self.V), eps * ex.norm(self.G_dT)[0])
        return tuple(
            float("inf") if below(one, scale) else ex.log2(one / other)
            for one, other, scale in zip(first, second, scales, strict=True)
        )  # type: ignore[return-value]

    def _trait_loss(self, params: Params, frozen: Params) -> arb:
        # a cross-entropy on labels
        assert isinstance(self._trait, LabelledCrossEntropy)
        z = self._trait_forward(params, frozen)[:, self._trait.columns]
        z = z - ex.largest(z)
        chosen = z[np.arange(len(z)), self._trait.labels.numpy()]
        return arb((ex.log(ex.exp(z).sum(-1)) - chosen).sum()) / len(z)

    def trait_change(self, moved: Array) -> arb:
        """Return the change of the trait loss where the parameters move by a flat vector."""
        params = self._moved(moved)
        return self._trait_loss(params, params) - self._trait_loss(self.theta, self.theta)

    def down_the_trait(self) -> ExactStep:
        """Return the same student with the teacher of claim C3: its update is minus the trait gradient, exactly."""
        other = copy.copy(self)
        for name in ("v", "V", "G_dT", "is_cut", "orders"):
            other.__dict__.pop(name, None)
        slopes = (self._slope(*one, of=lambda p, p0: np.array([self._trait_loss(p, p0)])) for one in self._places())
        other.set_update(-np.array([slope[0] for slope in slopes], dtype=object))
        return other

    def misfit(self, eps: arb) -> bool:
        """Return whether dS . dT is something other than - mean <v, dl/dz>, whose v is along the ray."""
        terms = self.v * self._loss.gradient(self.z, self.teacher(eps))
        return not below(abs(self.a(eps) + terms.sum() / self.n), abs(terms).sum() / self.n)

    def conclusions(self) -> dict[str, bool]:
        """Return whether what the claims conclude is true, by their ids."""
        a_order, update_order = self.orders
        eps = SMALL * self.unit
        unmoved = all(below(self.a(far * self.unit), self.dT_norm) for far in (arb(1), SMALL))
        return {
            "C1": not (self.V < 0) and a_order >= ORDER,
            "C1b": self._has_a_window(eps),
            "C2": unmoved if self.is_blind else all(self.a(eps / part) > 0 for part in (1, 2)),
            "C3": self.down_the_trait().lowers_the_trait_loss(),
            "C4": update_order >= ORDER,
            "C5": not any(self.misfit(far * self.unit) for far in (SMALL, arb(1) / 16, arb(1))),
        }

    def _has_a_window(self, eps: arb) -> bool:
        # of student_lr, that ends where the student is as far from the teacher as before, near its limit
        dS, limit = self.dS(eps), 2 * self.V / ex.norm(self.G_dT)[0] ** 2
        if below(ex.norm(dS)[0], eps * self.dT_norm):
            return True  # a student that stays is as far from the teacher as before
        window = 2 * eps * (dS * self.dT).sum() / ex.norm(dS)[0] ** 2
        before = ex.norm(eps * self.dT)[0]
        inside, outside = (ex.norm(part * window * dS - eps * self.dT)[0] for part in (0.9, 1.1))
        near = self.is_blind or below(window - limit, limit, NEAR)  # without V there is no limit
        return near and bool(inside < before) and bool(outside > before)

    def lowers_the_trait_loss(self) -> bool:
        """Return whether the trait loss changes by -eps student_lr V + O(eps^2), and falls if V is not zero."""
        lr, reach = self.student_lr, self.student_lr * ex.norm(self.G_dT)[0] * self.unit
        scale, sizes = SMALL * self.unit / (1 + reach), []
        for eps in (scale, scale / 2):
            change = self.trait_change(lr * self.dS(eps))
            sizes.append(abs(change + eps * lr * self.V))
            if not (change < 0 or self.is_blind):
                return False
        seen = scale * lr * (abs(self.V) + self.dT_norm**2)
        return below(sizes[0], seen) or ex.log2(sizes[0] / sizes[1]) >= ORDER


def below(gap: arb, size: arb, bits: int = EXACT) -> bool:
    """Return whether a gap is at most 2^bits of a size: by default what a difference errs."""
    return bool(abs(gap) <= arb(2) ** bits * abs(size))
