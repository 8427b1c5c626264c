"""Stored results, selected by configuration and version: one row for each trial, and files of them."""

from __future__ import annotations

import contextlib
import itertools
import math
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from subtx_toy import collector
from subtx_toy.errors import InputError
from subtx_toy.results.condition import Condition
from subtx_toy.settings.base import RESULTS_VERSION, Settings, run_ids
from subtx_toy.settings.distillation import RunConfig
from subtx_toy.settings.language import LanguageConfig
from subtx_toy.settings.many_steps import ManyStepsConfig
from subtx_toy.settings.mechanism import MechanismConfig
from subtx_toy.settings.numbers import NumbersConfig
from subtx_toy.settings.one_step import OneStepConfig
from subtx_toy.settings.prediction import PredictionConfig
from subtx_toy.store import Store
from subtx_toy.store.record import DIVERGED
from subtx_toy.store.records import takes_store
from subtx_toy.store.results import Result, configs, losing_finiteness, results

Version = int | str

_WHOLE_RECORDS = 1000  # with their curves, in memory at once
_SUSPECTS = 20_000  # keys of one question to the store

_OTHER_BF16 = f"{RESULTS_VERSION} with another BF16_VERSION"
_OTHER_SOURCE = f"{RESULTS_VERSION} with another file of your own"
_PROTOCOLS: tuple[type[Settings], ...] = (
    RunConfig,
    OneStepConfig,
    NumbersConfig,
    LanguageConfig,
    ManyStepsConfig,
    PredictionConfig,
    MechanismConfig,
)


@dataclass(frozen=True)
class Selection:
    """Some stored trials.

    Attributes:
        results: final metrics, one a trial.
        settings: the configuration of each, by its number; settings newer than a record are filled in.
        left_out: how many trials of other versions would have been selected, by version.
        other: words for the trials of this RESULTS_VERSION that the same settings would not give again, by key: their
            BF16_VERSION is another one, or the source of the user's model, optimiser, activation or metric.
    """

    results: tuple[Result, ...]
    settings: dict[int, Settings]
    left_out: dict[Version, int]
    other: Mapping[str, str] = field(default_factory=dict)

    def config(self, result: Result) -> Settings:
        """Return the configuration of a selected trial."""
        return self.settings[result.config_id]

    def version(self, result: Result) -> Version:
        """Return the version of a selected trial's results: a number, or words where it is not the only one."""
        return self.other.get(result.run_id, result.results_version)


@takes_store
def select(
    store: Store,
    *,
    wanted: Iterable[Settings] | None = None,
    seeds: Collection[int] | None = None,
    all_versions: bool = False,
) -> Selection:
    """Select the stored trials of the ``wanted`` configurations and ``seeds``; None is all of them.

    ``all_versions`` takes results of other RESULTS_VERSIONs than this package's too, and those of another BF16_VERSION
    or another source of the user's.
    """
    # One number for settings that only differ in how they were written: a record may lack newer ones.
    wanted = None if wanted is None else list(wanted)
    chosen = None if wanted is None else set(map(_identity, wanted))
    settings: dict[int, Settings] = {}
    first: dict[str, int] = {}
    number_of: dict[int, int] = {}
    kinds = (*_PROTOCOLS, *{type(config) for config in wanted or () if config.source})
    for number, content in configs(store).items():
        config = parse(content, kinds)
        if config is None:
            continue
        key = _identity(config)
        if chosen is None or key in chosen:
            number_of[number] = first.setdefault(key, number)
            settings[first[key]] = config
    found: list[Result] = []
    left_out: dict[Version, int] = {}
    with collector.paused():
        for result in results(store):
            if result.config_id not in number_of or (seeds is not None and result.seed not in seeds):
                continue
            if result.results_version != RESULTS_VERSION and not all_versions:
                left_out[result.results_version] = left_out.get(result.results_version, 0) + 1
                continue
            found.append(result.with_config(number_of[result.config_id]))
        found = _told(store, found)
        other = _others(found, settings)
    if other and not all_versions:
        found = [result for result in found if result.run_id not in other]
        left_out |= Counter(other.values())
        other = {}
    return Selection(tuple(found), settings, left_out, other)


def _identity(config: Settings) -> str:
    """Return the same text for equal settings; pydantic's own takes four times as long."""
    return f"{config.protocol} {vars(config)}"


