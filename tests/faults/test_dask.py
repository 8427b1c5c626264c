"""Dask clusters that are really killed: a worker is replaced, and a lost scheduler loses nothing that is stored."""

from __future__ import annotations

import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.sweeping import (
    NUM_TRIALS,
    Numbers,
    all_end,
    descendants,
    finish,
    num_stored,
    numbers,
    start,
    wait_for,
)

pytest.importorskip("distributed", reason="Dask is an optional extra")


def test_kill_9_of_a_dask_worker_is_survived(tmp_path: Path, undisturbed: Numbers) -> None:
    store = tmp_path / "r.sqlite"
    process = start(store, "--engine", "dask", "--workers", "2")
    wait_for(store, 1, process)
    children = descendants(process)
    next(child for child in children if "spawn_main" in " ".join(child.cmdline())).kill()
    _out, err = process.communicate(timeout=240)
    assert process.returncode == 0, err
    assert numbers(store) == undisturbed
    all_end(children)


@pytest.fixture
def scheduler() -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A scheduler on a free port, and one worker."""
    options = ["--host", "127.0.0.1", "--no-dashboard"]
    command = [sys.executable, "-m", "distributed.cli.dask_scheduler", "--port", "0", *options]
    one = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    assert one.stderr is not None
    address = next(found[0] for line in one.stderr if (found := re.search(r"tcp://127\.0\.0\.1:\d+", line)))
    reader = threading.Thread(target=one.stderr.read)  # so that it never waits for its reader
    reader.start()
    worker = subprocess.Popen(
        [sys.executable, "-m", "distributed.cli.dask_worker", address, "--nthreads", "1", *options],
        stderr=subprocess.DEVNULL,
    )
    yield one, address
    for process in (worker, one):
        process.terminate()
        process.wait(timeout=60)
    reader.join()
    one.stderr.close()


def test_kill_9_of_the_dask_scheduler_is_one_clear_error_and_the_sweep_goes_on_elsewhere(
    tmp_path: Path, undisturbed: Numbers, scheduler: tuple[subprocess.Popen[str], str]
) -> None:
    store = tmp_path / "r.sqlite"
    process = start(store, "--scheduler", scheduler[1])
    wait_for(store, 1, process)
    scheduler[0].kill()
    _out, err = process.communicate(timeout=240)
    assert process.returncode == 2, err
    assert f"error: scheduler: lost {scheduler[1]}" in err
    assert 1 <= num_stored(store) < NUM_TRIALS
    finish(store)
    assert numbers(store) == undisturbed
