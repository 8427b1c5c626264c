"""What a run of the prediction protocol is: a run of the reference protocol whose transfer is predicted, too."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar, Literal

import pydantic
from pydantic import Field

from subtx_toy.errors import InputError
from subtx_toy.settings.base import Count
from subtx_toy.settings.distillation import RunConfig


class PredictionConfig(RunConfig):
    """Settings of the reference protocol with one student, which imitates auxiliary logits from the shared init."""

    protocol: ClassVar[str] = "prediction"

    students: Literal["all", "shared", "aux", "student_aux"] = Field(
        "student_aux", description="always 'student_aux', whose transfer is predicted"
    )

    num_sampled: Count = Field(2_000, description="distillation inputs that the predictors are computed on, if so many")

    @pydantic.model_validator(mode="after")
    def _one_student_is_predicted(self) -> PredictionConfig:
        faults = [*unpredictable(self)]
        if self.students != "student_aux":
            faults.append(f"students: expected 'student_aux', got {self.students!r}")
        if self.probe:
            faults.append("probe: expected false, got true")
        InputError.gather(faults or no_linear_student(reference_settings(self)))
        return self


def reference_settings(config: RunConfig) -> RunConfig:
    """Return the settings of the reference protocol among those of a protocol that has more.

    Raises:
        InputError: if one of them is none of the reference protocol's, such as a loss that it has not.
    """
    return RunConfig.parse(config.model_dump(include=set(RunConfig.model_fields)))


def linear_settings(config: RunConfig) -> RunConfig:
    """Return the settings with the linearised student in the place of the others.

    Raises:
        InputError: if it cannot be trained with them.
    """
    return config.override({"linearized": "student", "students": "student_aux"})


def no_linear_student(config: RunConfig) -> Iterator[str]:
    """Yield why the linearised student cannot be trained with some settings of the reference protocol."""
    faults: list[str] = []
    with InputError.collected(faults):
        linear_settings(config)
    yield from (f"{fault}: the linearised student is trained, too" for fault in faults)


def unpredictable(config: RunConfig) -> Iterator[str]:
    """Yield the settings for which there are no predictors, which are of the reference protocol with one model."""
    if config.linearized != "none":
        yield f"linearized: expected 'none', got {config.linearized!r}"
    if config.output_scale != 1.0:
        yield f"output_scale: expected 1, got {config.output_scale}"
    if config.model != "mlp":
        yield f"model: expected 'mlp', got {config.model!r}"
    for name, field in type(config).model_fields.items():
        if name in RunConfig.model_fields or name in PredictionConfig.model_fields or name == "measure":
            continue
        if (value := getattr(config, name)) != field.default:
            yield f"{name}: expected {field.default!r}, for no predictor takes it into account, got {value!r}"
