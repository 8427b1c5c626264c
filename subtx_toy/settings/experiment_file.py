"""Experiments as files: found by name or path, read, and checked."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pydantic
from pydantic import Field

from subtx_toy.errors import InputError
from subtx_toy.files.python_objects import is_reference, load_object
from subtx_toy.settings.base import Settings
from subtx_toy.settings.definitions import (
    Definition,
    Distillation,
    DistillationSweep,
    Language,
    ManySteps,
    Mechanism,
    Numbers,
    OneStep,
    Prediction,
)
from subtx_toy.settings.distillation import RunConfig
from subtx_toy.settings.language import LanguageConfig
from subtx_toy.settings.many_steps import ManyStepsConfig
from subtx_toy.settings.mechanism import MechanismConfig
from subtx_toy.settings.messages import nearest, quoted
from subtx_toy.settings.model_faults import explain
from subtx_toy.settings.numbers import NumbersConfig
from subtx_toy.settings.one_step import OneStepConfig
from subtx_toy.settings.packaged import FOLDER, names
from subtx_toy.settings.prediction import PredictionConfig
from subtx_toy.settings.toml_file import read_toml

_DEFINITIONS: dict[str, tuple[type[Definition], type[Definition]]] = {
    RunConfig.protocol: (Distillation, DistillationSweep),
    MechanismConfig.protocol: (Mechanism, Mechanism),
    OneStepConfig.protocol: (OneStep, OneStep),
    ManyStepsConfig.protocol: (ManySteps, ManySteps),
    NumbersConfig.protocol: (Numbers, Numbers),
    LanguageConfig.protocol: (Language, Language),
    PredictionConfig.protocol: (Prediction, Prediction),
}
"""By protocol: what a file without a grid is, and what one with a grid is."""


def _definition(protocol: object, *, grid: bool) -> type[Definition]:
    """Return what a file of that protocol is."""
    if isinstance(protocol, str) and protocol in _DEFINITIONS:
        return _DEFINITIONS[protocol][grid]
    if not (isinstance(protocol, str) and is_reference(protocol)):
        known = sorted(_DEFINITIONS)
        hint = nearest(protocol, known) if isinstance(protocol, str) else ""
        raise InputError(
            f"protocol: expected one of {known}, or file.py:NAME of your own, got {quoted(protocol)}{hint}"
        )
    found: Any = load_object("protocol", protocol, expected="a Protocol")
    settings = getattr(found, "settings", None)
    if not (isinstance(settings, type) and issubclass(settings, Settings)):
        raise InputError(f"protocol: expected a Protocol at {protocol!r}, got {type(found).__name__}")
    settings.source = protocol
    config = (settings, Field(description="settings of the run"))
    make: Any = pydantic.create_model  # the class is made here, so a type checker cannot know it
    definition: type[Definition] = make("OwnDefinition", __base__=found.definition, config=config)
    return definition


def read(experiment: str | Path | Definition, values: Mapping[str, object] | None = None) -> Definition:
    """Read an experiment: a packaged one by name, or a TOML file by its path; a ``Definition`` is returned as it is.

    ``values`` is the content of the file, if it has been read already.
    """
    if isinstance(experiment, Definition):
        return experiment
    if not isinstance(experiment, str | Path):
        raise InputError(f"experiment: expected a name or the path of a .toml file, got {experiment!r}")
    path, experiment = Path(experiment), str(experiment)
    if path.suffix != ".toml":
        if experiment not in names():
            known, hint = ", ".join(names()), nearest(experiment, names())
            raise InputError(
                f"experiment: expected one of {known}, or the path of a .toml file, got {experiment!r}{hint}"
            )
        path = FOLDER / f"{experiment}.toml"
    if values is None:
        values = read_toml(path, what="experiment")
    if "name" in values:
        raise InputError(f"{path}: name: unknown key; an experiment is named by its file")
    try:
        model = _definition(values.get("protocol", RunConfig.protocol), grid=bool(values.get("grid")))
    except InputError as error:
        raise InputError(*(f"{path}: {fault}" for fault in error.problems)) from None
    try:
        definition = model.model_validate({"name": path.stem, **values})
        _ = definition.grid_configs  # reports what is wrong with the grid's values
    except pydantic.ValidationError as error:
        raise InputError(*(f"{path}: {fault}" for fault in explain(model, error))) from None
    except InputError as error:
        raise InputError(*(f"{path}: grid: {fault}" for fault in error.problems)) from None
    try:
        definition.quickened().configs()
    except InputError as error:
        raise InputError(*(f"{path}: quick: {fault}" for fault in error.problems)) from None
    return definition


def read_distillation(experiment: str) -> Distillation:
    """Read an experiment of the reference protocol, as ``read``."""
    definition = read(experiment)
    if not isinstance(definition, Distillation):
        raise InputError(f"{experiment}: protocol: expected {RunConfig.protocol!r}, got {definition.protocol!r}")
    return definition
