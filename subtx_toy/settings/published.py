"""Published numbers, as experiment files give them."""

from __future__ import annotations

from typing import Annotated

import pydantic
from pydantic import BaseModel, ConfigDict, Field

from subtx_toy.errors import InputError
from subtx_toy.settings import messages as expected
from subtx_toy.settings.distillation import ARMS


class PublishedArm(BaseModel):
    """A published mean with the half-width of its 95 % interval.

    ``contaminated_by`` names the arm whose value about one model in ``n`` of this arm really has: where the authors'
    control permutes the models at random, one of them is expected to stay in place and to meet its own teacher.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    mean: Annotated[float, Field(ge=0, le=1)] = Field(description="as printed")
    ci95: Annotated[float, Field(gt=0, le=1)] = Field(description="half-width, as printed")
    contaminated_by: str | None = Field(None, description="the arm that one model in n really belongs to")


class Published(BaseModel):
    """What a source reports: accuracies by arm."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    source: str = Field(description="author, year, identifier, figure or table")
    n: Annotated[int, Field(ge=2)] = Field(description="independent models behind each mean")
    critical_value: Annotated[float, Field(gt=0, allow_inf_nan=False)] = Field(
        1.96, description="half-width over standard error"
    )
    arms: dict[str, PublishedArm] = Field(description="by arm")

    @pydantic.model_validator(mode="after")
    def _arms_exist(self) -> Published:
        problems = [
            f"published.arms.{name}: unknown arm{expected.nearest(name, ARMS)}"
            for name in self.arms
            if name not in ARMS
        ]
        problems += [
            f"published.arms.{name}.contaminated_by: expected one of {sorted(self.arms)}, got {arm.contaminated_by!r}"
            for name, arm in self.arms.items()
            if arm.contaminated_by is not None and arm.contaminated_by not in self.arms
        ]
        InputError.gather(problems)
        return self

    def standard_error(self, arm: str) -> float:
        """Return the standard error of the printed mean, which is that of ``clean_mean`` too.

        A contaminated sample holds its contaminated models, so the spread that was printed has their number's
        variance in it already; a simulation in the tests shows it.
        """
        return self.arms[arm].ci95 / self.critical_value

    def clean_mean(self, arm: str) -> float:
        """Return the mean with the expected contamination taken out.

        A random permutation of n models leaves one in place on average, so printed = ((n-1) clean + other)/n.
        """
        printed, other = self.arms[arm].mean, self.arms[arm].contaminated_by
        return printed if other is None else (self.n * printed - self.arms[other].mean) / (self.n - 1)
