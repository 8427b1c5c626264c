"""Other coordinators on one store, workers that die or hang, and texts that would steer a terminal."""

from __future__ import annotations

import contextlib
import dataclasses
import multiprocessing
import re
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from pathlib import Path

import pytest

from subtx_toy import cli
from subtx_toy.errors import InputError
from subtx_toy.store import Store, coordinators, trials
from subtx_toy.store.coordinators import Coordinator
from subtx_toy.store.trials import Entry, Leases, failure, running, states
from subtx_toy.sweep import engine, time_limit, trial, workers
from subtx_toy.sweep.session import Tally, carry_out
from subtx_toy.sweep.time_limit import TimeLimitError, limited
from subtx_toy.sweep.trial import Trial, TrialOutcome
from tests.faults import sweeping
from tests.faults.quick_workers import QuickWorkers, quick_record
from tests.faults.sweeping import Here, finish

HELD = 3


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return tmp_path / "r.sqlite"


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no trial compute, and a lease be short."""
    for module in (workers, engine):
        monkeypatch.setattr(module, "LocalWorkers", QuickWorkers)
    monkeypatch.setattr(coordinators, "LEASE_SECONDS", 0.5)
    monkeypatch.setattr(trials, "BEAT_SECONDS", 0.1)


@pytest.fixture
def other() -> Iterator[tuple[subprocess.Popen[bytes], Coordinator]]:
    """A coordinator in another process of this machine."""
    with subprocess.Popen(["sleep", "600"]) as process:
        started = coordinators._started(process.pid)
        yield process, dataclasses.replace(Coordinator.this_process(), pid=process.pid, started=started)
        process.kill()


def _hold(store: Path, coordinator: Coordinator, *, ahead: float = 0.0) -> None:
    """Let a coordinator run some trials; it says nothing more."""
    planned = sweeping.trials()
    with Store(store) as opened:
        leases = Leases(opened, coordinator=coordinator)
        leases.enter([Entry(one.run_id, "tiny", one.seed, {}) for one in planned], retry_failed=False)
        leases.claim([one.run_id for one in planned[:HELD]])
        opened.connection.sqlite.execute("UPDATE coordinators SET heartbeat = heartbeat + ?", (ahead,))


def _tallies(store: Path) -> Iterator[Tally]:
    with Store(store) as opened:
        steps = carry_out(sweeping.trials(), opened, lambda: QuickWorkers(1), experiment="tiny")
        yield from (tally for tally, _ in steps)


@pytest.mark.usefixtures("quick")
def test_who_is_waited_for_is_said(
    store: Path, other: tuple[subprocess.Popen[bytes], Coordinator], capsys: pytest.CaptureFixture[str]
) -> None:
    process, coordinator = other
    _hold(store, coordinator)
    assert cli.call(["results", "list", "--store", str(store)]) == 0
    who = rf"3 trials of process {process.pid} on {re.escape(coordinator.host)} since 20\d\d-\d\d-\d\d \d\d:\d\d:\d\d"
    assert re.search(f"running: {who}", capsys.readouterr().out)

    def kill_while_it_is_waited_for() -> None:
        sweeping.wait_for(store, sweeping.NUM_TRIALS - HELD)
        time.sleep(1.0)
        process.kill()

    killer = threading.Thread(target=kill_while_it_is_waited_for)
    killer.start()
    command = ["sweep", "tiny", *sweeping.WORDS, "--seeds", sweeping.SEEDS, "--store", str(store)]
    assert cli.call(command) == 0, "its trials are run once it is dead"
    killer.join()
    err = capsys.readouterr().err
    assert len(re.findall(f"waiting for {who}\n", err)) == 1, err
    with Store(store, read_only=True) as opened:
        assert running(opened) == ()


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize(("number", "state"), [(0, "runs"), (signal.SIGSTOP, "stopped"), (signal.SIGKILL, "dead")])
def test_a_live_a_stopped_and_a_dead_coordinator_are_told_apart(
    store: Path, other: tuple[subprocess.Popen[bytes], Coordinator], number: int, state: str
) -> None:
    process, coordinator = other
    _hold(store, coordinator)
    process.send_signal(number)
    time.sleep(0.1)
    with Store(store, read_only=True) as opened:
        assert state == "dead" or [holder.state for holder in running(opened)] == [state]
    seen, patience = set(), time.monotonic() + 3
    for tally in _tallies(store):
        seen |= {holder.state for holder in tally.waiting_for}
        if not tally.left or (tally.left == HELD and state == "runs" and time.monotonic() > patience):
            break
        assert time.monotonic() < patience + 100
    assert tally.left == (HELD if state == "runs" else 0), "a live one keeps its trials, others lose them"
    assert seen <= {state}, "a stopped one is waited for if its lease lasts, a dead one is not"
    assert seen or state != "runs"
    with Store(store, read_only=True) as opened:
        assert [holder.pid for holder in running(opened)] == ([process.pid] if state == "runs" else [])


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("ahead", [0.0, 3600.0, 1e9])
def test_a_heartbeat_from_the_future_ends_as_any_other(store: Path, ahead: float) -> None:
    elsewhere = dataclasses.replace(Coordinator.this_process(), machine="another machine")
    _hold(store, elsewhere, ahead=ahead)
    began = time.monotonic()
    *_, last = _tallies(store)
    assert (last.done, last.left) == (sweeping.NUM_TRIALS, 0)
    assert 0.4 < time.monotonic() - began < 20


@pytest.mark.usefixtures("quick")
def test_a_stopped_coordinator_that_goes_on_stores_what_it_has_and_doubles_nothing(
    store: Path, other: tuple[subprocess.Popen[bytes], Coordinator]
) -> None:
    planned = sweeping.trials()
    with Store(store) as opened:
        leases = Leases(opened, coordinator=other[1])
        leases.enter([Entry(one.run_id, "tiny", one.seed, {}) for one in planned], retry_failed=False)
        leases.claim([one.run_id for one in planned[:HELD]])
        other[0].send_signal(signal.SIGSTOP)
        *_, last = _tallies(store)
        assert last.done == sweeping.NUM_TRIALS
        other[0].send_signal(signal.SIGCONT)
        assert opened.add_all([quick_record(one) for one in planned[:HELD]]) == 0
        leases.fail({planned[0].run_id: "no"})
        assert set(states(opened, [one.run_id for one in planned]).values()) == {"done"}


class _Suicide(Trial):
    """A trial that sends its worker a signal."""

    def __reduce__(self) -> tuple[object, ...]:
        return signal.raise_signal, (signal.SIGSEGV,)


def test_the_signal_of_a_worker_is_kept_with_its_trial(store: Path) -> None:
    planned = sweeping.trials()[0]
    tally = finish(store, lambda: workers.LocalWorkers(1), [_Suicide(**vars(planned))])
    assert tally == Tally(1, failed=1)
    with Store(store, read_only=True) as opened:
        text = failure(opened, planned.run_id)
    assert text == "its worker process died of signal 11 (SIGSEGV), with other trials running and again alone"


@pytest.mark.parametrize(
    ("codes", "words"),
    [
        ([-signal.SIGTERM, -9], " of signal 9 (SIGKILL, as the system sends it when memory runs out)"),
        ([-11, -signal.SIGTERM], " of signal 11 (SIGSEGV)"),
        ([-signal.SIGTERM], " of signal 15 (SIGTERM)"),
        ([None, 3], " with exit code 3"),
        ([0], ""),
    ],
)
def test_the_end_of_a_process_in_words(codes: list[int | None], words: str) -> None:
    assert workers._cause(codes) == words


def _sleep() -> None:
    time.sleep(60)


def _work() -> None:
    while True:
        pass


@pytest.mark.parametrize("body", [_sleep, _work])
def test_a_trial_that_runs_too_long_has_failed_with_that_reason(
    store: Path, body: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    planned = [dataclasses.replace(one, timeout=0.3) for one in sweeping.trials()[:3]]

    def run_trial(one: Trial) -> object:
        if one == planned[1]:
            body()
        return quick_record(one)

    monkeypatch.setattr(trial, "run_trial", run_trial)
    before = signal.getsignal(signal.SIGALRM)
    assert finish(store, Here, planned) == Tally(3, done=2, failed=1)
    with Store(store, read_only=True) as opened:
        assert failure(opened, planned[1].run_id) == "it ran longer than the 0.3 seconds that --trial-timeout allows"
    assert signal.getsignal(signal.SIGALRM) == before
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)


def test_outside_the_main_thread_work_is_ended_too() -> None:
    found: list[BaseException] = []

    def work() -> None:
        try:
            with limited(0.2):
                while True:
                    time.sleep(0.01)
        except TimeLimitError as error:
            found.append(error)
        time.sleep(0.05)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join(20)
    assert [str(error) for error in found] == [time_limit.overdue(0.2)]


def test_an_exception_that_is_swallowed_comes_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time_limit, "_AGAIN_SECONDS", 0.05)

    def work() -> None:
        for _ in range(3):
            with contextlib.suppress(TimeLimitError):
                time.sleep(60)
        time.sleep(60)

    with limited(0.05), pytest.raises(TimeLimitError):
        work()


class _Stuck(workers.LocalWorkers):
    """Workers of which one never answers until the pool is dropped; then all batches under way are lost."""

    def __init__(self, stuck: str) -> None:
        super().__init__(1)
        self._stuck, self._open, self.dropped = stuck, list[Future[list[TrialOutcome]]](), 0

    def submit(self, trials: object) -> Future[list[TrialOutcome]]:
        future: Future[list[TrialOutcome]] = Future()
        batch: list[Trial] = list(trials)  # type: ignore[call-overload]
        if any(one.run_id == self._stuck for one in batch) or any(not one.done() for one in self._open):
            self._open.append(future)  # behind the stuck one nothing comes
        else:
            future.set_result([TrialOutcome(one, quick_record(one), "", 0.0, 0.01) for one in batch])
        return future

    def recover(self) -> str:
        self.dropped += 1
        for future in self._open:
            if not future.done():
                future.cancel()
        return ""


def test_a_worker_that_does_not_end_a_trial_is_ended(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "_GRACE_SECONDS", 0.2)
    planned = [dataclasses.replace(one, timeout=0.1) for one in sweeping.trials()]
    stuck = planned[4].run_id
    assert finish(store, lambda: _Stuck(stuck), planned) == Tally(len(planned), done=len(planned) - 1, failed=1)
    with Store(store, read_only=True) as opened:
        assert str(failure(opened, stuck)) == time_limit.overdue(0.1)


@pytest.mark.slow
def test_a_worker_that_is_stopped_is_ended(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing that runs inside a stopped process can end its trial."""
    monkeypatch.setattr(engine, "_GRACE_SECONDS", 15.0)
    planned = [dataclasses.replace(one, timeout=1.0) for one in sweeping.trials()[:2]]
    planned[0] = _Stopped(**vars(planned[0]))
    assert finish(store, lambda: workers.LocalWorkers(1), planned) == Tally(2, done=1, failed=1)
    assert multiprocessing.active_children() == []


class _Stopped(Trial):
    def __reduce__(self) -> tuple[object, ...]:
        return signal.raise_signal, (signal.SIGSTOP,)


@pytest.mark.parametrize("value", [0, -1, float("nan"), float("inf"), 1e300, True, "3"])
def test_a_time_limit_that_is_none_is_refused(value: object, store: Path) -> None:
    from subtx_toy import sweep

    with pytest.raises(InputError, match=r"trial_timeout: expected seconds > 0 and <= 1e\+09, got"):
        sweep("tiny", seeds=1, store=store, trial_timeout=value)  # type: ignore[arg-type]
    assert not store.exists()
