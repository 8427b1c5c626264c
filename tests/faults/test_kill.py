"""Sweeps that are really killed, interrupted and starved: every trial is stored exactly once, with the right values."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sqlite3
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from subtx_toy.errors import StoreError
from subtx_toy.seeding import generator
from subtx_toy.store import Store, connection
from subtx_toy.store.trials import failure, states
from subtx_toy.sweep.session import Tally
from subtx_toy.sweep.trial import Trial
from subtx_toy.sweep.workers import LocalWorkers
from tests.faults.sweeping import (
    NUM_TRIALS,
    Numbers,
    all_end,
    descendants,
    finish,
    num_stored,
    numbers,
    start,
    trials,
    wait_for,
    workers_of,
)


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return tmp_path / "r.sqlite"


def _kill_and_resume(process: subprocess.Popen[str], store: Path, undisturbed: Numbers) -> None:
    children = descendants(process)
    process.kill()
    process.communicate()
    all_end(children)
    before = numbers(store)
    tally = finish(store)
    assert (tally.stored, tally.done) == (len(before), NUM_TRIALS - len(before)), "nothing is run twice or left out"
    assert numbers(store) == undisturbed


def test_kill_9_of_the_coordinator_loses_and_doubles_nothing(store: Path, undisturbed: Numbers) -> None:
    process = start(store, "--workers", "1")
    wait_for(store, 2, process)
    assert num_stored(store) >= 2
    _kill_and_resume(process, store, undisturbed)


@pytest.mark.slow
def test_kill_9_of_the_coordinator_before_anything_is_stored(store: Path, undisturbed: Numbers) -> None:
    process = start(store, "--workers", "1")
    while not store.exists():
        time.sleep(0.01)
    _kill_and_resume(process, store, undisturbed)


@pytest.mark.slow
@pytest.mark.parametrize("moment", range(20))
def test_kill_9_of_the_coordinator_at_twenty_moments(store: Path, undisturbed: Numbers, moment: int) -> None:
    """Ten moments of any kind, and ten counted from the first stored trial on."""
    draw = generator(moment, "test", "kill")
    process = start(store, "--workers", "2")
    if moment % 2:
        wait_for(store, 1, process)
        time.sleep(float(draw.uniform(0.0, 2.0)))
    else:
        time.sleep(float(draw.uniform(0.0, 15.0)))
    _kill_and_resume(process, store, undisturbed)


@pytest.mark.parametrize("number", [signal.SIGINT, pytest.param(signal.SIGTERM, marks=pytest.mark.slow)])
def test_an_interrupt_keeps_what_is_finished_and_exits_130(
    store: Path, undisturbed: Numbers, number: signal.Signals
) -> None:
    process = start(store, "--workers", "1")
    wait_for(store, 1, process)
    children = descendants(process)
    process.send_signal(number)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert out == ""
    assert "interrupted" in err
    assert "Traceback" not in err
    all_end(children)
    with Store(store) as opened:
        found = set(states(opened, [trial.run_id for trial in trials()]).values())
    assert found == {"done", "pending"}, "nothing is left in anybody's name"
    finish(store)
    assert numbers(store) == undisturbed


def test_kill_9_of_a_local_worker_is_survived(store: Path, undisturbed: Numbers) -> None:
    process = start(store, "--workers", "1")
    wait_for(store, 1, process)
    workers_of(process)[0].kill()
    _out, err = process.communicate(timeout=240)
    assert process.returncode == 0, err
    assert numbers(store) == undisturbed


class _Poison(Trial):
    """A trial that ends the worker that takes it from the queue."""

    def __reduce__(self) -> tuple[object, ...]:
        return os._exit, (9,)


def test_a_trial_that_kills_its_worker_fails_and_its_neighbours_do_not(store: Path, undisturbed: Numbers) -> None:
    some = trials()[:5]
    planned = [*some[:2], _Poison(**vars(some[2])), *some[3:]]
    tally = finish(store, lambda: LocalWorkers(2), planned)
    assert tally == Tally(5, done=4, failed=1)
    assert multiprocessing.active_children() == []
    with Store(store) as opened:
        assert str(failure(opened, some[2].run_id)).startswith("its worker process died")
    assert numbers(store) == {
        trial.run_id: undisturbed[trial.run_id] for trial in some if trial.run_id != some[2].run_id
    }


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 2 MiB."""
    folder = tmp_path / "small"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=2m", "none", str(folder)]
    if os.getuid() != 0 or subprocess.run(mount, check=False).returncode:
        pytest.skip("a file system of its own needs root, and mount")
    yield folder
    subprocess.run(["umount", folder], check=True)


def test_a_full_disk_stops_the_sweep_which_goes_on_when_there_is_room(small_disk: Path, undisturbed: Numbers) -> None:
    store, filler = small_disk / "r.sqlite", small_disk / "filler"
    Store(store).close()
    free = os.statvfs(small_disk).f_bavail * os.statvfs(small_disk).f_frsize
    filler.write_bytes(bytes(free - 250_000))  # for about five trials
    process = start(store, "--workers", "1")
    _out, err = process.communicate(timeout=240)
    assert process.returncode == 2
    assert "database or disk is full" in err
    assert "Traceback" not in err
    assert num_stored(store) < NUM_TRIALS
    filler.unlink()
    finish(store)
    assert numbers(store) == undisturbed


@pytest.mark.slow
def test_a_store_that_another_program_locks_for_a_while_is_waited_for(store: Path, undisturbed: Numbers) -> None:
    Store(store).close()
    locked = threading.Event()

    def lock() -> None:
        other = sqlite3.connect(store, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        locked.set()
        time.sleep(2)
        other.execute("COMMIT")
        other.close()

    holder = threading.Thread(target=lock)
    holder.start()
    locked.wait()
    began = time.monotonic()
    finish(store)
    assert time.monotonic() - began > 1.5, "it was locked"
    holder.join()
    assert numbers(store) == undisturbed


def test_a_store_that_stays_locked_is_one_clear_error_and_the_sweep_goes_on_later(
    store: Path, undisturbed: Numbers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "BUSY_SECONDS", 0.1)
    Store(store).close()
    other = sqlite3.connect(store, isolation_level=None)
    with Store(store):
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreError, match="locked"):
            finish(store)
        other.execute("COMMIT")
    other.close()
    finish(store)
    assert numbers(store) == undisturbed
