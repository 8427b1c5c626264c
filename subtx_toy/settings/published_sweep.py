"""Published numbers of a sweep: values at points of the grid, with the spread their source gives."""

from __future__ import annotations

import math
from typing import Annotated, Any, Literal

import pydantic
from pydantic import BaseModel, ConfigDict, Field

from subtx_toy.errors import InputError
from subtx_toy.settings.distillation import ARMS
from subtx_toy.stats import Estimate

METRICS = ("accuracy", "hidden_cosine", "probe_accuracy")
"""What may be published of an arm; ``student_aux`` alone means ``student_aux.accuracy``."""

Fraction = Annotated[float, Field(ge=-1, le=1)]


class PublishedPoint(BaseModel):
    """What a source reports at one point of its sweep."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    at: dict[str, Any] = Field(description="settings of the point that are not the experiment's own")
    source: str | None = Field(None, description="where this point comes from, if not from the sweep's source")
    values: dict[str, Annotated[list[Fraction], Field(min_length=1, max_length=2)]] = Field(
        description="by metric: the mean as printed, and its spread where the source gives one"
    )

    @pydantic.field_validator("values")
    @classmethod
    def _metrics_exist(cls, values: dict[str, list[float]]) -> dict[str, list[float]]:
        known = [f"{arm}.{metric}" for arm in ARMS for metric in METRICS]
        InputError.gather(
            [f"published.points.values: unknown metric {name!r}" for name in values if full_name(name) not in known]
        )
        return values


class PublishedSweep(BaseModel):
    """What a source reports of a sweep.

    A standard error is derived from what is printed: ``sd``, a standard deviation over ``n`` independent runs, divided
    by sqrt(n); ``ci95``, the half-width of an interval, divided by 1.96. Where a mean stands alone, the source's runs
    are taken to spread as ours do, sd / sqrt(n), which a comparison has to know: it is the same sd twice. A value read
    off a figure has an error of reading beside it, taken as uniform within ``reading``.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    source: str = Field(description="author, year, identifier, figure or table")
    n: Annotated[int, Field(ge=2)] = Field(description="independent runs behind each mean")
    spread: Literal["sd", "ci95", "none"] = Field("none", description="what stands behind a mean in the values")
    reading: Annotated[float, Field(ge=0, le=0.1)] = Field(0.0, description="largest error of reading a figure")
    points: list[PublishedPoint] = Field(description="the values, point by point")
    differs_in: str = Field("", description="in what this experiment knowingly differs from the source's protocol")
    cause: str = Field("", description="why values that disagree do so, or what was tried to find out")

    @pydantic.model_validator(mode="after")
    def _spreads_are_explained(self) -> PublishedSweep:
        if self.spread == "none":
            InputError.gather(
                [
                    f"published.points.values.{name}: expected one number with spread 'none', got {value}"
                    for point in self.points
                    for name, value in point.values.items()
                    if len(value) > 1
                ]
            )
        return self

    def estimate(self, value: list[float], ours: Estimate) -> Estimate:
        """Return a published mean with its standard error, which ``ours`` lends where the source gives none."""
        mean, *spread = value
        if not spread:
            error = ours.standard_error * math.sqrt(ours.n / self.n)
        elif self.spread == "sd":
            error = spread[0] / math.sqrt(self.n)
        else:
            error = spread[0] / 1.96
        return Estimate(mean, math.hypot(error, self.reading / math.sqrt(3)), self.n)


def full_name(metric: str) -> str:
    """Return the name under which records keep a metric: that of an arm alone is its accuracy."""
    return metric if "." in metric else f"{metric}.accuracy"
