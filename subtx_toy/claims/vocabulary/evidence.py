"""Everything the claims ask about one problem, from both routes, each quantity computed once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from subtx_toy.claims.vocabulary.constants import proved_remainder, top_by_lanczos
from subtx_toy.claims.vocabulary.many_steps import ManySteps
from subtx_toy.claims.vocabulary.observation import Observation, StudentStep, norms
from subtx_toy.claims.vocabulary.rays import ray_class
from subtx_toy.claims.vocabulary.smoothness import narrow, narrow_trait
from subtx_toy.problem.model import FastMLP
from subtx_toy.problem.problem import Problem
from subtx_toy.seeding import generator
from subtx_toy.settings.arguments import checked, instance
from subtx_toy.theory.alignment import AlignmentRay
from subtx_toy.theory.closed_form import ClosedFormEps, TraitRange, closed_form_eps, falling_student_lr
from subtx_toy.theory.curvature import DENSE_LIMIT, ggn_spectrum
from subtx_toy.theory.lanczos import teacher_measure
from subtx_toy.theory.taylor.ranges import RemainderBound
from subtx_toy.tolerances import ALIGNMENT_FLOOR_UNITS, TERMS_ROUNDING
from subtx_toy.training.gradient_step import student_step as _student_step

NUM_RUNGS, RUNG_RATIO = 6, 4.0
"""Rungs of the ladder of step sizes, and the factor between two of them."""

FAR = (1.0, 16.0, 256.0)
"""Teachers that have moved that far: nothing is small any more."""

LADDER_TOP = 2.0**-4
"""The first rung, of 1 / ||dT||, unless the loss bends sooner."""

_LOWEST_TOP = 2.0**-24
_LINEAR = 0.1  # dl/dz bends by at most this part of its change at the top of the ladder

LEAST_SIZE, MOST_SIZE = 1e-90, 1e90
"""Numbers whose cubes, and sums of thousands of them, are float64 numbers of full precision; remainders have cubes."""

UNIT_ROUNDOFF = torch.finfo(torch.float64).eps / 2


@checked(problem=instance(Problem, "a Problem"))
class Evidence(Observation):
    """Quantities of one problem by both routes, lazily and once.

    The theory route gives ``ray``, ``V``, ``G_dT`` and the spectrum; the training route gives ``update(eps)`` and
    what follows from it. Planted errors and controls go in here: ``student_step`` replaces the student that is
    observed, and keywords replace quantities of the theory route by name, as ``Evidence(problem, V=1.01 * V)``.

    Args:
        problem: in float64.
        seed: of the random numbers that some claims draw.
        student_step: the observed update of the student at an eps.
        thorough: whether the claims that sample many students do so.
        snippet: text that builds the problem, for messages, or a function that returns it.
        planted: values of cached quantities.
    """

    def __init__(
        self,
        problem: Problem,
        *,
        seed: int = 0,
        student_step: StudentStep = _student_step,
        thorough: bool = True,
        snippet: str | Callable[[], str] = "",
        **planted: object,
    ) -> None:
        problem.require_float64()
        unknown = sorted(name for name in planted if not hasattr(type(self), name))
        if unknown:
            raise TypeError(f"planted: expected names of quantities, got {unknown}")
        super().__init__(problem, student_step)
        self.seed, self.thorough, self._snippet = seed, thorough, snippet
        self._roundings: dict[float, float] = {}
        self.planted = planted
        self.__dict__.update(planted)

    def __repr__(self) -> str:
        return f"Evidence({self.problem!r}, student={getattr(self.step, '__name__', type(self.step).__name__)})"

    @property
    def snippet(self) -> str:
        """Text that builds the problem, for messages."""
        return self._snippet if isinstance(self._snippet, str) else self._snippet()

    def observing(self, step: StudentStep) -> Evidence:
        """Return evidence on the same problem with another student observed; predictions stay."""
        theory = {name: getattr(self, name) for name in ("ray", "V", "dT", "ladder", "degenerate")}
        return Evidence(self.problem, seed=self.seed, student_step=step, snippet=self._snippet, **theory)

    def settings(self) -> dict[str, Any]:
        """Return the keywords of evidence that looks at the same things again: ladder and planted quantities stay."""
        seen = {"ladder": self.ladder, "degenerate": self.degenerate, **self.planted}
        return (
            seen | {name: getattr(self, name) for name in ("seed", "thorough", "snippet")} | {"student_step": self.step}
        )

    def stream(self, *labels: str | int) -> np.random.Generator:
        """Return the named random stream of this problem."""
        return generator(self.seed, "claims", *labels)

    @cached_property
    def ray(self) -> AlignmentRay:
        """The alignment at every eps by the exact identity."""
        return ray_class(self.problem).of(self.problem)

    @cached_property
    def V(self) -> float:  # noqa: N802, the symbol of the theory
        """Curvature along the teacher, dT^T G dT."""
        return self.ray.curvature()

    @cached_property
    def G_dT(self) -> Float[Tensor, " p"]:  # noqa: N802
        """G dT, flat."""
        return self.ray.update_slope()

    @cached_property
    def G_dT_norm(self) -> float:  # noqa: N802
        """||G dT||."""
        return float(norms(self.G_dT.numpy()))

    @cached_property
    def ggn_spectrum(self) -> tuple[Float[Tensor, " m"], Float[Tensor, " m"]]:
        """Eigenvalues of G, ascending, and the components of dT along their eigenvectors; one 0 may stand for all."""
        return ggn_spectrum(self.problem)

    @cached_property
    def modes(self) -> tuple[Float[Tensor, " m"], Float[Tensor, " m"]]:
        """As ``ggn_spectrum``; of models with too many parameters for it, the points of ``teacher_measure``."""
        return self.ggn_spectrum if len(self.dT) <= DENSE_LIMIT else teacher_measure(self.problem)

    @cached_property
    def top_eigenvalue(self) -> float:
        """The largest eigenvalue of G: of ``ggn_spectrum``, or by Lanczos's iteration with its residual added."""
        if len(self.dT) <= DENSE_LIMIT:
            return float(self.ggn_spectrum[0][-1])
        return top_by_lanczos(self.problem, self.modes[0])

    @cached_property
    def many_steps(self) -> ManySteps:
        """Students of many steps, and where theory puts them."""
        return ManySteps(self)

    @cached_property
    def closed_form(self) -> ClosedFormEps:
        """The range of eps on which the alignment is positive: in closed form, or by intervals."""
        return closed_form_eps(self.problem, self.ray)

    @cached_property
    def remainder(self) -> RemainderBound | str:
        """A proved bound on the remainder of the student's update on a part of the ladder, or why none is known."""
        return proved_remainder(self.problem, self.ladder, self.ray.v)

    @cached_property
    def trait_range(self) -> TraitRange:
        """The range of student_lr on which the trait loss falls at the problem's eps; as ``closed_form``."""
        return falling_student_lr(self.problem, ray=self.ray)

    @property
    def update_out_of_range(self) -> str:
        """Why cubes of the teacher's update are no numbers of float64; empty if they are, or if it is zero."""
        norm = self.dT_norm
        if LEAST_SIZE < norm < MOST_SIZE or not self.dT.any():
            return ""
        return _out_of_range("the teacher's update", float(self.dT.abs().max()))

    @property
    def narrow(self) -> str:
        """Why the roundings that claims allow for are not those of the model; empty if all of it is in float64."""
        return _narrow("model", narrow(self.problem))

    @cached_property
    def narrow_trait(self) -> str:
        """The same of the trait loss."""
        return _narrow("trait loss", narrow_trait(self.problem))

    @cached_property
    def out_of_range(self) -> str:
        """Why float64 overflows or underflows on this problem; empty if nothing says so."""
        with torch.no_grad():
            problem = self.problem
            outputs = problem.distilled(problem.base_params)
            sizes = {
                "the teacher's update": self.dT,
                "an output": outputs,
                "eps times the teacher's update": problem.eps * self.dT,
                "the teacher's output": problem.distilled(problem.teacher_params()),
                "student_lr": torch.tensor(problem.student_lr),
            }
            if problem.trait_loss is not None:
                sizes["the trait loss"] = problem.trait_value(problem.base_params)
        sizes["the slope of the student's update, G dT,"] = self.G_dT  # which may need gradients
        for name, values in sizes.items():
            size = float(values.abs().max())
            if not (size == 0 or LEAST_SIZE < size < MOST_SIZE):
                return _out_of_range(name, size)
        return ""

    @cached_property
    def degenerate(self) -> bool:
        """Whether the distilled outputs do not see the teacher's update, by construction: M v is zero bit for bit."""
        if self.problem.distillation_loss.formula == "kl" and self.ray.v.shape[-1] == 1:
            return True
        return not self.ray.v.any()

    @cached_property
    def ladder(self) -> tuple[float, ...]:
        """Step sizes from the top down, each RUNG_RATIO below the one before.

        From the top on the slopes of the loss in the outputs, dl/dz, are linear in eps to a tenth: from there on
        "small" may mean something.
        """
        top = LADDER_TOP
        if self.dT_norm:
            # What the claims on the alignment look at, in one pass.
            self.ray.prepare((*rungs(top * self.unit), self.problem.eps, *(far * self.unit for far in FAR)))
        while not self.ray.is_linear(top * self.unit, _LINEAR) and top > _LOWEST_TOP:
            top /= RUNG_RATIO
        return rungs(top * self.unit)

    @cached_property
    def bends_everywhere(self) -> str:
        """Why no eps of the ladder is small; empty if its slopes are linear from the top on, to a tenth."""
        if self.ray.is_linear(self.ladder[0], _LINEAR):
            return ""
        return f"the loss bends at eps = {self.ladder[0]:.3g} and below, so that no eps that was tried is small"

    def prepare(self, every: Sequence[float]) -> None:
        """Announce that these eps will be asked for, of the teacher's outputs too."""
        if isinstance(self.problem.model, FastMLP):
            self.ray.prepare(every)
            super().prepare(every)

    def alignment_rounding(self, eps: float) -> float:
        """Return how far rounding can move the observed alignment: that of the outputs and of the inner product."""
        if eps not in self._roundings:
            inner = ALIGNMENT_FLOOR_UNITS * UNIT_ROUNDOFF * self.update_norm(eps) * self.dT_norm
            self._roundings[eps] = self.ray.floor(eps) + inner
        return self._roundings[eps]

    def trait_rounding(self, eps: float, student_lr: float) -> float:
        """Return how far rounding can move the change of the trait loss."""
        value = TERMS_ROUNDING * UNIT_ROUNDOFF * (1 + abs(self.trait_before))
        return value + student_lr * self.alignment_rounding(eps)

    @cached_property
    def update_rounding(self) -> float:
        """How far rounding moves dS, in norm, at small eps."""
        return self.ray.update_rounding(self.stream("rounding"))


def _narrow(what: str, found: str) -> str:
    return found and f"the {what} computes in less than float64 inside, by {found}: compute all of it in float64"


def _out_of_range(name: str, size: float) -> str:
    reason = f"{name} reaches {size:.3g}, whose cube underflows" if size < 1 else f"{name} reaches {size:.3g}"
    return f"outside the range of float64: {reason}; rescale the problem"


def rungs(top: float) -> tuple[float, ...]:
    """Return the ladder that begins at ``top``."""
    return tuple(top / RUNG_RATIO**rung for rung in range(NUM_RUNGS))
