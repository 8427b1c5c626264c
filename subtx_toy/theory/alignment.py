"""Exact alignment at every eps from one Jacobian product and forward passes along a ray (claim C5)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from subtx_toy.problem.losses import Loss
from subtx_toy.problem.model import FastMLP
from subtx_toy.problem.problem import Problem
from subtx_toy.seeding import generator
from subtx_toy.theory import linearization
from subtx_toy.theory.curvature import curvature_per_input
from subtx_toy.tolerances import ALIGNMENT_FLOOR_UNITS

_ROUNDOFF = torch.finfo(torch.float64).eps / 2
UNITS = ALIGNMENT_FLOOR_UNITS * _ROUNDOFF
_SCALES, _NUM_ROUNDINGS = (1.0, 0.25, 0.0625), 4  # of the outputs, at which a user's loss is rounded so many times


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
    _last: tuple[float, Tensor] | None = field(default=None, init=False, repr=False)
    _known: dict[float, tuple[float, float]] = field(default_factory=dict, init=False, repr=False)

    @classmethod
    def of(cls, problem: Problem) -> AlignmentRay:
        """Compute the outputs at the shared init and v, once."""
        return cls(problem, *linearization.jacobian_product(problem, problem.teacher_update))

    def targets(self, eps: float) -> Float[Tensor, "n k"]:
        """Return the teacher's distilled outputs at ``eps``; the last are kept, so do not write to them."""
        last = self._last
        if last is None or last[0] != eps:
            last = eps, linearization.teacher_outputs(self.problem, [eps])[0]
            object.__setattr__(self, "_last", last)
        return last[1]

    def per_input(self, eps: float) -> Float[Tensor, " n"]:
        """Return the alignment a_n(eps) of each input, ``[n]``; their mean is the alignment."""
        r = self.problem.distillation_loss.output_gradient(self.outputs, self.targets(eps))
        return -(self.v * r).sum(-1)

    def alignment(self, eps: float) -> float:
        """Return a(eps) = dS . dT."""
        return self._known[eps][0] if eps in self._known else float(self.per_input(eps).mean())

    def prepare(self, every: Sequence[float]) -> None:
        """Announce that ``alignment`` and ``floor`` will be asked for at these eps.

        A ``FastMLP`` goes through all of them in one pass, if its loss takes the inputs one by one.
        """
        missing = [eps for eps in every if eps not in self._known]
        if not (missing and isinstance(self.problem.model, FastMLP) and self.problem.distillation_loss.by_row):
            return
        targets = linearization.teacher_outputs(self.problem, missing)
        s, n, k = targets.shape
        # Outputs first in memory, as the targets are: there torch's kernels work on many inputs at once.
        z, v = (one.T[:, None].expand(k, s, n).flatten(1).T for one in (self.outputs, self.v))
        r = self.problem.distillation_loss.output_gradient(z, targets.permute(2, 0, 1).flatten(1).T)
        alignments = -(v * r).sum(-1).view(s, n).mean(1)
        carried = (self._sensitivity * targets.abs()).sum((1, 2))
        floors = UNITS * (carried / n + self._fixed)
        self._known.update(zip(missing, zip(alignments.tolist(), floors.tolist(), strict=True), strict=True))

    def curvature(self) -> float:
        """Return V, the slope of the alignment at eps = 0."""
        loss = self.problem.distillation_loss
        if loss.formula == "kl":
            return float(curvature_per_input(loss, self.outputs, self.v).mean())
        return float((self.v * self._first_order).sum(-1).mean())

    def update_slope(self) -> Float[Tensor, " p"]:
        """Return G dT, the slope of dS at eps = 0."""
        return linearization.pulled_back(self.problem, self._first_order / len(self.v))

    @cached_property
    def _first_order(self) -> Float[Tensor, "n k"]:
        # M v
        return self.problem.distillation_loss.hessian_product(self.outputs, self.outputs, self.v)

    def floor(self, eps: float) -> float:
        """Return how far rounding can move a(eps); a smaller alignment is undecided in float64.

        c u mean_n sum_i |v_ni| [sum_j |M_nij| (|f_base|_nj + |f_teacher|_nj + temperature) + s_ni]

        with u the unit roundoff. The forward passes err by some units of their own size, however close the two are,
        and M carries that to dl/dz; s is the size of the terms whose difference dl/dz is (see ``slope_terms``). So
        the floor stays away from 0 as eps -> 0, where the alignment vanishes. The constant c is measured, not proved:
        a certificate replaces it.
        """
        if eps in self._known:
            return self._known[eps][1]
        # mean_n sum_j S_nj |f_teacher|_nj; the rest does not depend on eps.
        carried = (self._sensitivity * self.targets(eps).abs()).sum()
        return UNITS * (float(carried) / len(self.outputs) + self._fixed)

    def is_linear(self, eps: float, part: float) -> bool:
        """Whether dl/dz differs from its first order in eps, -eps M v, by at most that part of it, or M v is zero."""
        slope = self._first_order
        size = float(slope.norm())
        if size == 0:
            return True
        bend = self.problem.distillation_loss.output_gradient(self.outputs, self.targets(eps)) + eps * slope
        return float(bend.norm()) <= part * eps * size

    def update_rounding(self, rng: np.random.Generator) -> float:
        """Return how far rounding moves dS, in norm, at small eps: errors of dl/dz as in ``floor``, pulled back by J.

        The errors of the outputs are given random signs. It is bounded from the sizes and not measured: a softmax that
        is saturated is quantised, and shows no error at one eps and a large one at the next.
        """
        size = 2 * self.outputs.abs() + self.problem.distillation_loss.temperature
        errors = self.slope_terms + torch.einsum("jni,nj->ni", self._hessian_sizes, size)
        signs = torch.from_numpy(random_signs(rng, tuple(errors.shape)))
        return UNITS * float(linearization.pulled_back(self.problem, signs * errors / len(errors)).norm())

    @cached_property
    def slope_terms(self) -> Float[Tensor, "n k"]:
        """The size of the terms whose difference dl/dz is, per output.

        For kl and squared error it is read off from targets that are the outputs in another order. The terms of a
        user's loss, differentiated automatically, are unknown and may cancel: their size is how far dl/dz moves, in
        units, when its arguments are rounded by two units and its sums are weighted otherwise, at most over a few
        points from the outputs down to a sixteenth of them, where a saturated softmax shows its terms.
        """
        loss, z = self.problem.distillation_loss, self.outputs
        reordered = z.roll(1, dims=-1)
        terms = loss.output_gradient(z, reordered).abs()
        if loss.formula:
            return terms
        points = [(scale * z, y) for scale in _SCALES for y in (scale * z, scale * reordered)]
        at, y = (torch.cat([one for one in side for _ in range(_NUM_ROUNDINGS)]) for side in zip(*points, strict=True))
        weights, *signs = _roundings(len(points) * _NUM_ROUNDINGS, *z.shape)
        rounded = (one * (1 + 2 * _ROUNDOFF * sign) for one, sign in zip((at, y), signs, strict=True))
        num_rows = len(at) if loss.by_row else len(z)
        moved = [
            _rearranged_gradient(loss, *given) - loss.output_gradient(at, y)
            for at, y, *given in zip(*(torch.split(one, num_rows) for one in (at, y, weights, *rounded)), strict=True)
        ]
        sizes = torch.cat(moved).abs().nan_to_num(nan=torch.inf)
        return terms + sizes.view(-1, *terms.shape).amax(0).amax(-1, keepdim=True) / _ROUNDOFF

    @cached_property
    def _hessian_sizes(self) -> Float[Tensor, "k n k"]:
        # |M_n e_j| for each output j
        z, loss = self.outputs, self.problem.distillation_loss
        basis = torch.eye(z.shape[-1], dtype=z.dtype)
        columns = basis[:, None].expand(-1, *z.shape)
        if loss.by_row:
            many = z.repeat(len(basis), 1)
            return loss.hessian_product(many, many, columns.flatten(0, 1)).view_as(columns).abs()
        return torch.stack([loss.hessian_product(z, z, column).abs() for column in columns])

    @cached_property
    def _fixed(self) -> float:
        # The floor of a teacher whose outputs are 0, in units.
        terms = self.v.abs() * self.slope_terms
        sizes = self.outputs.abs() + self.problem.distillation_loss.temperature
        return float((terms + self._sensitivity * sizes).sum(-1).mean())

    @cached_property
    def _sensitivity(self) -> Float[Tensor, "n k"]:
        # sum_i |v_i| |M_ij| per input
        return (self.v.abs() * self._hessian_sizes).sum(-1).T


