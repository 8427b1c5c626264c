"""The same problem with its student elsewhere: the current student as the base, what is left as the teacher's move."""

from __future__ import annotations

import copy

from subtx_toy.problem import params as vectors
from subtx_toy.problem.params import Params
from subtx_toy.problem.problem import Problem

_OF_THE_BASE = ("flat", "_kept", "is_trait_step")


def seen_from(problem: Problem, student: Params, teacher: Params) -> Problem:
    """Return the problem whose shared initialisation is ``student``, and whose teacher, at eps = 1, is ``teacher``.

    Every statement about one step holds for it: the identity of claim C5 exactly, and the leading order of C1 in the
    distance that is left. So a student step at eps = 1 is the next step of a student of many.
    """
    other = copy.copy(problem)
    for name in _OF_THE_BASE:
        other.__dict__.pop(name, None)
    update = vectors.difference(teacher, student)
    other.__dict__.update(base_params=student, teacher_update=update, eps=1.0, is_trait_step=False)
    return other


def on_inputs(problem: Problem, rows: list[int]) -> Problem:
    """Return the problem on some of its inputs, in this order; repeated ones count twice."""
    other = copy.copy(problem)
    other.__dict__.pop("_kept", None)
    other.__dict__.update(inputs=problem.inputs[rows])
    return other
