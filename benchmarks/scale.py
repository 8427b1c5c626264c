"""A sweep's bookkeeping at scale: one coordinator, a Dask scheduler on loopback, workers that compute nothing."""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from concurrent.futures import Future
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import psutil

from benchmarks.store import planned, records
from subtx_toy.store import Store
from subtx_toy.sweep.dask_workers import DaskWorkers
from subtx_toy.sweep.session import carry_out
from subtx_toy.sweep.trial import Trial, TrialOutcome

SUMMARY = "trials per second that one coordinator hands out and stores, over simulated workers of Dask, and its memory"
_SECONDS = 0.02  # that a trial claims to take, so that a batch holds 15
_LOOKS = 10  # at memory, evenly over the trials
_SAMPLE_SECONDS = 10.0  # between further looks, which also tell whoever waits how far it is


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--trials", type=lambda text: int(float(text)), default=100_000, help="default 1e5")
    parser.add_argument("--workers", type=int, default=256, help="simulated workers (default 256)")


def stub_batch(trials: Sequence[Trial]) -> list[TrialOutcome]:
    """Return records of the size of real ones, at once."""
    return [
        TrialOutcome(trial, record, "", 0.0, _SECONDS) for trial, record in zip(trials, records([*trials]), strict=True)
    ]


class SimulatedWorkers(DaskWorkers):
    """Workers of a running scheduler that compute nothing."""

    def submit(self, trials: Sequence[Trial]) -> Future[list[TrialOutcome]]:
        """Start a batch, or queue it."""
        future: Future[list[TrialOutcome]] = self._executor.submit(stub_batch, tuple(trials))
        return future


def serve(num: int, pipe: Connection) -> None:
    """Run a scheduler and ``num`` workers as threads of this process until the other end of the pipe is closed."""
    import distributed

    library: Any = distributed  # its functions have no types
    options = {"dashboard_address": None, "memory_limit": 0, "silence_logs": 50}
    with library.LocalCluster(
        num, threads_per_worker=1, processes=False, host="127.0.0.1", protocol="tcp://", **options
    ) as it:
        pipe.send(it.scheduler_address)
        pipe.recv()
        pipe.send(sum(os.times()[:2]))


class MemorySamples:
    """Resident memory of this process every ten seconds, in MiB, with the trials that are done by then."""

    def __init__(self) -> None:
        self.done, self.rows = 0, list[tuple[int, int]]()
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._follow, daemon=True)
        self._thread.start()

    def look(self) -> int:
        """Return the memory now."""
        return round(psutil.Process().memory_info().rss / 2**20)

    def _follow(self) -> None:
        while not self._end.wait(_SAMPLE_SECONDS):
            self.rows.append((self.done, self.look()))
            print(f"{self.done:,} trials, {self.rows[-1][1]} MiB", file=sys.stderr, flush=True)

    def close(self) -> None:
        """Stop looking."""
        self._end.set()
        self._thread.join()


def measure(num_trials: int, num_workers: int) -> dict[str, Any]:
    _, trials = planned(num_trials)
    ours, theirs = multiprocessing.Pipe()
    cluster = multiprocessing.get_context("spawn").Process(target=serve, args=(num_workers, theirs))
    cluster.start()
    address = ours.recv()
    samples, memory, marks = MemorySamples(), [], [len(trials) * at // _LOOKS for at in range(_LOOKS + 1)]
    with tempfile.TemporaryDirectory() as folder, Store(Path(folder) / "r.sqlite") as store:
        cpu = wall = 0.0
        for tally, _ in carry_out(trials, store, lambda: SimulatedWorkers(1, address), experiment="tiny"):
            samples.done = tally.done
            if not tally.done:  # plan, leases and the connection are behind
                cpu, wall = time.process_time(), time.perf_counter()
            while marks and tally.done >= marks[0]:
                memory.append(samples.look())
                marks.pop(0)
        cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
        assert tally.done == len(trials)
    samples.close()
    ours.send("end")
    cluster_cpu = ours.recv()
    cluster.join()
    return {
        "trials": len(trials),
        "workers": num_workers,
        "wall_seconds": wall,
        "coordinator_cpu_seconds": cpu,
        "cluster_cpu_seconds": cluster_cpu,
        "trials_per_second": len(trials) / wall,
        "trials_per_coordinator_cpu_second": len(trials) / cpu,
        "coordinator_mib": memory,
        "samples": len(samples.rows),
        "highest_sampled_mib": max((mib for _, mib in samples.rows), default=None),
        "load_average": os.getloadavg()[0],
    }


def run(arguments: argparse.Namespace) -> None:
    row = measure(arguments.trials, arguments.workers)
    if arguments.json:
        print(json.dumps({"benchmark": "scale", "rows": [row]}, indent=2))
        return
    for name, value in row.items():
        print(f"{name:<36}{value if isinstance(value, list) else format(value, ',.1f')}")
