"""Sessions: what is stored is not run again, two of them share the work, and failures are kept apart."""

from __future__ import annotations

import concurrent.futures
import dataclasses
import threading
from collections.abc import Sequence
from concurrent.futures import Future
from pathlib import Path

import pytest

from subtx_toy.settings.base import run_ids
from subtx_toy.settings.distillation import RunConfig
from subtx_toy.store import Store
from subtx_toy.store.trials import failure, states
from subtx_toy.sweep.schedule import estimate
from subtx_toy.sweep.session import Tally, carry_out
from subtx_toy.sweep.trial import Trial, TrialOutcome
from tests.faults.sweeping import fail_elsewhere
from tests.unit.store.test_schema import _record

CONFIG = RunConfig(dataset="glyphs", width=8)
TRIALS = [
    Trial(key, CONFIG, seed, "f" * 64)
    for seed, key in enumerate(run_ids(CONFIG, seeds=range(20), dataset_sha256="f" * 64))
]


class Threads:
    """Workers that pretend: a record at once, or an error for the seeds that are to fail."""

    num = 2

    def __init__(self, failing: Sequence[int] = ()) -> None:
        self.ran: list[int] = []
        self.failing = failing
        self.closed = False
        self._pool = concurrent.futures.ThreadPoolExecutor(2)

    def submit(self, trials: Sequence[Trial]) -> Future[list[TrialOutcome]]:
        return self._pool.submit(lambda: [self._outcome(trial) for trial in trials])

    def _outcome(self, trial: Trial) -> TrialOutcome:
        self.ran.append(trial.seed)
        if trial.seed in self.failing:
            return TrialOutcome(trial, None, "Traceback\nValueError: it had to", 0.0, 0.1)
        record = dataclasses.replace(_record(trial.seed, CONFIG), run_id=trial.run_id)
        return TrialOutcome(trial, record, "", 0.0, 0.1)

    def died(self, error: BaseException) -> bool:
        raise AssertionError(error)

    def recover(self) -> None:
        raise AssertionError

    def close(self, *, at_once: bool) -> None:
        self.closed = True
        self._pool.shutdown(cancel_futures=at_once)


def _run(path: Path, workers: Threads, *, retry_failed: bool = False, max_failures: int | None = None) -> Tally:
    with Store(path) as store:
        steps = carry_out(
            TRIALS, store, lambda: workers, experiment="tiny", retry_failed=retry_failed, max_failures=max_failures
        )
        for tally, _ in steps:
            last = tally
    return last


def test_a_second_session_runs_only_what_is_missing(tmp_path: Path) -> None:
    first, second = Threads(), Threads()
    with Store(tmp_path / "r.sqlite") as store:
        store.add(dataclasses.replace(_record(7, CONFIG), run_id=TRIALS[7].run_id))
    assert _run(tmp_path / "r.sqlite", first) == Tally(20, stored=1, done=19)
    assert sorted(first.ran) == [seed for seed in range(20) if seed != 7]
    assert first.closed
    assert _run(tmp_path / "r.sqlite", second) == Tally(20, stored=20)
    assert second.ran == []
    assert not second.closed, "not even opened"


def test_failures_are_kept_and_left_alone_until_they_are_retried(tmp_path: Path) -> None:
    path = tmp_path / "r.sqlite"
    assert _run(path, Threads(failing=[3, 4])) == Tally(20, done=18, failed=2)
    with Store(path) as store:
        assert failure(store, TRIALS[3].run_id) == "Traceback\nValueError: it had to"
    again = Threads()
    assert _run(path, again) == Tally(20, stored=18, failed_before=2)
    assert again.ran == []
    retried = Threads(failing=[4])
    assert _run(path, retried, retry_failed=True) == Tally(20, stored=18, done=1, failed=1)
    assert sorted(retried.ran) == [3, 4]


def test_a_limit_on_failures_stops_the_session_and_the_rest_stays_pending(tmp_path: Path) -> None:
    path = tmp_path / "r.sqlite"
    tally = _run(path, Threads(failing=range(20)), max_failures=3)
    assert 3 <= tally.failed < 8  # a batch may hold several
    assert tally.left == 20 - tally.failed
    with Store(path) as store:
        found = list(states(store, [trial.run_id for trial in TRIALS]).values())
    assert (found.count("failed"), found.count("pending")) == (tally.failed, tally.left)


def test_two_sessions_at_once_share_the_trials_without_doubling_one(tmp_path: Path) -> None:
    crews, tallies = [Threads(), Threads()], {}
    sessions = [
        threading.Thread(target=lambda at=at: tallies.update({at: _run(tmp_path / "r.sqlite", crews[at])}))
        for at in range(2)
    ]
    for session in sessions:
        session.start()
    for session in sessions:
        session.join()
    assert sorted(crews[0].ran + crews[1].ran) == list(range(20))
    for tally in tallies.values():
        assert tally.left == 0
    assert sum(tally.done for tally in tallies.values()) == 20


def test_what_fails_in_another_session_meanwhile_is_counted_as_failed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fail_elsewhere(monkeypatch, [TRIALS[3].run_id, TRIALS[19].run_id])
    tally = _run(tmp_path / "r.sqlite", Threads(failing=[5]))
    assert tally == Tally(20, done=17, failed=1, failed_before=2)
    assert tally.left == 0


def test_an_interrupted_session_gives_its_trials_back(tmp_path: Path) -> None:
    with Store(tmp_path / "r.sqlite") as store:
        steps = carry_out(TRIALS, store, Threads, experiment="tiny")
        next(steps)
        next(steps)
        steps.close()
        found = states(store, [trial.run_id for trial in TRIALS])
    assert set(found.values()) == {"done", "pending"}


def test_times_are_estimated_from_records_of_the_same_and_of_similar_configurations(tmp_path: Path) -> None:
    wide = CONFIG.override(["width=16"])
    other = [Trial("x", wide, 0, "f" * 64), Trial("y", wide, 1, "f" * 64)]
    with Store(tmp_path / "r.sqlite") as store:
        assert estimate(TRIALS, store, swept=["width"]) is None
        store.add(dataclasses.replace(_record(0, CONFIG), cpu_seconds=2.0))
        same = estimate(TRIALS[1:4], store, swept=["width"])
        similar = estimate(other, store, swept=["width"])
        assert estimate(other, store, swept=["lr"]) is None
    assert same is not None
    assert similar is not None
    assert (same.cpu_seconds, same.basis) == (6.0, "from records of the same configurations")
    assert (similar.cpu_seconds, "differ in width" in similar.basis) == (4.0, True)


@pytest.mark.parametrize("done", [0, 3])
def test_a_tally_adds_up(done: int) -> None:
    assert Tally(10, stored=1, done=done, elsewhere=1, failed=1, failed_before=1).left == 6 - done
