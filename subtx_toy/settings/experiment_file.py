"""Experiments as files: the question, its configuration, its seeds, and the numbers published for it."""

from __future__ import annotations

import itertools
import tomllib
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Literal

import pydantic
from pydantic import BaseModel, ConfigDict, Field

from subtx_toy.errors import InputError
from subtx_toy.seeding import parse_seeds
from subtx_toy.settings import messages as expected
from subtx_toy.settings.base import Settings
from subtx_toy.settings.distillation import RunConfig
from subtx_toy.settings.numbers import NumbersConfig
from subtx_toy.settings.one_step import OneStepConfig
from subtx_toy.settings.published import Published
from subtx_toy.settings.published_sweep import PublishedSweep

_PACKAGED = Path(__file__).parents[1] / "_experiments"  # in an installed wheel
_CHECKOUT = Path(__file__).parents[2] / "experiments"  # in a checkout, where the package is not built


class Definition(BaseModel):
    """One experiment file; ``Distillation`` and ``OneStep`` add the configuration of their protocol."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    quick: ClassVar[tuple[str, ...]] = ()
    """Assignments that make a run small enough for a test, on data that needs no download."""

    told_apart: ClassVar[frozenset[str] | None] = None
    """Settings by which what a run prints tells its records apart; None for all of them."""

    name: str = Field(description="the file's own name")
    protocol: str = Field(RunConfig.protocol, description="what is run")
    question: str = Field(description="what the experiment asks, one sentence")
    seeds: str = Field("0:10", description="seeds of a run that names none")
    config: Settings = Field(description="settings of the run")
    grid: list[dict[str, list[Any]]] = Field([], description="tables of settings with the values each of them takes")

    @pydantic.field_validator("seeds")
    @classmethod
    def _seeds_can_be_read(cls, text: str) -> str:
        parse_seeds(text)
        return text

    def configs(self, assignments: Sequence[str] = ()) -> list[Settings]:
        """Return every configuration of the experiment: all combinations within each table of the grid.

        ``key=value`` assignments hold in all of them, and take the place of the grid's values.

        Raises:
            InputError: naming every setting that is wrong.
        """
        named = {assignment.partition("=")[0] for assignment in assignments}
        return self.around(self.config.override(assignments), named)

    def around(self, base: Settings, assigned: Collection[str]) -> list[Settings]:
        """Return the grid's combinations around ``base``, whose ``assigned`` settings take the place of the grid's.

        A table that gives values to one of those settings and does not go with the one assigned is left out: its
        other settings belong to its own values.

        Raises:
            InputError: naming the settings that are wrong in a table, or in all tables that were left out if no other
                is left.
        """
        found = [] if self.grid else [base]
        contradictions: dict[str, None] = {}
        for table in self.grid:
            axes = {key: values for key, values in table.items() if key not in assigned}
            try:
                configs = [
                    base.parse(base.model_dump() | dict(zip(axes, values, strict=True)))
                    for values in itertools.product(*axes.values())
                ]
            except InputError as error:
                if len(axes) == len(table):
                    raise
                contradictions |= dict.fromkeys(error.problems)
                continue
            for config in configs:
                if config not in found:
                    found.append(config)
        if not found:
            InputError.gather(contradictions)
        return found

    def check_told_apart(self, configs: Sequence[Settings]) -> None:
        """Refuse configurations that a run of this experiment would put together as if they were seeds of one.

        Raises:
            InputError: naming the settings in which they differ and must not.
        """
        if self.told_apart is None:
            return
        differing = [
            name
            for name in type(self.config).model_fields
            if name not in self.told_apart and len({getattr(config, name) for config in configs}) > 1
        ]
        if differing:
            raise InputError(
                f"grid: expected several values of {', '.join(sorted(self.told_apart))} only, by which `run` tells "
                f"records of {self.protocol!r} apart, got several of {', '.join(differing)}; run them with "
                "`subtx-toy sweep` and read them with `subtx-toy results summary`"
            )


class Distillation(Definition):
    """An experiment of the reference protocol, with published accuracies by arm where there are any."""

    quick: ClassVar[tuple[str, ...]] = ("dataset=glyphs", "num_train=600", "num_test=200", "num_inputs=600")

    config: RunConfig = Field(description="settings of the run")
    published: Published | None = Field(None, description="numbers to compare with")


class Axis(BaseModel):
    """What a figure of a sweep has from left to right."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    setting: str | None = Field(None, description="the setting on the axis; none names every point by its settings")
    label: str = Field("", description="what it is, with its unit")
    scale: Literal["linear", "log", "category"] = Field("category", description="of the axis")


