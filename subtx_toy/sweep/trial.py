"""One trial, and what a worker process does with it."""

from __future__ import annotations

import functools
import multiprocessing
import os
import signal
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from subtx_toy.config import Settings

if TYPE_CHECKING:
    from subtx_toy.data import Dataset
    from subtx_toy.record import RunRecord


@dataclass(frozen=True)
class Trial:
    """One (configuration, seed) on one data set.

    ``dataset_sha256`` is what the coordinator read; a worker that reads anything else refuses the trial.
    """

    run_id: str
    config: Settings
    seed: int
    dataset_sha256: str
    data_dir: Path | None = None


THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
"""Read by the numerical libraries when they are loaded: a worker computes with one thread."""


def start_worker() -> None:
    """Prepare a worker process: one thread, interrupts left to the coordinator, and no life without it."""
    import torch

    torch.set_num_threads(1)
    # A terminal sends Ctrl-C to every process; the coordinator answers for all of them.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    if parent is not None:

        def follow() -> None:
            parent.join()
            os._exit(1)  # the coordinator was killed: nobody waits for this trial any more

        threading.Thread(target=follow, daemon=True).start()


def run_trial(trial: Trial) -> RunRecord:
    """Run one trial in this process.

    Raises:
        RuntimeError: if the data set is not the one the coordinator read.
    """
    from subtx_toy.experiment import run_experiment

    config = trial.config
    dataset = _dataset(config.dataset, config.num_train, config.num_test, trial.data_dir)
    if dataset.sha256 != trial.dataset_sha256:
        raise RuntimeError(
            f"data set {config.dataset}: expected checksum {trial.dataset_sha256}, got {dataset.sha256} in a worker"
        )
    return run_experiment(config, dataset, seed=trial.seed)


@functools.lru_cache(maxsize=2)
def _dataset(name: str, num_train: int, num_test: int, data_dir: Path | None) -> Dataset:
    # Read once a process: the trials of one worker mostly share their data.
    from subtx_toy.data import load

    return load(name, num_train=num_train, num_test=num_test, data_dir=data_dir)
