"""Run one configuration with one seed and record it."""

from __future__ import annotations

import time

from subtx_toy.data import Dataset
from subtx_toy.protocols.distillation import run_protocol
from subtx_toy.protocols.numbers import run_numbers
from subtx_toy.protocols.one_step import run_one_step
from subtx_toy.settings.base import RESULTS_VERSION, Settings, is_path, run_id
from subtx_toy.settings.distillation import RunConfig
from subtx_toy.settings.numbers import NumbersConfig
from subtx_toy.settings.one_step import OneStepConfig
from subtx_toy.store.record import RunRecord, peak_rss_mib, versions
from subtx_toy.training.products import products


def run_experiment(config: Settings, dataset: Dataset, *, seed: int) -> RunRecord:
    """Run the protocol of ``config`` with one seed and measure.

    The metrics depend on the configuration, the seed and the data alone; times and memory do not take part in the
    record's ``run_id``.

    Args:
        config: the run's settings.
        dataset: of the name and sizes that ``config`` gives.
        seed: names the random streams, >= 0.

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
    wall, cpu = time.perf_counter(), time.process_time()
    series: dict[str, list[float]] = {}
    made_with: dict[str, str] = {}
    if isinstance(config, OneStepConfig):
        metrics, training = run_one_step(config, dataset, seed=seed), time.process_time() - cpu
    elif isinstance(config, NumbersConfig):
        metrics, training = run_numbers(config, dataset, seed=seed), time.process_time() - cpu
    elif isinstance(config, RunConfig):
        result = run_protocol(config, dataset, seed=seed)
        metrics = {f"{arm}.accuracy": value for arm, value in result.accuracy.items()} | result.representations
        series, training = result.curves, result.training_cpu_seconds
        if config.precision == "bf16":
            made_with["bf16"] = products(config.precision).name
    else:
        raise TypeError(f"config: expected a RunConfig, OneStepConfig or NumbersConfig, got {type(config).__name__}")
    return RunRecord(
        run_id=run_id(config, seed=seed, dataset_sha256=dataset.sha256),
        results_version=RESULTS_VERSION,
        config=config.model_dump(),
        seed=seed,
        dataset_sha256=dataset.sha256,
        versions=versions() | made_with,
        metrics=metrics,
        series=series,
        wall_seconds=time.perf_counter() - wall,
        cpu_seconds=time.process_time() - cpu,
        training_cpu_seconds=training,
        peak_rss_mib=peak_rss_mib(),
    )
