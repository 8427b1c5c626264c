"""A small sweep that can be disturbed: as a command in a process of its own, and finished inside the test's process."""

from __future__ import annotations

import functools
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future
from pathlib import Path

import psutil
import pytest

from subtx_toy.settings.seeds import parse_seeds
from subtx_toy.store import Store
from subtx_toy.store.record import RunRecord
from subtx_toy.store.results import results
from subtx_toy.store.trials import Leases
from subtx_toy.sweep.plan import Plan
from subtx_toy.sweep.schedule import schedule
from subtx_toy.sweep.session import Tally, carry_out
from subtx_toy.sweep.trial import Edition, Trial, TrialOutcome, run_batch
from subtx_toy.sweep.workers import Workers
from subtx_toy.training.pulse import Pulse

WORDS = ["width=8,12,16", "num_train=500", "num_test=200", "num_inputs=500"]
SEEDS = "0:4"
NUM_TRIALS = 12

Numbers = dict[str, tuple[dict[str, float], dict[str, list[float]]]]


def start(store: Path, *options: str) -> subprocess.Popen[str]:
    """Start the sweep as a user does, with signals as in a terminal."""
    # A script's background jobs have SIGINT ignored, and their children too.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    command = [sys.executable, "-m", "subtx_toy", "sweep", "tiny", *WORDS, "--seeds", SEEDS, "--store", str(store)]
    return subprocess.Popen([*command, *options], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@functools.cache
def trials() -> list[Trial]:
    """The sweep's trials."""
    plan = Plan.read("tiny", WORDS, seeds=SEEDS)
    return schedule(plan.configs, parse_seeds(plan.seeds))


class Here:
    """Workers without processes: a batch has run when it is submitted."""

    num = 1

    def submit(self, trials: Sequence[Trial]) -> Future[list[TrialOutcome]]:
        future: Future[list[TrialOutcome]] = Future()
        future.set_result(run_batch(trials, Edition.here()))
        return future

    def pulses(self) -> dict[str, Pulse]:
        return {}

    def died(self, error: BaseException) -> bool:
        raise AssertionError(error)

    def recover(self) -> None:
        raise AssertionError

    def close(self, *, at_once: bool) -> None:
        del at_once


def finish(store: Path, open_workers: Callable[[], Workers] = Here, planned: Sequence[Trial] = ()) -> Tally:
    """Run what is missing, in this process unless other workers are given."""
    with Store(store) as opened:
        for tally, _ in carry_out(list(planned) or trials(), opened, open_workers, experiment="tiny"):
            last = tally
    return last


def numbers(store: Path) -> Numbers:
    """What was computed: metrics and curves by key, which must be the same bits in every run."""
    with Store(store) as opened:
        found = opened.get([one.run_id for one in results(opened)])
        assert opened.count() == len(found), "every trial once"
        return {run_id: _numbers(record) for run_id, record in found.items()}


def _numbers(record: RunRecord) -> tuple[dict[str, float], dict[str, list[float]]]:
    return record.metrics, record.series


def num_stored(store: Path) -> int:
    """How many trials are there now; 0 before the file or its tables are."""
    import sqlite3

    if not store.exists():
        return 0
    connection = sqlite3.connect(store)
    try:
        return int(connection.execute("SELECT count(*) FROM runs").fetchone()[0])
    except sqlite3.OperationalError:
        return 0
    finally:
        connection.close()


def wait_for(store: Path, num: int, process: subprocess.Popen[str] | None = None) -> None:
    """Wait until so many trials are stored, or the process has ended."""
    deadline = time.monotonic() + 240
    while num_stored(store) < num and (process is None or process.poll() is None):
        assert time.monotonic() < deadline, "no trial finished"
        time.sleep(0.02)


def descendants(process: subprocess.Popen[str]) -> list[psutil.Process]:
    """Its processes, and theirs."""
    return psutil.Process(process.pid).children(recursive=True) if process.poll() is None else []


def workers_of(process: subprocess.Popen[str]) -> list[psutil.Process]:
    """Its worker processes, spawned or forked by its fork server; that and the resource tracker are none."""
    return [child for child in descendants(process) if is_worker(child, of=process.pid)]


def is_worker(child: psutil.Process, *, of: int) -> bool:
    """Whether a process runs trials; one that has ended does not."""
    try:
        line = " ".join(child.cmdline())
        return "spawn_main" in line or ("forkserver" in line and child.ppid() != of)
    except psutil.Error:
        return False


def all_end(processes: Iterable[psutil.Process]) -> None:
    """Fail if one of them does not end soon."""
    _gone, alive = psutil.wait_procs(list(processes), timeout=30)
    assert alive == []


def fail_elsewhere(monkeypatch: pytest.MonkeyPatch, lost: Sequence[str]) -> None:
    """Let another session on the same store be the one that runs some trials, which fail there."""
    usual = Leases.claim

    def claim(leases: Leases, run_ids: Sequence[str]) -> dict[str, str]:
        found = usual(leases, [run_id for run_id in run_ids if run_id not in lost])
        return found | {run_id: "failed" for run_id in run_ids if run_id in lost}

    monkeypatch.setattr(Leases, "claim", claim)
