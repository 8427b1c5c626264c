"""Published numbers, as experiment files give them: of one configuration by arm, or of a sweep point by point."""

from __future__ import annotations

import math
from typing import Annotated, Any, Literal

import pydantic
from pydantic import BaseModel, ConfigDict, Field

from subtx_toy.errors import InputError
from subtx_toy.settings.distillation import ARMS
from subtx_toy.settings.messages import nearest
from subtx_toy.stats import Estimate

METRICS = ("accuracy", "hidden_cosine", "probe_accuracy")
"""What may be published of an arm; ``student_aux`` alone means ``student_aux.accuracy``."""

Fraction = Annotated[float, Field(ge=-1, le=1)]


class FileTable(BaseModel):
    """A table of an experiment file: frozen, with exact types and no unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class PublishedArm(FileTable):
    """A published mean with the half-width of its 95 % interval.

    ``contaminated_by`` names the arm to which one of the ``n`` models is expected to belong: the one that the authors'
    random permutation leaves in place, with its own teacher.
    """

    mean: Annotated[float, Field(ge=0, le=1)] = Field(description="as printed")
    ci95: Annotated[float, Field(gt=0, le=1)] = Field(description="half-width, as printed")
    contaminated_by: str | None = Field(None, description="the arm that one model in n really belongs to")


class Published(FileTable):
    """What a source reports: accuracies by arm."""

    source: str = Field(description="author, year, identifier, figure or table")
    n: Annotated[int, Field(ge=2)] = Field(description="independent models behind each mean")
    critical_value: Annotated[float, Field(gt=0, allow_inf_nan=False)] = Field(
        1.96, description="half-width over standard error"
    )
    arms: dict[str, PublishedArm] = Field(description="by arm")

    @pydantic.model_validator(mode="after")
    def _arms_exist(self) -> Published:
        problems = [
            f"published.arms.{name}: unknown arm{nearest(name, ARMS)}" for name in self.arms if name not in ARMS
        ]
        problems += [
            f"published.arms.{name}.contaminated_by: expected one of {sorted(self.arms)}, got {arm.contaminated_by!r}"
            for name, arm in self.arms.items()
            if arm.contaminated_by is not None and arm.contaminated_by not in self.arms
        ]
        InputError.gather(problems)
        return self

    def standard_error(self, arm: str) -> float:
        """Return the standard error of the printed mean and of ``clean_mean``: contamination is part of its spread."""
        return self.arms[arm].ci95 / self.critical_value

    def clean_mean(self, arm: str) -> float:
        """Return the mean without the expected contamination: printed = ((n-1) clean + other)/n."""
        printed, other = self.arms[arm].mean, self.arms[arm].contaminated_by
        return printed if other is None else (self.n * printed - self.arms[other].mean) / (self.n - 1)


class PublishedPoint(FileTable):
    """What a source reports at one point of its sweep."""

    at: dict[str, Any] = Field(description="settings of the point that are not the experiment's own")
    source: str | None = Field(None, description="where this point comes from, if not from the sweep's source")
    n: Annotated[int, Field(ge=2)] | None = Field(None, description="runs behind these means, if not the sweep's n")
    values: dict[str, Annotated[list[Fraction], Field(min_length=1, max_length=2)]] = Field(
        description="by metric: the mean as printed, and its spread where the source gives one"
    )

    @pydantic.field_validator("values")
    @classmethod
    def _metrics_exist(cls, values: dict[str, list[float]]) -> dict[str, list[float]]:
        known = [f"{arm}.{metric}" for arm in ARMS for metric in METRICS]
        unknown = [name for name in values if full_name(name) not in known]
        InputError.gather(f"published.points.values: unknown metric {name!r}" for name in unknown)
        return values


class PublishedSweep(FileTable):
    """What a source reports of a sweep.

    A standard error is ``sd`` / sqrt(n) or ``ci95`` / 1.96 as printed; where a mean stands alone, the source's runs are
    taken to spread as ours do. Reading a figure adds an error that is uniform within ``reading``.
    """

    source: str = Field(description="author, year, identifier, figure or table")
    n: Annotated[int, Field(ge=2)] = Field(description="independent runs behind each mean")
    spread: Literal["sd", "ci95", "none"] = Field("none", description="what stands behind a mean in the values")
    reading: Annotated[float, Field(ge=0, le=0.1)] = Field(0.0, description="largest error of reading a figure")
    points: list[PublishedPoint] = Field(description="the values, point by point")
    differs_in: str = Field("", description="in what this experiment knowingly differs from the source's protocol")
    cause: str = Field("", description="why values that disagree do so, or what was tried to find out")

    @pydantic.model_validator(mode="after")
    def _spreads_are_explained(self) -> PublishedSweep:
        found = [item for point in self.points for item in point.values.items()] if self.spread == "none" else []
        InputError.gather(
            f"published.points.values.{name}: expected one number with spread 'none', got {value}"
            for name, value in found
            if len(value) > 1
        )
        return self

    def estimate(self, value: list[float], ours: Estimate, *, n: int | None = None) -> Estimate:
        """Return a published mean with its standard error, which ``ours`` lends where the source gives none.

        ``n`` is the number of runs behind this mean, if it is not the sweep's.
        """
        n = n or self.n
        mean, *spread = value
        if not spread:
            error = ours.standard_error * math.sqrt(ours.n / n)
        elif self.spread == "sd":
            error = spread[0] / math.sqrt(n)
        else:
            error = spread[0] / 1.96
        return Estimate(mean, math.hypot(error, self.reading / math.sqrt(3)), n)


def full_name(metric: str) -> str:
    """Return the name under which records keep a metric: that of an arm alone is its accuracy."""
    return metric if "." in metric else f"{metric}.accuracy"
