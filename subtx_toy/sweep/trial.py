"""One trial, and what a worker does with a batch of them."""

from __future__ import annotations

import contextlib
import functools
import multiprocessing
import os
import signal
import threading
import time
import traceback
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from subtx_toy import __version__
from subtx_toy.errors import InputError, WorkerError
from subtx_toy.settings.base import RESULTS_VERSION, Settings, run_id
from subtx_toy.sweep.time_limit import TimeLimitError, limited
from subtx_toy.training import pulse

if TYPE_CHECKING:
    from subtx_toy.data import Dataset
    from subtx_toy.store.record import RunRecord


@dataclass(frozen=True)
class Trial:
    """One (configuration, seed) on the data the coordinator read; a worker that reads anything else refuses it.

    After ``timeout`` seconds it is ended and has failed. Its nets are written to the folder ``keep_nets``.
    """

    run_id: str
    config: Settings
    seed: int
    dataset_sha256: str
    data_dir: Path | None = None
    timeout: float | None = None
    keep_nets: Path | None = None

    def labelled(self, record: RunRecord) -> RunRecord:
        """Return the stored record of this trial, which may have read the same images from another path."""
        words = {name: getattr(self.config, name) for name in ("dataset", "num_train", "num_test")}
        return replace(record, config=record.config | words)


@dataclass(frozen=True)
class TrialOutcome:
    """A trial's record, or the text of its error, with the worker's clock in seconds since 1970 (0 if it died)."""

    trial: Trial
    record: RunRecord | None
    error: str = ""
    started: float = 0.0
    ended: float = 0.0


@dataclass(frozen=True)
class Edition:
    """What has to be the same in the coordinator and in its workers, for records to belong together."""

    package: str
    results_version: int

    @classmethod
    def here(cls) -> Edition:
        """Return that of this process."""
        return cls(__version__, RESULTS_VERSION)

    def __str__(self) -> str:
        return f"subtx-toy {self.package} with RESULTS_VERSION {self.results_version}"


def start_worker(memory: Any = None) -> None:
    """Prepare a worker process: one thread, interrupts left to the coordinator, and no life without it.

    ``memory`` is where it writes how far its trial is.
    """
    import torch

    if memory is not None:
        pulse.report_to(memory, os.getpid())

    torch.set_num_threads(1)
    # A terminal sends Ctrl-C to every process; the coordinator answers for all of them.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    if parent is not None:

        def follow() -> None:
            parent.join()
            os._exit(1)  # the coordinator was killed: nobody waits for this trial any more

        threading.Thread(target=follow, daemon=True).start()


def run_batch(trials: Sequence[Trial], edition: Edition) -> list[TrialOutcome]:
    """Run some trials in this process, one after another."""
    here = Edition.here()
    if here != edition:
        raise WorkerError(f"worker: expected {edition} as in the coordinator, got {here}")
    import torch

    torch.set_num_threads(1)
    return [_outcome(trial) for trial in trials]


def _outcome(trial: Trial) -> TrialOutcome:
    if trial.timeout is not None:  # what the first trial of a worker loads for all of them counts for none
        with contextlib.suppress(Exception):  # which running it meets again
            _load(trial)
    started = time.time()
    pulse.begin(trial.run_id)
    try:
        with limited(trial.timeout):
            record, error = run_trial(trial), ""
    except WorkerError:
        raise
    except TimeLimitError as limit:
        record, error = None, str(limit)
    except Exception as fault:  # a worker outlives whatever a trial does
        record, error = None, "".join(traceback.format_exception(fault))
    return TrialOutcome(trial, record, error, started, time.time())


def run_trial(trial: Trial) -> RunRecord:
    """Run one trial in this process."""
    from subtx_toy.protocols.protocol import run_experiment

    config = trial.config
    if (dataset := _load(trial)).sha256 != trial.dataset_sha256:
        _dataset.cache_clear()  # a file that was edited since an earlier sweep of this worker
        dataset = _load(trial)
    if dataset.sha256 != trial.dataset_sha256:
        raise WorkerError(
            f"worker: data set {config.dataset}: expected checksum {trial.dataset_sha256} as in the coordinator, "
            f"got {dataset.sha256}"
        )
    own = [*config.own_objects, *(["protocol"] if config.source else [])]
    if own and trial.run_id != run_id(config, seed=trial.seed, dataset_sha256=dataset.sha256):
        raise InputError(f"{', '.join(own)}: the source changed after the trials were planned; run again")
    return run_experiment(config, dataset, seed=trial.seed, keep_nets=trial.keep_nets)


def _load(trial: Trial) -> Dataset:
    import subtx_toy.protocols.protocol  # noqa: F401, which takes a second

    config = trial.config
    return _dataset(config.dataset, config.num_train, config.num_test, trial.data_dir)


@functools.lru_cache(maxsize=4)
def _dataset(name: str, num_train: int, num_test: int, data_dir: Path | None) -> Dataset:
    # Read once a process: the trials of one worker mostly share their data.
    from subtx_toy.data import load

    return load(name, num_train=num_train, num_test=num_test, data_dir=data_dir)
