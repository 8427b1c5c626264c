"""Finished sweeps as committed files: one CSV an experiment, one row a trial, as ``results export`` writes them."""

from __future__ import annotations

import csv
from pathlib import Path

import pydantic

from subtx_toy.errors import InputError
from subtx_toy.results.comparison import TrialMetrics
from subtx_toy.settings import model_faults as expected
from subtx_toy.settings.base import RESULTS_VERSION, run_id
from subtx_toy.settings.distillation import RunConfig


def read_trials(path: Path, settings: type[RunConfig] = RunConfig) -> list[TrialMetrics]:
    """Read the trials of an exported sweep of the reference protocol, or of another one with its ``settings``.

    A column without a dot is a setting or provenance, one with a dot a metric; settings newer than the file are at
    their defaults.

    Raises:
        InputError: if the file cannot be read, a row has no valid configuration, or its content key is not that of
            its configuration, seed and data in this RESULTS_VERSION: then the results have to be made again.
    """
    try:
        with path.open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from None
    return [_finding(row, f"{path}, trial {number}", settings) for number, row in enumerate(rows, start=1)]


def read_sweep(path: Path, *, computed_in: str | None = None) -> list[TrialMetrics]:
    """Read the trials of a published sweep, with ``precision`` as its experiment file has it, which is float32.

    They may have been computed in bfloat16: that this changes nothing is shown by ``precision_table``. With
    ``computed_in`` only those of that precision are returned.

    Raises:
        InputError: as ``read_trials``.
    """
    return [
        one._replace(config=one.config.model_copy(update={"precision": "fp32"}))
        for one in read_trials(path)
        if computed_in in (None, one.config.precision)
    ]


def _finding(row: dict[str, str], where: str, settings: type[RunConfig]) -> TrialMetrics:
    missing = [name for name in ("run_id", "seed", "dataset_sha256") if name not in row]
    if missing:
        raise InputError(f"{where}: expected a column {missing[0]}, got none")
    try:
        config = settings.model_validate_strings({name: row[name] for name in settings.model_fields if name in row})
    except pydantic.ValidationError as error:
        raise InputError(*(f"{where}: {fault}" for fault in expected.explain(settings, error))) from None
    seed = int(row["seed"])
    key = run_id(config, seed=seed, dataset_sha256=row["dataset_sha256"])
    if key != row["run_id"]:
        raise InputError(f"{where}: run_id: expected {key} with RESULTS_VERSION {RESULTS_VERSION}, got {row['run_id']}")
    return TrialMetrics(config, seed, {name: float(value) for name, value in row.items() if "." in name and value})
