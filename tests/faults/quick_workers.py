"""``subtx-toy`` with workers that compute nothing, so that a sweep of real processes costs no processor time.

Run as ``python -m tests.faults.quick_workers sweep tiny ...``; the trials take 20 milliseconds each.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from concurrent.futures import Future

from subtx_toy import cli
from subtx_toy.settings.base import RESULTS_VERSION
from subtx_toy.store.record import RunRecord
from subtx_toy.sweep import engine, workers
from subtx_toy.sweep.trial import Trial, TrialOutcome

_SECONDS = 0.02


class QuickWorkers(workers.LocalWorkers):
    """One worker, which answers after a while with a record."""

    def submit(self, trials: Sequence[Trial]) -> Future[list[TrialOutcome]]:
        future: Future[list[TrialOutcome]] = Future()
        outcomes = [TrialOutcome(trial, quick_record(trial), "", 0.0, _SECONDS) for trial in trials]
        threading.Timer(_SECONDS * len(trials), future.set_result, [outcomes]).start()
        return future


def quick_record(trial: Trial) -> RunRecord:
    """A record as a trial could have it."""
    return RunRecord(
        run_id=trial.run_id,
        results_version=RESULTS_VERSION,
        config=trial.config.model_dump(),
        seed=trial.seed,
        dataset_sha256=trial.dataset_sha256,
        versions={},
        metrics={"student_aux.accuracy": trial.seed / 1000},
        wall_seconds=_SECONDS,
        cpu_seconds=_SECONDS,
        training_cpu_seconds=_SECONDS,
        peak_rss_mib=1.0,
        series={"student_aux.loss": [1.0, 0.5]},
    )


if __name__ == "__main__":
    for module in (workers, engine):
        vars(module)["LocalWorkers"] = QuickWorkers
    cli.main()
