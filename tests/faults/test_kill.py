"""Runs that are really killed and interrupted: nothing finished is lost or doubled, nothing is left running."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from subtx_toy.seeding import generator

NUM_SEEDS = 6
COMMAND = [
    sys.executable, "-m", "subtx_toy", "run", "cloud2025", "dataset=glyphs", "num_train=500", "num_test=200",
    "num_inputs=500", "batch_size=100", "width=32", "teacher_epochs=3", "student_epochs=6", "--seeds", f"0:{NUM_SEEDS}",
    "--workers", "2", "--json",
]  # fmt: skip


def _start(store: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*COMMAND, "--store", str(store)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def _finish(store: Path) -> dict[str, list[float]]:
    process = _start(store)
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    return {arm: content["values"] for arm, content in json.loads(out)["arms"].items()}


def _stored(store: Path) -> list[str]:
    if not store.exists():
        return []
    connection = sqlite3.connect(store)
    try:
        return [row[0] for row in connection.execute("SELECT run_id FROM runs")]
    except sqlite3.OperationalError:  # killed before the tables were made
        return []
    finally:
        connection.close()


def _wait_for(store: Path, process: subprocess.Popen[str], num: int) -> None:
    deadline = time.monotonic() + 60
    while len(_stored(store)) < num and process.poll() is None:
        assert time.monotonic() < deadline, "no trial finished"
        time.sleep(0.05)


def _descendants_end(children: list[psutil.Process]) -> None:
    _gone, alive = psutil.wait_procs(children, timeout=15)
    assert alive == []


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[float]]:
    return _finish(tmp_path_factory.mktemp("undisturbed") / "r.sqlite")


def _kill_and_resume(store: Path, undisturbed: dict[str, list[float]], *, after: float) -> None:
    process = _start(store)
    time.sleep(after)
    children = psutil.Process(process.pid).children(recursive=True) if process.poll() is None else []
    process.kill()
    process.communicate()
    _descendants_end(children)
    before = _stored(store)
    assert len(before) == len(set(before))
    assert _finish(store) == undisturbed
    after_resume = _stored(store)
    assert set(before) <= set(after_resume)
    assert len(after_resume) == len(set(after_resume)) == NUM_SEEDS


def test_kill_9_between_two_trials_loses_and_doubles_nothing(
    tmp_path: Path, undisturbed: dict[str, list[float]]
) -> None:
    store = tmp_path / "r.sqlite"
    process = _start(store)
    _wait_for(store, process, 2)
    children = psutil.Process(process.pid).children(recursive=True)
    process.kill()
    process.communicate()
    _descendants_end(children)
    before = _stored(store)
    assert len(before) >= 2
    assert _finish(store) == undisturbed
    assert set(before) < set(_stored(store))
    assert len(_stored(store)) == NUM_SEEDS


def test_kill_9_at_a_random_moment(tmp_path: Path, undisturbed: dict[str, list[float]]) -> None:
    moment = float(generator(int.from_bytes(os.urandom(4)), "test", "kill").uniform(0.1, 6.0))
    print(f"killed after {moment:.3f} s")  # noqa: T201, shown by pytest when the test fails
    _kill_and_resume(tmp_path / "r.sqlite", undisturbed, after=moment)


@pytest.mark.slow
@pytest.mark.parametrize("moment", range(20))
def test_kill_9_at_twenty_moments(tmp_path: Path, undisturbed: dict[str, list[float]], moment: int) -> None:
    after = float(generator(moment, "test", "kill").uniform(0.0, 8.0))
    _kill_and_resume(tmp_path / "r.sqlite", undisturbed, after=after)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_keeps_what_is_finished_and_exits_130(tmp_path: Path, number: signal.Signals) -> None:
    store = tmp_path / "r.sqlite"
    process = _start(store)
    _wait_for(store, process, 1)
    children = psutil.Process(process.pid).children(recursive=True)
    process.send_signal(number)
    out, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert out == ""
    assert "interrupted" in err
    assert "Traceback" not in err
    _descendants_end(children)
    assert 1 <= len(_stored(store)) <= NUM_SEEDS
