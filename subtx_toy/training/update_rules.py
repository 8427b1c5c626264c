"""Optimisers as functions of arrays, with their whole state in the open: torch's updates, for many students at once."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal, get_args

import numpy as np

from subtx_toy.errors import InputError
from subtx_toy.problem.stack import Array
from subtx_toy.settings.messages import nearest

Rule = Literal["gd", "heavy_ball", "nesterov", "sign", "rmsprop", "adam"]


@dataclass(frozen=True)
class Descent:
    """Which optimiser, in float64: each as torch takes its steps.

    Attributes:
        rule: ``"gd"``; ``"heavy_ball"`` v <- momentum v + g, step v; ``"nesterov"``, step g + momentum v; ``"sign"``,
            step sign(g); ``"rmsprop"``, without a bias correction; ``"adam"``, with two.
        lr: the step size, one number or one for each student, ``[s, 1]``; > 0.
        momentum: of heavy ball, Nesterov and, as its first beta, Adam; in [0, 1).
        smoothing: of the squares in rmsprop (alpha) and Adam (its second beta), in [0, 1).
        stabiliser: added to the root of the squares, Adam's eps; one number or one for each student.
        decay: weight decay, added to the gradient as ``decay`` times the distance from where it pulls to.
        freeze_second: whether Adam's second moment stays as it is, without a correction.
        decay_towards: ``"init"``, the shared initialisation, or ``"zero"``.
    """

    rule: Rule = "gd"
    lr: float | Array = 0.1
    momentum: float = 0.9
    smoothing: float = 0.999
    stabiliser: float | Array = 1e-8
    freeze_second: bool = False
    decay: float = 0.0
    decay_towards: Literal["init", "zero"] = "init"

    def __post_init__(self) -> None:
        faults = []
        if self.rule not in get_args(Rule):
            hint = nearest(str(self.rule), get_args(Rule))
            faults.append(f"rule: expected one of {', '.join(get_args(Rule))}, got {self.rule!r}{hint}")
        if not np.all(np.asarray(self.lr) > 0):
            faults.append(f"lr: expected numbers > 0, got {self.lr!r}")
        faults += [
            f"{name}: expected a number in [0, 1), got {getattr(self, name)!r}"
            for name in ("momentum", "smoothing")
            if not 0 <= getattr(self, name) < 1
        ]
        if self.decay < 0 or self.decay_towards not in ("init", "zero"):
            faults.append(f"decay: expected >= 0 towards 'init' or 'zero', got {self.decay!r}, {self.decay_towards!r}")
        InputError.gather(faults)


@dataclass(frozen=True, eq=False)
class OptimizerState:
    """Everything that the next step depends on: displacements from the base and moments, ``[s, p]``, and the count.

    ``first`` is the velocity of momentum or Adam's first moment, ``second`` the mean of squares.
    """

    moved: Array
    first: Array
    second: Array
    count: int = 0

    @classmethod
    def at(cls, moved: Array) -> OptimizerState:
        """Return the state of a fresh optimiser."""
        return cls(moved, np.zeros_like(moved), np.zeros_like(moved))

    def restarted(self) -> OptimizerState:
        """Return a fresh optimiser at the same parameters."""
        return OptimizerState.at(self.moved)

    def with_first(self, first: Array) -> OptimizerState:
        """Return the state with another first moment: a transplant."""
        return replace(self, first=first)


def stepped(descent: Descent, state: OptimizerState, gradient: Array, base: Array) -> OptimizerState:
    """Return the state after one step along ``gradient`` ``[s, p]``; displacements are from ``base`` ``[p]``."""
    g, rule, beta = gradient, descent.rule, descent.momentum
    if descent.decay:
        g = g + descent.decay * (state.moved if descent.decay_towards == "init" else state.moved + base)
    first, second, count = state.first, state.second, state.count + 1
    if rule == "gd":
        move = g
    elif rule == "sign":
        move = np.sign(g)
    elif rule in ("heavy_ball", "nesterov"):
        first = beta * first + g
        move = first if rule == "heavy_ball" else g + beta * first
    elif rule == "rmsprop":
        second = descent.smoothing * second + (1 - descent.smoothing) * g * g
        move = g / (np.sqrt(second) + descent.stabiliser)
    else:
        first = beta * first + (1 - beta) * g
        corrected = second
        if not descent.freeze_second:
            second = descent.smoothing * second + (1 - descent.smoothing) * g * g
            corrected = second / (1 - descent.smoothing**count)
        size = np.sqrt(corrected) + descent.stabiliser
        move = first / (1 - beta**count) / size
    return OptimizerState(state.moved - descent.lr * move, first, second, count)
