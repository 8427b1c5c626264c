"""Stores that are taken away while they are in use: one message, and every record in a file of its own."""

from __future__ import annotations

import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from subtx_toy.store import Store
from subtx_toy.store.maintenance import faults
from tests.faults.sweeping import NUM_TRIALS, start, wait_for
from tests.reference.examples import slow
from tests.unit.store.test_schema import _record

SETTINGS = ["num_train=100", "num_test=100", "num_inputs=100"]


def quick(store: Path, *words: str) -> subprocess.Popen[str]:
    """Start a command with a thousand trials that take 20 milliseconds each, by default a sweep."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    words = words or ("sweep", "tiny", *SETTINGS, "width=4,5", "--seeds", "0:500")
    command = [sys.executable, "-m", "tests.faults.quick_workers", *words, "--store", str(store)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def _remove(store: Path, _other: Path) -> None:
    store.unlink()


def _move(store: Path, _other: Path) -> None:
    store.rename(store.with_name("elsewhere.sqlite"))


def _replace(store: Path, other: Path) -> None:
    shutil.copyfile(other, store.with_name("new"))
    store.with_name("new").replace(store)


def _empty(store: Path, _other: Path) -> None:
    store.with_name("new").touch()
    store.with_name("new").replace(store)


def _remove_folder(store: Path, _other: Path) -> None:
    shutil.rmtree(store.parent)


def _remove_log(store: Path, _other: Path) -> None:
    store.with_name(f"{store.name}-wal").unlink()


def _truncate(store: Path, _other: Path) -> None:
    store.write_bytes(b"")


def _overwrite(store: Path, other: Path) -> None:
    shutil.copyfile(other, store)


IN_PLACE = (_truncate, _overwrite)
"""Here nothing of the database is left but what the sweep has in memory."""

WAYS = [_remove, _replace, _truncate, *slow(_move, _empty, _remove_folder, _remove_log, _overwrite)]


@pytest.fixture
def other(tmp_path: Path) -> Path:
    """Another store, of 30 records."""
    path = tmp_path / "other.sqlite"
    with Store(path) as store:
        store.add_all([_record(seed) for seed in range(30)])
    return path


def _keys(path: Path) -> set[str]:
    with Store(path, read_only=True) as store:
        return {key for (key,) in store.connection.rows("SELECT run_id FROM runs")}


def _rescued(err: str) -> Path:
    found = re.search(r"are in (.*); move it to", err)
    assert found is not None, err
    return Path(found[1])


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__.lstrip("_"))
def test_a_store_that_is_taken_away_ends_the_sweep_and_loses_nothing(
    tmp_path: Path, other: Path, way: Callable[[Path, Path], None]
) -> None:
    store = tmp_path / "folder" / "results.sqlite"
    process = quick(store)
    wait_for(store, 20, process)
    before = _keys(store)
    assert len(before) >= 20
    way(store, other)
    out, err = process.communicate(timeout=120)
    assert process.returncode == 2, err
    assert out == ""
    assert "Traceback" not in err
    (line,) = (line for line in err.splitlines() if line.startswith("error: "))
    assert str(store) in line
    rescued = _rescued(line)
    assert rescued.name == "results.rescued-1.sqlite"
    assert rescued.parent == store.parent
    assert _keys(rescued) >= before, "records of before and after"
    assert faults(rescued) == []
    if way in (_replace, _overwrite):
        assert store.read_bytes() == other.read_bytes(), "the other store is left alone"
    if way in (_replace, _empty, *IN_PLACE):
        assert [*store.parent.glob(f"{store.name}-*")] == [], "a log that is not the new file's would break it"


def test_the_same_of_run_and_through_a_link(tmp_path: Path, other: Path) -> None:
    real, store = tmp_path / "real.sqlite", tmp_path / "results.sqlite"
    store.symlink_to(real)
    process = quick(store, "run", "tiny", *SETTINGS, "--seeds", "0:1000", "--no-figure")
    wait_for(real, 20, process)
    before = _keys(store)
    _remove_log(real, other)
    out, err = process.communicate(timeout=120)
    assert (process.returncode, out) == (2, ""), err
    assert "real.sqlite-wal was removed" in err
    assert _keys(_rescued(err)) >= before
    assert _keys(store) >= before, "what was in the log is in the file itself too"


@pytest.mark.slow
@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__.lstrip("_"))
def test_the_same_with_trials_that_compute(tmp_path: Path, other: Path, way: Callable[[Path, Path], None]) -> None:
    store = tmp_path / "folder" / "results.sqlite"
    process = start(store, "--workers", "1")
    wait_for(store, 2, process)
    before = _keys(store)
    way(store, other)
    _out, err = process.communicate(timeout=240)
    assert process.returncode == 2, err
    assert before <= _keys(_rescued(err))
    assert len(before) < NUM_TRIALS


def test_an_interrupt_does_not_hide_that_the_store_is_gone(tmp_path: Path) -> None:
    store = tmp_path / "results.sqlite"
    process = quick(store)
    wait_for(store, 5, process)
    process.send_signal(signal.SIGSTOP)
    store.unlink()
    process.send_signal(signal.SIGINT)
    process.send_signal(signal.SIGCONT)
    _out, err = process.communicate(timeout=60)
    assert process.returncode == 2, err
    assert len(_keys(_rescued(err))) >= 5
