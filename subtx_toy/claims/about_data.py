"""What a given problem says beyond its verdicts: about the data's distribution, and its alignment against eps."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from subtx_toy.problem import params as vectors
from subtx_toy.problem.problem import Problem
from subtx_toy.theory.alignment import AlignmentRay
from subtx_toy.theory.closed_form import closed_form_eps
from subtx_toy.theory.distribution import Expectation, LineTolerance, expected_alignment, expected_curvature
from subtx_toy.theory.distribution import line_tolerance as tolerance_of
from subtx_toy.theory.observed_eps import observed_eps
from subtx_toy.wording import be, counted


@dataclass(frozen=True)
class AboutData:
    """V and the alignment as means over the distribution of the inputs, and the lines that may go or change.

    Attributes:
        curvature: V, with a 95 % interval by Student's t: approximate, since no range of it is stated.
        alignment: at the problem's eps, likewise.
        lines: how many lines may be left out, or have other targets.
    """

    curvature: Expectation
    alignment: Expectation
    lines: LineTolerance

    @property
    def sentence(self) -> str:
        """All of it for people."""
        V, a, lines = self.curvature, self.alignment, self.lines
        text = (
            f"Over the data ({counted(V.num_inputs, 'input')}, 95 % intervals by Student's t): V {V.mean:.3g} "
            f"({V.low:.3g} to {V.high:.3g}), alignment {a.mean:.3g} ({a.low:.3g} to {a.high:.3g}). "
            f"It stays positive whichever {lines.removed} of the {counted(lines.num_lines, 'input')} "
            f"{be(lines.removed)} left out"
        )
        return text + (f", or whichever {lines.relabelled} get other targets." if lines.relabelled else ".")


def about_data(problem: Problem) -> AboutData | None:
    """Return it for a problem of two inputs or more.

    None for one input, which says nothing about others, and for sizes whose squares are no numbers of float64.
    """
    if len(problem.inputs) < 2:
        return None
    with np.errstate(all="ignore"):
        means = expected_curvature(problem), expected_alignment(problem)
    if not all(math.isfinite(end) for one in means for end in (one.mean, one.low, one.high)):
        return None
    return AboutData(*means, tolerance_of(problem))


@dataclass(frozen=True, eq=False)
class Curve:
    """The alignment against eps: exact and to first order; where the closed form ends; the first sign change seen."""

    eps: Float[np.ndarray, " s"]
    exact: Float[np.ndarray, " s"]
    predicted: Float[np.ndarray, " s"]
    closed: float | None
    observed: float | None


_NUM_POINTS = 80


def curve_of(problem: Problem) -> Curve:
    """Return the alignment from a thousandth of the teacher's reach on, to ten times where something happens."""
    ray = AlignmentRay.of(problem)
    closed, observed = closed_form_eps(problem, ray).eps, observed_eps(problem, ray).eps
    unit = 1 / float(vectors.norm(problem.teacher_update))
    marks = [one for one in (closed, observed, problem.eps) if one is not None and np.isfinite(one) and one > 0]
    eps = np.geomspace(min([1e-3 * unit, *marks]) / 3, 3 * max([unit, *marks]), _NUM_POINTS)
    exact = np.array([ray.alignment(one) for one in eps.tolist()])
    return Curve(eps, exact, eps * ray.curvature(), closed, observed)
