"""The search: boxes of step sizes from 0 upwards, each proved, as long as the proof succeeds."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from subtx_toy.certify.balls import Ball
from subtx_toy.certify.jets import Box

_SHRINK = 4.0  # of the first box, until it is proved
_GROW = 2.0
_PATIENCE = 3  # boxes of one width after a failure, before a longer one is tried again
_BISECTIONS = 10  # of the one box, to 0.2 %
_FINEST = 2.0**-25  # width of the last box, relative: a sign change is closed in to 3e-8
_MOST_SHRINKINGS = 160

Rate = Callable[[Box], Ball]


@dataclass(frozen=True)
class ProvedBox:
    """Step sizes from ``lo`` to ``hi`` on which the rate is at least ``lower`` > 0."""

    lo: float
    hi: float
    lower: float


@dataclass
class March:
    """What a search found: ``boxes`` without gaps from 0 on, and why it ended after trying that many.

    ``one_box`` is the longest single box from 0 that was proved, 0 if none was; ``negative`` a step size a little
    beyond the last box where the quantity is proved negative, with its upper bound; ``refuted`` says that the rate at
    eps = 0 is proved negative, so that the claim fails at every small enough eps.
    """

    boxes: list[ProvedBox] = field(default_factory=list)
    one_box: float = 0.0
    tried: int = 0
    negative: tuple[float, float] | None = None
    refuted: bool = False
    reason: str = ""

    @property
    def eps(self) -> float:
        """Up to where the sign is proved."""
        return self.boxes[-1].hi if self.boxes else 0.0


def march(rate: Rate, *, cap: float, max_boxes: int, progress: Callable[[float], None] = lambda _: None) -> March:
    """Prove ``rate`` positive on boxes from 0 to ``cap``, or as far as it goes.

    A box that is not proved is halved; after some that are, the next is twice as long. The search ends at the cap,
    after ``max_boxes`` attempts, or where even a box of 3e-8 of eps is not proved: there it looks for a proof of the
    opposite sign.
    """
    found = March()

    def proved(lo: float, hi: float) -> ProvedBox | None:
        found.tried += 1
        lower = float(np.min(rate(Box(lo, hi)).lower()))
        return ProvedBox(lo, hi, lower) if lower > 0 else None

    first = _first_box(proved, cap)
    if first is None:
        found.refuted, found.reason = at_start(rate)
        return found
    found.boxes.append(first)
    found.one_box = width = first.hi
    patience = 0
    while found.eps < cap:
        if found.tried >= max_boxes:
            found.reason = f"stopped after {max_boxes} boxes"
            break
        at = found.eps
        box = proved(at, min(at + width, cap))
        if box is not None:
            found.boxes.append(box)
            progress(box.hi / cap)
            patience -= 1
            width *= _GROW if patience < 0 else 1.0
        elif width > _FINEST * at:
            width /= 2
            patience = _PATIENCE
        else:
            found.negative = _negative(rate, at, cap)
            found.reason = "the sign changes" if found.negative else "no shorter box is proved: rounding, or a zero"
            break
    else:
        found.reason = "the cap is reached"
    return found


def _first_box(proved: Callable[[float, float], ProvedBox | None], cap: float) -> ProvedBox | None:
    hi, best = cap, proved(0.0, cap)
    while best is None and hi > cap * _SHRINK**-_MOST_SHRINKINGS:
        hi /= _SHRINK
        best = proved(0.0, hi)
    if best is None or best.hi == cap:
        return best
    failed = hi * _SHRINK
    for _ in range(_BISECTIONS):
        middle = math.sqrt(best.hi * failed)
        box = proved(0.0, middle)
        best, failed = (best, middle) if box is None else (box, failed)
    return best


def at_start(rate: Rate) -> tuple[bool, str]:
    """Say whether the rate at eps = 0, where no box was proved, is proved negative, and what is known of it."""
    slope = rate(Box(0.0, 0.0))
    lower, upper = float(np.min(slope.lower())), float(np.min(slope.upper()))
    if upper < 0:
        return True, f"the rate at eps = 0 is proved negative, at most {upper:.3g}"
    if lower <= 0:
        return False, f"the rate at eps = 0 lies between {lower:.3g} and {upper:.3g}: its sign is below rounding"
    return False, f"the rate at eps = 0 is at least {lower:.3g}, and no box however short is proved"


def _negative(rate: Rate, at: float, cap: float) -> tuple[float, float] | None:
    """Look at single points from the end of the last box on, each twice as far from it as the one before."""
    for doubling in range(14):
        point = min(at * (1 + _FINEST * 2.0**doubling), cap)
        upper = float(np.min(rate(Box(point, point)).upper()))
        if upper < 0:
            return point, upper
    return None
