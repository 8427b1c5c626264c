"""Experiments as files: the question, its configuration, its seeds, and the numbers published for it."""

from __future__ import annotations

import math
import tomllib
from pathlib import Path
from typing import Annotated

import pydantic
from pydantic import BaseModel, ConfigDict, Field

from subtx_toy import expected
from subtx_toy.config import RunConfig
from subtx_toy.errors import InputError
from subtx_toy.seeding import parse_seeds

_PACKAGED = Path(__file__).parent / "_experiments"  # in an installed wheel
_CHECKOUT = Path(__file__).parent.parent / "experiments"  # in a checkout, where the package is not built


class PublishedArm(BaseModel):
    """A published mean with the half-width of its 95 % interval.

    ``contaminated_by`` names the arm whose value about one model in ``n`` of this arm really has: where the authors'
    control permutes the models at random, one of them is expected to stay in place and to meet its own teacher.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    mean: float = Field(description="as printed")
    ci95: Annotated[float, Field(gt=0)] = Field(description="half-width, as printed")
    contaminated_by: str | None = Field(None, description="the arm that one model in n really belongs to")


class Published(BaseModel):
    """What a source reports: accuracies by arm."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    source: str = Field(description="author, year, identifier, figure or table")
    n: Annotated[int, Field(ge=2)] = Field(description="independent models behind each mean")
    critical_value: Annotated[float, Field(gt=0)] = Field(1.96, description="half-width over standard error")
    arms: dict[str, PublishedArm] = Field(description="by arm")

    @pydantic.model_validator(mode="after")
    def _arms_exist(self) -> Published:
        InputError.gather(
            f"published.arms.{name}.contaminated_by: expected one of {sorted(self.arms)}, got {arm.contaminated_by!r}"
            for name, arm in self.arms.items()
            if arm.contaminated_by is not None and arm.contaminated_by not in self.arms
        )
        return self

    def standard_error(self, arm: str) -> float:
        """Return the standard error of the printed mean."""
        return self.arms[arm].ci95 / self.critical_value

    def clean_mean(self, arm: str) -> float:
        """Return the mean with the expected contamination taken out.

        A random permutation of n models leaves one in place on average, so printed = ((n-1) clean + other)/n.
        """
        printed, other = self.arms[arm].mean, self.arms[arm].contaminated_by
        return printed if other is None else (self.n * printed - self.arms[other].mean) / (self.n - 1)

    def clean_standard_error(self, arm: str) -> float:
        """Return the standard error of ``clean_mean``.

        The number of models left in place has variance 1 too, so the correction itself is uncertain by its own size.
        """
        correction = self.arms[arm].mean - self.clean_mean(arm)
        return math.hypot(self.standard_error(arm), correction)


class Definition(BaseModel):
    """One experiment file."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    name: str = Field(description="the file's own name")
    question: str = Field(description="what the experiment asks, one sentence")
    seeds: str = Field("0:10", description="seeds of a run that names none")
    config: RunConfig = Field(description="settings of the run")
    published: Published | None = Field(None, description="numbers to compare with")

    @pydantic.field_validator("seeds")
    @classmethod
    def _seeds_can_be_read(cls, text: str) -> str:
        parse_seeds(text)
        return text


def names() -> tuple[str, ...]:
    """Return the names of the packaged experiments."""
    return tuple(sorted(path.stem for path in _folder().glob("*.toml")))


def read(experiment: str) -> Definition:
    """Read an experiment: a packaged one by name, from any folder, or a TOML file by its path.

    Raises:
        InputError: if there is none of that name or path, or the file is not valid.
    """
    path = Path(experiment)
    if path.suffix != ".toml":
        if experiment not in names():
            known = ", ".join(names())
            hint = expected.nearest(experiment, names())
            raise InputError(
                f"experiment: expected one of {known}, or the path of a .toml file, got {experiment!r}{hint}"
            )
        path = _folder() / f"{experiment}.toml"
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"experiment: cannot read {path}: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"experiment: {path} is not valid TOML: {error}") from None
    try:
        return Definition.model_validate({"name": path.stem, **values})
    except pydantic.ValidationError as error:
        raise InputError(*(f"{path}: {fault}" for fault in expected.explain(Definition, error))) from None


def _folder() -> Path:
    return _PACKAGED if _PACKAGED.is_dir() else _CHECKOUT