def _told(store: Store, found: Sequence[Result]) -> list[Result]:
    """Return results with nan where an arm diverged, which records of earlier versions have as accuracy 0."""
    suspects = {one.run_id: one for one in found if 0 in one.metrics.values() and _may_hide_divergence(one.metrics)}
    odd = {key for key, one in suspects.items() if not all(map(math.isfinite, one.metrics.values()))}
    for at in range(0, len(suspects), _SUSPECTS):
        odd |= losing_finiteness(store, list(itertools.islice(suspects, at, at + _SUSPECTS)))
    settled: dict[str, dict[str, float]] = {}
    whole = [key for key in suspects if key in odd]
    for at in range(0, len(whole), _WHOLE_RECORDS):
        for run_id, record in store.get(whole[at : at + _WHOLE_RECORDS]).items():
            if record.diverged:
                settled[run_id] = record.settled
    return [one._replace(metrics=settled[one.run_id]) if one.run_id in settled else one for one in found]


def _may_hide_divergence(metrics: Mapping[str, float]) -> bool:
    zeros = (name.endswith(".accuracy") for name, value in metrics.items() if value == 0)
    return any(zeros) and not any(name.endswith(DIVERGED) for name in metrics)


def _others(found: Sequence[Result], settings: dict[int, Settings]) -> dict[str, str]:
    """Return words for the runs whose key is not what their settings give: BF16_VERSION and sources are in it only."""
    words = {number: _OTHER_SOURCE for number, config in settings.items() if config.own_objects} | {
        number: _OTHER_BF16
        for number, config in settings.items()
        if isinstance(config, RunConfig) and config.precision == "bf16"
    }
    groups: dict[tuple[int, str], list[Result]] = defaultdict(list)
    for result in found:
        if result.config_id in words and result.results_version == RESULTS_VERSION:
            groups[result.config_id, result.dataset_sha256].append(result)
    other: dict[str, str] = {}
    for (number, sha256), rows in groups.items():
        keys: list[str] = []
        with contextlib.suppress(InputError):  # of a source that is not here
            keys = run_ids(settings[number], seeds=[row.seed for row in rows], dataset_sha256=sha256)
        other |= {row.run_id: words[number] for row in rows if row.run_id not in keys}
    return other


def parse(content: Mapping[str, Any], kinds: Iterable[type[Settings]] = _PROTOCOLS) -> Settings | None:
    """Return the configuration that a record holds, or None if none of the ``kinds`` has such a one.

    Records of a user's own protocol name its source; nothing is loaded here.
    """
    source = content.get("protocol", "")
    values = {name: value for name, value in content.items() if name != "protocol"}
    for kind in kinds:
        if kind.source == source and values.keys() <= kind.model_fields.keys():
            try:
                return kind.parse(values)
            except InputError:
                continue
    return None


def columns(selection: Selection) -> dict[str, list[object]]:
    """Return the selected trials as columns of equal length, one row a trial.

    ``run_id``, ``protocol``, ``seed``, ``results_version``, ``dataset_sha256`` and ``cpu_seconds``;
    ``other_bf16_version`` where one of them is of another BF16_VERSION, or another source; every setting under its own
    name; every final metric under its own name, None where a trial has none of that name.
    """
    rows = selection.results
    table: dict[str, list[object]] = {
        "run_id": [row.run_id for row in rows],
        "protocol": [selection.config(row).protocol for row in rows],
        "seed": [row.seed for row in rows],
        "results_version": [row.results_version for row in rows],
        "dataset_sha256": [row.dataset_sha256 for row in rows],
        "cpu_seconds": [row.cpu_seconds for row in rows],
    }
    if selection.other:
        table["other_bf16_version"] = [row.run_id in selection.other for row in rows]
    names = dict.fromkeys(name for config in selection.settings.values() for name in type(config).model_fields)
    for name in names:
        values = {number: getattr(config, name, None) for number, config in selection.settings.items()}
        table[name] = [values[row.config_id] for row in rows]
    for name in dict.fromkeys(name for row in rows for name in row.metrics):
        table[name] = [row.metrics.get(name) for row in rows]
    return table


def narrowed(selection: Selection, condition: Condition) -> Selection:
    """Return the selected trials that fulfil a condition on their columns.

    Raises:
        InputError: if it names something that no selected trial has, or compares a text with a number by size.
    """
    names = {name for config in selection.settings.values() for name in type(config).model_fields}
    metrics = {name for row in selection.results for name in row.metrics}
    if selection.results:
        condition.check_names(names | metrics | set(_PROVENANCE))
    tables = {number: dict(config) for number, config in selection.settings.items()}
    kept = []
    for row in selection.results:
        own = {"protocol": selection.config(row).protocol} | {name: getattr(row, name) for name in _PROVENANCE[1:]}
        if condition.holds(tables[row.config_id] | row.metrics | own):
            kept.append(row)
    return replace(selection, results=tuple(kept))


_PROVENANCE = ("protocol", "run_id", "seed", "results_version", "dataset_sha256", "cpu_seconds")


def existing(path: Path) -> Store:
    """Open a store that is there to be read, and make none."""
    return Store(path, read_only=True)
