"""What a user's function is given: copies of everything, while its prints go to stderr and its settings are undone."""

from __future__ import annotations

import contextlib
import copy
import sys
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor

from subtx_toy.claims.vocabulary.evidence import Evidence
from subtx_toy.errors import USER_FAULTS
from subtx_toy.problem.arithmetic import as_rounded
from subtx_toy.problem.functional import ModuleFunction
from subtx_toy.problem.problem import Problem
from subtx_toy.theory.alignment import AlignmentRay


class BorrowedEvidence(Evidence):
    """Evidence whose quantities are copies of another's, so that nothing written to them reaches the other claims.

    In Monte Carlo arithmetic its numbers round at random in Python's sums and products too.
    """

    def __init__(self, lender: Evidence) -> None:
        self.__dict__.update(_lender=lender, problem=copied_problem(lender.problem))

    def __getattribute__(self, name: str) -> Any:
        """Return a copy of the lender's quantity, or a method that returns copies."""
        own = object.__getattribute__(self, "__dict__")
        if name in own or name.startswith("__"):
            return object.__getattribute__(self, name)
        value = getattr(own["_lender"], name)
        if not callable(value):
            return _copied(value)
        return lambda *args, **keywords: _copied(value(*args, **keywords))


def _copied(value: Any) -> Any:
    if isinstance(value, float):
        return as_rounded(value)
    if isinstance(value, Tensor):
        return value.clone()
    if isinstance(value, tuple | list):
        items = [_copied(item) for item in value]
        return type(value)(*items) if hasattr(value, "_fields") else type(value)(items)
    if isinstance(value, dict):
        return {key: _copied(item) for key, item in value.items()}
    if isinstance(value, AlignmentRay):
        return type(value)(copied_problem(value.problem), value.outputs.clone(), value.v.clone())
    return copied_problem(value) if isinstance(value, Problem) else value


def copied_problem(problem: Problem) -> Problem:
    """Return the problem with tensors and modules of its own."""
    other = copy.copy(problem)
    for name in ("flat", "_kept"):
        other.__dict__.pop(name, None)
    for name in ("base_params", "teacher_update"):
        other.__dict__[name] = {key: value.clone() for key, value in getattr(problem, name).items()}
    other.__dict__["inputs"] = problem.inputs.clone()
    if isinstance(problem.model, ModuleFunction):
        other.__dict__["model"] = copy.deepcopy(problem.model)
    trait = problem.trait_loss
    if trait is not None and "inputs" in vars(trait):
        other.__dict__["trait_loss"] = copy.copy(trait)
        object.__setattr__(other.trait_loss, "inputs", trait.inputs.clone())
    return other


@contextlib.contextmanager
def visiting() -> Iterator[None]:
    """Run a user's function: what it prints goes to stderr, and torch's default dtype and grad mode are put back."""
    dtype, grad = torch.get_default_dtype(), torch.is_grad_enabled()
    try:
        with contextlib.redirect_stdout(sys.stderr):
            yield
    finally:
        torch.set_default_dtype(dtype)
        torch.set_grad_enabled(grad)


def printable(text: str) -> str:
    r"""Return the text with everything that a terminal would act on written out.

    >>> printable("a\x1b[31mb")
    'a\\x1b[31mb'
    """
    return "".join(char if char.isprintable() else repr(char)[1:-1] for char in text)


def called(function: Callable[..., Any], *args: Any) -> tuple[Any, str]:
    """Call a user's function; return what it returns, or None and what it raised, ``SystemExit`` included."""
    with visiting():
        try:
            return function(*args), ""
        except USER_FAULTS as error:
            return None, printable(f"{type(error).__name__}: {error}")
