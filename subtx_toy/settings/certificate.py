"""The settings of a certificate's search, and of the problem that a certificate is compared with."""

from __future__ import annotations

from pydantic import Field

from subtx_toy.settings.base import Count
from subtx_toy.settings.limits import MAX_ORDER, MAX_SEED
from subtx_toy.settings.overridable import Overridable

MAX_BOXES = 4000
"""Attempts of a search, unless you say otherwise."""


MAX_STORED_BOXES = 20_000
"""Attempts that a search may be given: so many boxes are what `check` takes."""


class ProblemChoice(Overridable):
    """What a reference to a problem leaves open."""

    student_lr: float | None = Field(None, gt=0, allow_inf_nan=False, description="instead of the problem's own")
    seed: int | None = Field(None, ge=0, le=MAX_SEED, description="of the teacher, for the problem that trains one")


class SearchSettings(ProblemChoice):
    """How far and how hard to search."""

    eps_max: float | None = Field(None, gt=0, allow_inf_nan=False, description="stop there, if the cap is larger")
    order: int | None = Field(
        None, ge=2, le=MAX_ORDER, description="of Taylor's theorem; left out, it is 3, or 1 where the network has kinks"
    )
    max_boxes: Count = Field(MAX_BOXES, le=MAX_STORED_BOXES, description="attempts at most")