@lru_cache(maxsize=4)
def _roundings(num: int, n: int, k: int) -> tuple[Tensor, ...]:
    """Draw weights of the inputs, and which way to round each of the two arguments, so many times."""
    rng = generator(0, "theory", "rounding")
    rows = [(rng.uniform(0.5, 1.0, n), random_signs(rng, (n, k)), random_signs(rng, (n, k))) for _ in range(num)]
    return tuple(torch.from_numpy(np.concatenate(pieces)) for pieces in zip(*rows, strict=True))


@torch.enable_grad()
def _rearranged_gradient(
    loss: Loss, weights: Float[Tensor, " n"], z: Float[Tensor, "n k"], y: Float[Tensor, "n k"]
) -> Float[Tensor, "n k"]:
    """dl/dz by differentiating the weighted sum of the values."""
    leaf = z.requires_grad_()
    value = (weights * loss.values(leaf, y)).sum()
    (slope,) = torch.autograd.grad(value, leaf, allow_unused=True, materialize_grads=True)
    return slope / weights[:, None]


def random_signs(rng: np.random.Generator, shape: tuple[int, ...]) -> Float[np.ndarray, ...]:
    """Draw -1 and 1: the numbers of ``rng.choice([-1.0, 1.0], shape)``, in half the time."""
    return 2.0 * rng.integers(0, 2, shape) - 1.0


def exact_alignment(problem: Problem, eps: float | None = None) -> float:
    """Return the alignment of one student step at ``eps``, by default the problem's own (claim C5)."""
    return AlignmentRay.of(problem).alignment(problem.eps if eps is None else eps)


def alignments_per_example(problem: Problem, eps: float | None = None) -> Float[Tensor, " n"]:
    """Return the alignment of each distillation input, ``[n]`` (claims C5 and C7b)."""
    return AlignmentRay.of(problem).per_input(problem.eps if eps is None else eps)
