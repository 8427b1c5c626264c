"""Run one configuration with one seed and record it."""

from __future__ import annotations

import time

from subtx_toy.config import RESULTS_VERSION, RunConfig, run_id
from subtx_toy.data import Dataset
from subtx_toy.record import RunRecord, peak_rss_mib, versions
from subtx_toy.training.protocol import run_protocol


def run_experiment(config: RunConfig, dataset: Dataset, *, seed: int) -> RunRecord:
    """Train and measure all arms of one seed.

    The metrics depend on the configuration, the seed and the data alone; times and memory do not take part in the
    record's ``run_id``.

    Args:
        config: the run's settings.
        dataset: of the name and sizes that ``config`` gives.
        seed: names the random streams, >= 0.

    Raises:
        ValueError: if the data set is not the one that ``config`` names.
    """
    sizes = (dataset.name, len(dataset.train_images), len(dataset.test_images))
    if sizes != (config.dataset, config.num_train, config.num_test):
        raise ValueError(
            f"dataset: expected {config.dataset} with {config.num_train} training and {config.num_test} test images, "
            f"got {sizes}"
        )
    wall, cpu = time.perf_counter(), time.process_time()
    result = run_protocol(config, dataset, seed=seed)
    return RunRecord(
        run_id=run_id(config, seed=seed, dataset_sha256=dataset.sha256),
        results_version=RESULTS_VERSION,
        config=config.model_dump(),
        seed=seed,
        dataset_sha256=dataset.sha256,
        versions=versions(),
        metrics={f"{arm}.accuracy": value for arm, value in result.accuracy.items()},
        series=result.curves,
        wall_seconds=time.perf_counter() - wall,
        cpu_seconds=time.process_time() - cpu,
        training_cpu_seconds=result.training_cpu_seconds,
        peak_rss_mib=peak_rss_mib(),
    )
