"""The protocols: settings, what runs with them, and how records are made, summarised, shown and drawn."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from subtx_toy.data import Dataset
from subtx_toy.errors import InputError
from subtx_toy.files.python_objects import load_object
from subtx_toy.results.comparison_table import ComparisonSummary, present_distillation, summarise_distillation
from subtx_toy.results.language_table import LanguageSummary, present_language, summarise_language
from subtx_toy.results.many_steps_table import ManyStepsSummary, present_many_steps, summarise_many_steps
from subtx_toy.results.number_table import NumbersSummary, present_numbers, summarise_numbers
from subtx_toy.results.one_step_table import OneStepSummary, present_one_step, summarise_one_step
from subtx_toy.results.prediction_table import PredictionSummary, present_predictions, summarise_predictions
from subtx_toy.results.run_summary import present_means, summarise_means
from subtx_toy.settings import definitions
from subtx_toy.settings.base import RESULTS_VERSION, Settings, run_id
from subtx_toy.settings.datasets import is_path
from subtx_toy.settings.definitions import Definition, DistillationSweep
from subtx_toy.settings.distillation import RunConfig
from subtx_toy.settings.language import LanguageConfig
from subtx_toy.settings.many_steps import ManyStepsConfig
from subtx_toy.settings.mechanism import MechanismConfig
from subtx_toy.settings.numbers import NumbersConfig
from subtx_toy.settings.one_step import OneStepConfig
from subtx_toy.settings.prediction import PredictionConfig
from subtx_toy.store.kept_nets import NetToKeep, keep
from subtx_toy.store.record import DIVERGED, RunRecord, peak_rss_mib, versions

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from subtx_toy.protocols.distillation import ProtocolResult
    from subtx_toy.results.presentation import Presentation


@dataclass(frozen=True)
class Measurement:
    """What one run gives.

    Attributes:
        metrics: final values by name, for example ``student_aux.accuracy``.
        series: learning curves by name.
        training_cpu_seconds: CPU seconds of the optimiser steps; None counts the whole run.
        versions: what else the numbers were computed with.
        nets: the trained nets by arm, for ``keep_nets``.
    """

    metrics: dict[str, float]
    series: dict[str, list[float]] = field(default_factory=dict)
    training_cpu_seconds: float | None = None
    versions: dict[str, str] = field(default_factory=dict)
    nets: dict[str, NetToKeep] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Protocol:
    """One kind of experiment.

    A protocol of your own is an object of this class in a Python file, which experiment files name with
    ``protocol = "file.py:NAME"``. Only ``name``, ``settings`` and ``run`` are needed: by default every metric is shown
    as a mean over seeds, one row for each configuration.

    Attributes:
        name: as in experiment files; part of the content key.
        settings: class of its settings, whose ``protocol`` is the name.
        run: ``run(settings, dataset, seed=seed)``; equal arguments have to give equal numbers.
        definition: class of its experiment files, for tables beyond ``config`` and ``grid``.
        summarise: ``summarise(definition, base, records)`` with at least one record; ``base`` is what the user asked
            for, before the grid.
        present: from the summary to tables and a document.
        draw: from the summary to a figure; None where there is none.
        keeps_nets: whether a ``Measurement`` holds the nets that ``keep_nets`` writes.
    """

    name: str
    settings: type[Settings]
    run: Callable[..., Measurement]
    definition: type[Definition] = Definition
    summarise: Callable[[Definition, Settings, Sequence[RunRecord]], Any] = summarise_means
    present: Callable[[Any], Presentation] = present_means
    draw: Callable[[Any], Figure] | None = None
    keeps_nets: bool = False


def _distil(config: RunConfig, dataset: Dataset, *, seed: int) -> Measurement:
    from subtx_toy.protocols.distillation import run_protocol

    return _measured(config, run_protocol(config, dataset, seed=seed))


def _mechanism(config: MechanismConfig, dataset: Dataset, *, seed: int) -> Measurement:
    from subtx_toy.protocols.mechanism import run_mechanism

    return _measured(config, run_mechanism(config, dataset, seed=seed))


def _measured(config: RunConfig, result: ProtocolResult) -> Measurement:
    from subtx_toy.training.products import products

    metrics = {f"{arm}.accuracy": value for arm, value in result.accuracy.items()} | result.measured
    metrics |= {f"{arm}{DIVERGED}": float(epoch) for arm, epoch in result.diverged.items()}
    versions = {name: f"autograd, {getattr(config, name)}" for name in config.by_autograd}
    if config.precision == "bf16":
        versions["bf16"] = products(config.precision).name
    return Measurement(metrics, result.curves, result.training_cpu_seconds, versions, result.nets)


def _draw_distillation(summary: ComparisonSummary) -> Figure:
    definition, dataset = summary.definition, summary.base.dataset_title
    if isinstance(definition, DistillationSweep):
        from subtx_toy.figures.points import draw_points

        return draw_points(definition, summary.rows, dataset=dataset, base=summary.base)
    from subtx_toy.figures.arms import draw_arms

    source = None if definition.published is None else definition.published.source
    return draw_arms(summary.rows, dataset=dataset, source=source)


def _one_step(config: OneStepConfig, dataset: Dataset, *, seed: int) -> Measurement:
    from subtx_toy.protocols.one_step import run_one_step

    return Measurement(run_one_step(config, dataset, seed=seed))


def _draw_one_step(summary: OneStepSummary) -> Figure:
    from subtx_toy.figures.one_step import draw_one_step

    return draw_one_step(summary.starts, summary.over_lr, dataset=summary.dataset)


def _numbers(config: NumbersConfig, dataset: Dataset, *, seed: int) -> Measurement:
    from subtx_toy.protocols.numbers import run_numbers

    return Measurement(run_numbers(config, dataset, seed=seed))


def _draw_numbers(summary: NumbersSummary) -> Figure:
    from subtx_toy.figures.arms import draw_number_arms

    return draw_number_arms(summary.arms, trait=summary.config.trait, dataset=summary.config.dataset_title)


def _many_steps(config: ManyStepsConfig, dataset: Dataset, *, seed: int) -> Measurement:
    from subtx_toy.protocols.many_steps import run_many_steps

    return Measurement(*run_many_steps(config, dataset, seed=seed))


def _draw_many_steps(summary: ManyStepsSummary) -> Figure:
    from subtx_toy.figures.many_steps import draw_many_steps

    return draw_many_steps(summary)


def _predict(config: PredictionConfig, dataset: Dataset, *, seed: int) -> Measurement:
    from subtx_toy.protocols.prediction import run_prediction

    return Measurement(run_prediction(config, dataset, seed=seed))


def _draw_predictions(summary: PredictionSummary) -> Figure:
    from subtx_toy.figures.predictions import draw_predictions

    return draw_predictions(summary)


def _language(config: LanguageConfig, _dataset: Dataset, *, seed: int) -> Measurement:
    from subtx_toy.protocols.language import run_language

    return Measurement(run_language(config, seed=seed))


def _draw_language(summary: LanguageSummary) -> Figure:
    from subtx_toy.figures.language import draw_language

    return draw_language(summary.arms, trait=summary.config.trait)


PROTOCOLS = (
    Protocol(
        name=RunConfig.protocol, settings=RunConfig, run=_distil, definition=definitions.Distillation,
        summarise=summarise_distillation, present=present_distillation, draw=_draw_distillation, keeps_nets=True,
    ),
    Protocol(
        name=MechanismConfig.protocol, settings=MechanismConfig, run=_mechanism, definition=definitions.Mechanism,
        summarise=summarise_distillation, present=present_distillation, draw=_draw_distillation, keeps_nets=True,
    ),
    Protocol(
        name=OneStepConfig.protocol, settings=OneStepConfig, run=_one_step, definition=definitions.OneStep,
        summarise=summarise_one_step, present=present_one_step, draw=_draw_one_step,
    ),
    Protocol(
        name=NumbersConfig.protocol, settings=NumbersConfig, run=_numbers, definition=definitions.Numbers,
        summarise=summarise_numbers, present=present_numbers, draw=_draw_numbers,
    ),
    Protocol(
        name=LanguageConfig.protocol, settings=LanguageConfig, run=_language, definition=definitions.Language,
        summarise=summarise_language, present=present_language, draw=_draw_language,
    ),
    Protocol(
        name=ManyStepsConfig.protocol, settings=ManyStepsConfig, run=_many_steps, definition=definitions.ManySteps,
        summarise=summarise_many_steps, present=present_many_steps, draw=_draw_many_steps,
    ),
    Protocol(
        name=PredictionConfig.protocol, settings=PredictionConfig, run=_predict, definition=definitions.Prediction,
        summarise=summarise_predictions, present=present_predictions, draw=_draw_predictions,
    ),
)  # fmt: skip

_BY_SETTINGS = {protocol.settings: protocol for protocol in PROTOCOLS}


def protocol_of(config: Settings) -> Protocol:
    """Return the protocol that some settings are of."""
    if config.source:
        found: Any = load_object("protocol", config.source, expected="a Protocol")
        if not isinstance(found, Protocol):
            raise InputError(f"protocol: expected a Protocol at {config.source!r}, got {type(found).__name__}")
        return found
    if type(config) not in _BY_SETTINGS:
        known = ", ".join(settings.__name__ for settings in _BY_SETTINGS)
        raise TypeError(f"config: expected settings of a protocol ({known}), got {type(config).__name__}")
    return _BY_SETTINGS[type(config)]


def check_keeps_nets(config: Settings) -> None:
    """Refuse to keep the nets of a protocol that hands out none."""
    protocol = protocol_of(config)
    if not protocol.keeps_nets:
        known = ", ".join(repr(one.name) for one in PROTOCOLS if one.keeps_nets)
        raise InputError(f"keep_nets: expected an experiment of protocol {known}, got {protocol.name!r}")


def run_experiment(config: Settings, dataset: Dataset, *, seed: int, keep_nets: Path | None = None) -> RunRecord:
    """Run the protocol of ``config`` with one seed and measure.

    The metrics depend on the configuration, the seed and the data alone; times and memory do not take part in the
    record's ``run_id``.

    Args:
        config: the run's settings.
        dataset: of the name and sizes that ``config`` gives.
        seed: names the random streams, >= 0.
        keep_nets: a folder for the trained nets, in files that ``read_net`` reads.

    Raises:
        ValueError: if the data set is not the one that ``config`` names.
        TypeError: if no protocol has such a configuration.
    """
    sizes = (dataset.name, len(dataset.train_images), len(dataset.test_images))
    if not is_path(config.dataset) and sizes != (config.dataset, config.num_train, config.num_test):
        raise ValueError(
            f"dataset: expected {config.dataset} with {config.num_train} training and {config.num_test} test images, "
            f"got {sizes}"
        )
    key = run_id(config, seed=seed, dataset_sha256=dataset.sha256)  # now: a file of the user's can change meanwhile
    protocol = protocol_of(config)
    wall, cpu = time.perf_counter(), time.process_time()
    measured = protocol.run(config, dataset, seed=seed)
    training = measured.training_cpu_seconds
    record = RunRecord(
        run_id=key,
        results_version=RESULTS_VERSION,
        config=config.model_dump() | ({"protocol": config.source} if config.source else {}),
        seed=seed,
        dataset_sha256=dataset.sha256,
        versions=versions() | measured.versions,
        metrics=measured.metrics,
        series=measured.series,
        wall_seconds=time.perf_counter() - wall,
        cpu_seconds=time.process_time() - cpu,
        training_cpu_seconds=time.process_time() - cpu if training is None else training,
        peak_rss_mib=peak_rss_mib(),
    )
    if keep_nets is not None:
        keep(keep_nets, record, measured.nets)
    return record
