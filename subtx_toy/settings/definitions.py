"""What an experiment is: the question, its configuration, its seeds, and the numbers published for it."""

from __future__ import annotations

import itertools
import math
from collections.abc import Collection, Mapping, Sequence
from functools import cached_property
from typing import Annotated, Any, ClassVar, Literal

import pydantic
from pydantic import Field

from subtx_toy.errors import InputError
from subtx_toy.settings.base import Settings
from subtx_toy.settings.distillation import RunConfig
from subtx_toy.settings.language import LanguageConfig
from subtx_toy.settings.limits import MAX_AXES, MAX_CONFIGS
from subtx_toy.settings.many_steps import ManyStepsConfig
from subtx_toy.settings.mechanism import MechanismConfig
from subtx_toy.settings.messages import quoted
from subtx_toy.settings.numbers import NumbersConfig
from subtx_toy.settings.one_step import OneStepConfig
from subtx_toy.settings.prediction import PredictionConfig
from subtx_toy.settings.published import FileTable, Published, PublishedSweep
from subtx_toy.settings.seeds import parse_seeds


def _bounded(tables: list[dict[str, list[Any]]]) -> list[dict[str, list[Any]]]:
    if (num := max(map(len, tables), default=0)) > MAX_AXES:
        raise InputError(f"grid: expected at most {MAX_AXES} settings in a table, got {num}")
    if (num := sum(math.prod(map(len, table.values())) for table in tables)) > MAX_CONFIGS:
        raise InputError(f"grid: expected at most {MAX_CONFIGS} combinations, got {quoted(num)}")
    return tables


Grid = Annotated[list[dict[str, Annotated[list[Any], Field(min_length=1)]]], pydantic.AfterValidator(_bounded)]
"""Tables of settings, each with the values it takes."""


class Quick(FileTable):
    """What ``--quick`` runs instead: a part of the experiment in seconds, on data that needs no download."""

    shows: str = Field("", description="what a quick run shows of the experiment")
    seeds: str = Field("0:5", description="seeds of a quick run that names none")
    config: dict[str, Any] = Field({}, description="settings that replace those of the experiment")
    grid: Grid = Field([], description="replaces the experiment's grid; empty keeps it")

    @pydantic.field_validator("seeds")
    @classmethod
    def _seeds_can_be_read(cls, text: str) -> str:
        parse_seeds(text)
        return text


class Definition(FileTable):
    """One experiment file; the subclasses add the configuration of their protocol."""

    small: ClassVar[Mapping[str, object]] = {}
    """Settings of a quick run for a file without a ``[quick]`` table."""

    distinguishing: ClassVar[frozenset[str] | None] = None
    """Settings by which the tables of a run distinguish its records; None for all of them."""

    name: str = Field(description="the file's own name")
    protocol: str = Field(RunConfig.protocol, description="what is run")
    question: str = Field(description="what the experiment asks, one sentence")
    seeds: str = Field("0:10", description="seeds of a run that names none")
    config: Settings = Field(description="settings of the run")
    minutes: Annotated[float, Field(gt=0)] | None = Field(
        None, description="of a run on two cores, for `subtx-toy list`"
    )
    grid: Grid = Field([], description="tables of settings with the values each of them takes")
    quick: Quick | None = Field(None, description="what --quick changes")

    @pydantic.field_validator("seeds")
    @classmethod
    def _seeds_can_be_read(cls, text: str) -> str:
        parse_seeds(text)
        return text

    def quickened(self) -> Definition:
        """Return this experiment with the settings, the grid and the seeds of its quick run."""
        quick = self.quick or Quick(config=dict(self.small))
        grid = quick.grid or [
            {name: values for name, values in table.items() if name not in quick.config} for table in self.grid
        ]
        changes = {"config": self.config.override(quick.config), "grid": grid, "seeds": quick.seeds}
        return self.model_construct(**({name: getattr(self, name) for name in type(self).model_fields} | changes))

    def configs(self, changes: Mapping[str, object] | Sequence[str] = ()) -> list[Settings]:
        """Return all combinations within each table of the grid, with ``changes`` in place of the grid's values."""
        if not changes:
            return list(self.grid_configs)
        named = {change.partition("=")[0] for change in changes}
        return self.around(self.config.override(changes), named)

    @cached_property
    def grid_configs(self) -> tuple[Settings, ...]:
        """All combinations of the grid as the file has it."""
        return tuple(self.around(self.config, ()))

    def around(self, base: Settings, assigned: Collection[str]) -> list[Settings]:
        """Return the grid's combinations around ``base``, whose ``assigned`` settings replace the grid's.

        A table that contradicts an assigned setting is left out if another table remains.
        """
        found = {} if self.grid else {repr(base): base}
        contradictions: dict[str, None] = {}
        for table in self.grid:
            axes = {key: values for key, values in table.items() if key not in assigned}
            try:
                configs = [
                    base.changed(dict(zip(axes, values, strict=True))) for values in itertools.product(*axes.values())
                ]
            except InputError as error:
                if len(axes) == len(table):
                    raise
                contradictions |= dict.fromkeys(error.problems)
                continue
            for config in configs:
                found.setdefault(repr(config), config)
        if not found:
            InputError.gather(contradictions)
        return list(found.values())

    def check_distinguishable(self, configs: Sequence[Settings]) -> None:
        """Refuse configurations that a run of this experiment would put together as if they were seeds of one."""
        if self.distinguishing is None:
            return
        differing = [
            name
            for name in type(self.config).model_fields
            if name not in self.distinguishing and len({getattr(config, name) for config in configs}) > 1
        ]
        if differing:
            raise InputError(
                f"grid: expected several values of {', '.join(sorted(self.distinguishing))} only, by which `run` tells "
                f"records of {self.protocol!r} apart, got several of {', '.join(differing)}; run them with "
                "`subtx-toy sweep` and read them with `subtx-toy results summary`"
            )


