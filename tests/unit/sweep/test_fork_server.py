"""Workers forked by a server that has torch loaded, and spawned ones where there can be no such server."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
from multiprocessing import forkserver
from pathlib import Path
from typing import Any

import psutil
import pytest

from subtx_toy.sweep.fork_server import ForkServer
from subtx_toy.sweep.workers import LocalWorkers
from tests.faults.sweeping import trials

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="elsewhere workers are spawned")


def _server() -> Any:
    return forkserver._forkserver


def test_two_workers_load_torch_once_and_survive_the_death_of_their_server() -> None:
    workers = LocalWorkers(2)
    try:
        batches = [workers.submit([trial]) for trial in trials()[:2]]
        assert all(outcome.record is not None for batch in batches for outcome in batch.result())
        server = psutil.Process(_server()._forkserver_pid)
        assert server.num_threads() == 1, "a process with more threads must not fork"
        assert any("libtorch" in region.path for region in server.memory_maps())
        assert len(server.children()) == 2
        environment = server.environ()
        assert environment["OMP_NUM_THREADS"] == "1"
        assert "MALLOC_TRIM_THRESHOLD_" in environment
        assert "MALLOC_TRIM_THRESHOLD_" not in os.environ, "it is for workers alone"
        assert all(child.num_threads() > 1 for child in server.children()), "one that follows the coordinator"
        server.send_signal(signal.SIGKILL)
        with pytest.raises(Exception) as caught:  # noqa: PT011, which one is what died() knows
            workers.submit(trials()[2:3]).result()
        assert workers.died(caught.value)
        workers.recover()
        assert workers.submit(trials()[2:3]).result()[0].record is not None
    finally:
        workers.close(at_once=True)
    assert _server()._forkserver_pid is None
    assert multiprocessing.active_children() == []


def test_a_server_of_the_callers_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_server(), "_forkserver_pid", os.getpid())
    ours = ForkServer()
    assert ours.context().get_start_method() == "spawn"
    ours.close()
    assert _server()._forkserver_pid == os.getpid()


def test_workers_are_spawned_where_no_server_can_start(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def no_room() -> None:
        raise OSError("AF_UNIX path too long")

    monkeypatch.setattr(_server(), "ensure_running", no_room)
    before = list(_server()._preload_modules)
    assert ForkServer().context().get_start_method() == "spawn"
    assert _server()._preload_modules == before
    monkeypatch.setattr(sys, "platform", "darwin")
    assert ForkServer().context().get_start_method() == "spawn"
