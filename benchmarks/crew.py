"""Processes that run variants of the six-arm protocol at the same time: this package in two precisions, two baselines.

The baselines run as this package does, in one-thread processes, and as scripts do: in one process whose threads take
all of the processors (``_threads``), the loop also in one process of one thread with nothing beside it (``_alone``).
"""

from __future__ import annotations

import multiprocessing
import statistics
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from typing import Any, NamedTuple

import torch

from benchmarks import baselines, ceiling
from benchmarks.sweep import machine_busy
from subtx_toy import data
from subtx_toy.protocols.distillation import run_protocol
from subtx_toy.settings.distillation import RunConfig
from subtx_toy.store.record import peak_rss_mib

FAST, SLOW = ("fp32", "bf16"), ("einsum", "loop", "einsum_threads", "loop_threads", "loop_alone")


class Variant(NamedTuple):
    """``fp32``, ``bf16``, ``einsum`` or ``loop``; models at once and threads of a process, and such processes."""

    name: str
    processes: int
    models: int = 1
    threads: int = 1

    @classmethod
    def named(cls, name: str, cores: int) -> Variant:
        """Return what a name of FAST or SLOW stands for on that many cores."""
        kind, _, way = name.partition("_")
        if way == "threads":
            return cls(kind, processes=1, threads=cores)
        return cls(kind, processes=1 if way == "alone" else cores)


def config_of(arguments: dict[str, Any], precision: str) -> RunConfig:
    return RunConfig.parse(
        {
            "dataset": arguments["dataset"], "num_train": arguments["images"], "num_inputs": arguments["images"],
            "teacher_epochs": arguments["epochs"], "student_epochs": arguments["epochs"], "precision": precision,
            "noise_grid": precision == "bf16",
        }
    )  # fmt: skip


def one(variant: Variant, seed: int, arguments: dict[str, Any]) -> dict[str, Any]:
    """Run a variant in this process; seconds a model are those of its work (``cpu``) and of the clock (``wall``)."""
    torch.set_num_threads(variant.threads)
    dataset = data.load(arguments["dataset"], num_train=arguments["images"], num_test=10_000)
    training = None
    wall, cpu = time.perf_counter(), time.process_time()
    if variant.name == "einsum":
        accuracy = baselines.einsum(dataset, seed=seed, num=variant.models, epochs=arguments["epochs"])
    elif variant.name == "loop":
        accuracy = baselines.loop(dataset, seed=seed, epochs=arguments["epochs"])
    else:
        result = run_protocol(config_of(arguments, variant.name), dataset, seed=seed)
        accuracy, training = result.accuracy, result.training_cpu_seconds
    return {
        "seed": seed, "cpu": (time.process_time() - cpu) / variant.models,
        "wall": (time.perf_counter() - wall) / variant.models,
        "training_cpu": training, "accuracy": accuracy,
        "peak_rss_mib": peak_rss_mib(),
    }  # fmt: skip


class Crew:
    """As many processes as asked for, each of which is given one task of every call, or the first few of them."""

    def __init__(self, num: int, arguments: dict[str, Any]) -> None:
        context = multiprocessing.get_context("spawn")
        self._pools = [ProcessPoolExecutor(1, mp_context=context) for _ in range(num)]
        self._arguments, self._seed = arguments, 0
        self.foreign: list[float] = []
        small = {**arguments, "images": 1024, "epochs": 1}  # imports and caches are not timed
        for name in ("fp32", "einsum", "loop"):
            for task in [pool.submit(one, Variant(name, num), 0, small) for pool in self._pools]:
                task.result()

    def run(self, variant: Variant) -> list[dict[str, Any]]:
        """Run a variant in its processes at the same time, with seeds that were not used before."""
        wall, busy = time.perf_counter(), machine_busy()
        tasks = []
        for pool in self._pools[: variant.processes]:
            tasks.append(pool.submit(one, variant, self._seed, self._arguments))
            self._seed += 1
        found = [task.result() for task in tasks]
        seconds, own = time.perf_counter() - wall, variant.models * sum(row["cpu"] for row in found)
        self.foreign.append(max(0.0, (machine_busy() - busy - own) / seconds))
        return found

    def ceiling(self, precision: str) -> list[dict[str, float]]:
        """Time the protocol's products in every process at the same time."""
        return [task.result() for task in [pool.submit(ceiling.step_seconds, precision) for pool in self._pools]]

    def close(self) -> None:
        """End the processes."""
        for pool in self._pools:
            pool.shutdown()


def mean(rows: Sequence[dict[str, Any]], key: str) -> float:
    """Return the mean of one number of every row."""
    return float(statistics.mean(row[key] for row in rows))