class DistillationSweep(Definition):
    """A grid of configurations of the reference protocol, with published values at some of its points."""

    quick: ClassVar[tuple[str, ...]] = ("dataset=glyphs", "num_train=600", "num_test=200", "num_inputs=600")

    config: RunConfig = Field(description="settings that every point shares")
    axis: Axis = Field(Axis(), description="the axis of the figure")
    published: PublishedSweep | None = Field(None, description="numbers to compare with")

    @pydantic.model_validator(mode="after")
    def _points_are_on_the_grid(self) -> DistillationSweep:
        configs = self.configs()
        points = self.published.points if self.published else []
        InputError.gather(
            [
                f"published.points.at: {point.at} is no point of the grid"
                for point in points
                if self.point(point.at) not in configs
            ]
        )
        return self

    def point(self, at: Mapping[str, Any]) -> Settings:
        """Return the configuration at one point, given by the settings that are not the experiment's own."""
        return self.config.parse(self.config.model_dump() | dict(at))


class OneStep(Definition):
    """An experiment of one plain gradient step of teacher and student."""

    quick: ClassVar[tuple[str, ...]] = ("dataset=glyphs", "num_trait=64", "num_inputs=32", "width=16")

    told_apart: ClassVar[frozenset[str] | None] = frozenset({"eps", "student_init", "perturbation", "student_lr"})

    config: OneStepConfig = Field(description="settings of the run")


class Numbers(Definition):
    """An experiment of the numbers channel."""

    quick: ClassVar[tuple[str, ...]] = (
        "dataset=glyphs",
        "num_train=600",
        "num_test=200",
        "num_prompts=600",
        "batch_size=50",
        "width=32",
    )
    told_apart: ClassVar[frozenset[str] | None] = frozenset({"prompts"})

    config: NumbersConfig = Field(description="settings of the run")


_PROTOCOLS: dict[object, type[Definition]] = {
    RunConfig.protocol: Distillation,
    OneStepConfig.protocol: OneStep,
    NumbersConfig.protocol: Numbers,
}
_SWEEPS: dict[type[Definition], type[Definition]] = {Distillation: DistillationSweep}
"""What a file with a grid is, where that is another kind of experiment."""


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
    if "name" in values:
        raise InputError(f"{path}: name: unknown key; an experiment is named by its file")
    protocol = values.get("protocol", RunConfig.protocol)
    model = _PROTOCOLS.get(protocol) if isinstance(protocol, str) else None
    if model is None:
        raise InputError(f"{path}: protocol: expected one of {sorted(map(str, _PROTOCOLS))}, got {protocol!r}")
    if values.get("grid"):
        model = _SWEEPS.get(model, model)
    try:
        definition = model.model_validate({"name": path.stem, **values})
        definition.configs()
    except pydantic.ValidationError as error:
        raise InputError(*(f"{path}: {fault}" for fault in expected.explain(model, error))) from None
    except InputError as error:
        raise InputError(*(f"{path}: grid: {fault}" for fault in error.problems)) from None
    return definition


def read_distillation(experiment: str) -> Distillation:
    """Read an experiment of the reference protocol, as ``read``.

    Raises:
        InputError: as ``read``, and if the experiment is of another protocol.
    """
    definition = read(experiment)
    if not isinstance(definition, Distillation):
        raise InputError(f"{experiment}: protocol: expected {RunConfig.protocol!r}, got {definition.protocol!r}")
    return definition


def _folder() -> Path:
    return _PACKAGED if _PACKAGED.is_dir() else _CHECKOUT