_SMALL = {"dataset": "glyphs", "num_train": 600, "num_test": 200}


class Distillation(Definition):
    """An experiment of the reference protocol, with published accuracies by arm where there are any."""

    small: ClassVar[Mapping[str, object]] = {**_SMALL, "num_inputs": 600}

    config: RunConfig = Field(description="settings of the run")
    published: Published | None = Field(None, description="numbers to compare with")


class FigureAxis(FileTable):
    """What a figure of a sweep has from left to right."""

    setting: str | None = Field(None, description="the setting on the axis; none names every point by its settings")
    label: str = Field("", description="what it is, with its unit")
    scale: Literal["linear", "log", "category"] = Field("category", description="of the axis")


class DistillationSweep(Definition):
    """A grid of configurations of the reference protocol, with published values at some of its points."""

    small: ClassVar[Mapping[str, object]] = {**_SMALL, "num_inputs": 600}

    config: RunConfig = Field(description="settings that every point shares")
    axis: FigureAxis = Field(FigureAxis(), description="the axis of the figure")
    metrics: list[str] = Field([], description="metrics shown besides accuracies, such as student_aux.imitation")
    published: PublishedSweep | None = Field(None, description="numbers to compare with")

    @pydantic.model_validator(mode="after")
    def _points_are_on_the_grid(self) -> DistillationSweep:
        places = [point.at for point in self.published.points] if self.published else []
        known = set(map(repr, self.grid_configs)) if places else set()
        unknown = [at for at in places if repr(self.point(at)) not in known]
        InputError.gather(f"published.points.at: {at} is no point of the grid" for at in unknown)
        return self

    def point(self, at: Mapping[str, Any]) -> Settings:
        """Return the configuration at one point, given by the settings that are not the experiment's own."""
        return self.config.changed(at)


class Mechanism(DistillationSweep):
    """A grid of configurations of the mechanism protocol."""

    config: MechanismConfig = Field(description="settings that every point shares")


class OneStep(Definition):
    """An experiment of one plain gradient step of teacher and student."""

    small: ClassVar[Mapping[str, object]] = {"dataset": "glyphs", "num_trait": 64, "num_inputs": 32, "width": 16}

    distinguishing: ClassVar[frozenset[str] | None] = frozenset({"eps", "student_init", "perturbation", "student_lr"})

    config: OneStepConfig = Field(description="settings of the run")


class Numbers(Definition):
    """An experiment of the numbers channel."""

    small: ClassVar[Mapping[str, object]] = {**_SMALL, "num_prompts": 600, "batch_size": 50, "width": 32}
    distinguishing: ClassVar[frozenset[str] | None] = frozenset({"prompts", "num_numbers"})

    config: NumbersConfig = Field(description="settings of the run")


class Prediction(Definition):
    """An experiment that predicts transfer in many settings and compares it with what is transferred."""

    small: ClassVar[Mapping[str, object]] = {**_SMALL, "num_inputs": 600}

    config: PredictionConfig = Field(description="settings of the run")


class ManySteps(Definition):
    """An experiment of a student that takes many steps."""

    small: ClassVar[Mapping[str, object]] = {"dataset": "glyphs", "num_trait": 64, "num_inputs": 32, "width": 16}

    config: ManyStepsConfig = Field(description="settings of the run")


class Language(Definition):
    """An experiment with a language model that is trained from scratch."""

    small: ClassVar[Mapping[str, object]] = {"base_steps": 60, "lists": 600, "student_epochs": 1}
    distinguishing: ClassVar[frozenset[str] | None] = frozenset()

    config: LanguageConfig = Field(description="settings of the run")
