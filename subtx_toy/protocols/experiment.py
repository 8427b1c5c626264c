"""Run one configuration with one seed and record it."""

from __future__ import annotations

import time

from subtx_toy.data import Dataset
from subtx_toy.protocols.protocol import protocol_of
from subtx_toy.settings.base import RESULTS_VERSION, Settings, is_path, run_id
from subtx_toy.store.record import RunRecord, peak_rss_mib, versions


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
    key = run_id(config, seed=seed, dataset_sha256=dataset.sha256)  # now: a file of the user's can change meanwhile
    protocol = protocol_of(config)
    wall, cpu = time.perf_counter(), time.process_time()
    measured = protocol.run(config, dataset, seed=seed)
    training = measured.training_cpu_seconds
    return RunRecord(
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
