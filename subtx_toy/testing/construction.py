"""Problems from a description and what the description cannot say: other losses and student steps."""

from __future__ import annotations

import dataclasses

from subtx_toy.problem.losses import Loss
from subtx_toy.problem.problem import Problem
from subtx_toy.problem.spec import ProblemSpec
from subtx_toy.theory.cosine import lambda_max


def build_problem(spec: ProblemSpec, *, gentle: bool = False, loss: Loss | None = None) -> Problem:
    """Build the problem that ``spec`` describes, changed by the keywords.

    Args:
        spec: the description; hypothesis prints it when a test fails, and calling this again gives the same problem.
        gentle: replace ``student_lr`` by 1 / (2 lambda_max) of G: 2 / lambda_max suffices for a student to move toward
            the teacher (claim C1b), and at 1 / lambda_max the distance can be flat in the size of its step.
        loss: replaces the description's distillation loss.
    """
    problem = spec.build(**({} if loss is None else {"distillation_loss": loss}))
    if gentle:
        top = lambda_max(problem)
        ceiling = top.value + top.residual
        problem = dataclasses.replace(problem, student_lr=1 / (2 * ceiling) if ceiling > 0 else 1.0)
    return problem
