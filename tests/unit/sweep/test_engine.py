"""The engine: the same records with any number of workers, in any order, alone or among others."""

from __future__ import annotations

import contextlib
import dataclasses
import multiprocessing
import os
import time
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from pathlib import Path

import psutil
import pytest

from subtx_toy import __version__
from subtx_toy.data import load
from subtx_toy.errors import WorkerError
from subtx_toy.settings.base import RESULTS_VERSION, run_id
from subtx_toy.settings.distillation import RunConfig
from subtx_toy.store.record import RunRecord
from subtx_toy.sweep.engine import _BatchSize, run
from subtx_toy.sweep.trial import Edition, Trial, TrialOutcome, run_batch
from subtx_toy.sweep.workers import LocalWorkers
from tests.faults.sweeping import Here, is_worker

CONFIG = RunConfig(
    dataset="glyphs", num_train=300, num_test=200, num_inputs=256, batch_size=100, width=16,
    teacher_epochs=1, student_epochs=1, num_aux=4,
)  # fmt: skip


@pytest.fixture(scope="module")
def trials() -> list[Trial]:
    sha256 = load("glyphs", num_train=300, num_test=200).sha256
    return [Trial(run_id(CONFIG, seed=seed, dataset_sha256=sha256), CONFIG, seed, sha256) for seed in range(4)]


class Listed:
    """A supply of given trials."""

    def __init__(self, trials: Sequence[Trial]) -> None:
        self._waiting = deque(trials)

    def take(self, most: int) -> Sequence[Trial]:
        return [self._waiting.popleft() for _ in range(min(most, len(self._waiting)))]

    def left(self) -> int:
        return len(self._waiting)

    def beat(self) -> None:
        pass


def run_trials(trials: Sequence[Trial], *, workers: int) -> Iterator[TrialOutcome]:
    """Run trials in processes of this machine and yield each outcome when it is there."""
    with contextlib.closing(run(Listed(trials), LocalWorkers(workers))) as batches:
        for outcomes in batches:
            yield from outcomes


def _records(trials: list[Trial], *, workers: int) -> dict[int, RunRecord]:
    here = run_batch(trials, Edition.here()) if not workers else run_trials(trials, workers=workers)
    outcomes = list(here)
    assert [outcome.error for outcome in outcomes] == [""] * len(trials)
    return {outcome.trial.seed: outcome.record for outcome in outcomes if outcome.record is not None}


def _numbers(record: RunRecord) -> tuple[dict[str, float], dict[str, list[float]]]:
    return record.metrics, record.series


def test_records_do_not_depend_on_workers_order_or_company(trials: list[Trial]) -> None:
    two = _records(trials, workers=2)
    one = _records(trials[::-1], workers=0)
    alone = _records([trials[2]], workers=0)
    assert set(two) == set(one) == {0, 1, 2, 3}
    for seed in two:
        assert _numbers(two[seed]) == _numbers(one[seed])  # bit for bit
    assert _numbers(alone[2]) == _numbers(two[2])
    assert len({tuple(record.metrics.values()) for record in two.values()}) > 1, "seeds must differ"


def test_a_trial_that_raises_is_an_outcome_and_the_others_finish(trials: list[Trial]) -> None:
    bad = dataclasses.replace(trials[0], seed=-1)
    outcomes = {outcome.trial.seed: outcome for outcome in run_trials([bad, trials[1]], workers=1)}
    assert "seed: expected an integer >= 0, got -1" in outcomes[-1].error
    assert outcomes[-1].error.startswith("Traceback")
    assert outcomes[1].record is not None


def test_a_worker_with_other_data_stops_the_engine(trials: list[Trial]) -> None:
    bad = dataclasses.replace(trials[0], dataset_sha256="0" * 64)
    with pytest.raises(WorkerError, match="expected checksum 000"):
        list(run_trials([bad, trials[1]], workers=1))


@pytest.mark.parametrize("other", [Edition("0.0.1", RESULTS_VERSION), Edition(__version__, RESULTS_VERSION + 1)])
def test_a_worker_of_another_edition_refuses_the_work(trials: list[Trial], other: Edition) -> None:
    with pytest.raises(WorkerError, match=f"expected subtx-toy {other.package} with RESULTS_VERSION"):
        run_batch(trials[:1], other)


def test_batches_hold_enough_work_and_leave_some_for_everybody(trials: list[Trial]) -> None:
    size = _BatchSize(2)
    assert size.next(1000) == 1, "nothing is measured yet"
    size.learn([TrialOutcome(trials[0], None, started=0.0, ended=0.01)])
    assert size.next(1000) == 30
    assert size.next(8) == 2
    assert size.next(1) == 1
    size.learn([TrialOutcome(trials[0], None, started=0.0, ended=100.0)] * 9)
    assert size.next(1000) == 1


def test_leaving_early_leaves_no_process_behind(trials: list[Trial]) -> None:
    before = set(psutil.Process().children(recursive=True))
    iterator = run_trials(trials, workers=1)
    next(iterator)
    ours = set(psutil.Process().children(recursive=True)) - before
    assert [child for child in ours if is_worker(child, of=os.getpid())]
    iterator.close()  # type: ignore[attr-defined]
    deadline = time.monotonic() + 60
    while any("resource_tracker" not in _line(child) for child in ours):
        assert time.monotonic() < deadline, "a process outlived the engine"
        time.sleep(0.05)


def _line(process: psutil.Process) -> str:
    """The command line; one that has ended counts as the resource tracker, which stays."""
    try:
        return " ".join(process.cmdline()) if process.status() != psutil.STATUS_ZOMBIE else "resource_tracker"
    except psutil.Error:
        return "resource_tracker"


def test_no_trials_start_no_process(tmp_path: Path) -> None:
    assert list(run_trials([], workers=2)) == []


def test_a_process_of_the_callers_is_left_alone(trials: list[Trial]) -> None:
    mine = multiprocessing.get_context("spawn").Process(target=time.sleep, args=(60,))
    mine.start()
    try:
        _records(trials[:1], workers=1)
        assert mine.is_alive()
    finally:
        mine.terminate()
        mine.join()


class _Counted(TrialOutcome):
    """An outcome whose end can be seen."""

    alive = 0

    def __init__(self, trial: Trial) -> None:
        super().__init__(trial, None, "none", 0.0, 1.0)  # a batch holds one of a second
        _Counted.alive += 1

    def __del__(self) -> None:
        _Counted.alive -= 1


class _Instant(Here):
    """Workers that have done nothing as soon as they are asked."""

    def submit(self, trials: Sequence[Trial]) -> Future[list[TrialOutcome]]:
        future: Future[list[TrialOutcome]] = Future()
        future.set_result([_Counted(trial) for trial in trials])
        return future


def test_what_is_stored_is_let_go(trials: list[Trial]) -> None:
    most = 0
    for outcomes in run(Listed(trials * 50), _Instant()):
        most = max(most, _Counted.alive)
        del outcomes
    assert 1 <= most <= 4, "the two batches that may run, and the two that were handed out"


class _Slow(_Instant):
    """Workers of a large cluster: what they finish while the coordinator writes is there at once."""

    num = 32


def test_what_finished_in_the_meantime_is_taken_and_handed_out_together(trials: list[Trial]) -> None:
    supply, sizes = Listed(trials * 50), []
    asked = []
    take = supply.take
    supply.take = lambda most: asked.append(most) or take(most)  # type: ignore[method-assign, func-returns-value]
    for outcomes in run(supply, _Slow()):
        sizes.append(len(outcomes))
    assert sizes == asked[:-1] == [64, 64, 64, 8]
