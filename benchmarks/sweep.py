"""What a sweep costs beside its trials: plan, start-up, and the time in which workers have nothing to do."""

from __future__ import annotations

import argparse
import json
import os
import resource
import tempfile
import time
from pathlib import Path

from subtx_toy.settings.seeds import parse_seeds
from subtx_toy.store import Store
from subtx_toy.sweep.plan import Plan
from subtx_toy.sweep.schedule import schedule
from subtx_toy.sweep.session import carry_out
from subtx_toy.sweep.trial import TrialOutcome
from subtx_toy.sweep.workers import LocalWorkers, Workers

SUMMARY = "overhead of a sweep of tiny trials: local processes against Dask, on the same trials"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--trials", type=int, default=1000, help="number of them (default 1000)")
    parser.add_argument("--workers", type=int, default=2, help="processes (default 2)")
    parser.add_argument("--engine", choices=["local", "dask", "both"], default="both", help="default both")


def machine_busy() -> float:
    """Return the seconds that all processors of this machine have been busy."""
    fields = Path("/proc/stat").read_text(encoding="ascii").splitlines()[0].split()[1:]
    user, nice, system, _idle, _iowait, irq, softirq, *_ = map(int, fields)
    return (user + nice + system + irq + softirq) / os.sysconf("SC_CLK_TCK")


def measure(engine: str, trials: int, workers: int) -> dict[str, float | int | str]:
    began = time.process_time()
    plan = Plan.read("tiny", ["lr=log:1e-3:1e-2:10"], seeds=f"0:{-(-trials // 10)}")
    planned = schedule(plan.configs, parse_seeds(plan.seeds))[:trials]
    plan_seconds = time.process_time() - began

    def open_workers() -> Workers:
        if engine == "dask":
            from subtx_toy.sweep.dask_workers import DaskWorkers

            return DaskWorkers(workers)
        return LocalWorkers(workers)

    outcomes: list[TrialOutcome] = []
    with tempfile.TemporaryDirectory() as folder, Store(Path(folder) / "r.sqlite") as store:
        start = time.time()
        clocks: list[tuple[float, float]] = []  # of the coordinator and of the machine, at each outcome
        for _, found in carry_out(planned, store, open_workers, experiment="tiny"):
            outcomes += found
            if found:
                clocks.append((time.process_time(), machine_busy()))
        end = time.time()
        coordinator, busy = (after - before for before, after in zip(clocks[0], clocks[-1], strict=True))
    began_at, ended_at = min(one.started for one in outcomes), max(one.ended for one in outcomes)
    cpu = sum(one.record.cpu_seconds for one in outcomes if one.record is not None)
    in_trials = sum(one.ended - one.started for one in outcomes)
    wall = ended_at - began_at
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return {
        "engine": engine,
        "trials": len(planned),
        "failed": sum(one.record is None for one in outcomes),
        "workers": workers,
        "plan_cpu_seconds": plan_seconds,
        "startup_seconds": began_at - start,
        "shutdown_seconds": end - ended_at,
        "wall_seconds": wall,
        "trial_cpu_seconds": cpu,
        "trial_wall_seconds": in_trials,
        "overhead": (workers * wall - cpu) / cpu,
        "idle_workers": (workers * wall - in_trials) / in_trials,
        "outside_trial_cpu": (children.ru_utime + children.ru_stime) / cpu - 1,
        "coordinator_cpu_seconds": coordinator,
        "coordinator_share": coordinator / cpu,
        "foreign_busy_seconds": busy - cpu - coordinator,
        "load_average": os.getloadavg()[0],
    }


NOTES = {
    "overhead": "(workers x wall - trial CPU) / trial CPU, first start to last end: the figure on an idle machine",
    "idle_workers": "(workers x wall - wall inside trials) / wall inside trials: hardly moved by other programs",
    "coordinator_share": "CPU of the coordinator / trial CPU",
    "outside_trial_cpu": "CPU of ended workers beside trials, start-up included / trial CPU; not known for Dask",
    "foreign_busy_seconds": "processors busy with anything else meanwhile: start-up of workers, other programs",
}


def run(arguments: argparse.Namespace) -> None:
    engines = ["local", "dask"] if arguments.engine == "both" else [arguments.engine]
    rows = [measure(engine, arguments.trials, arguments.workers) for engine in engines]
    if arguments.json:
        print(json.dumps({"benchmark": "sweep", "rows": rows}, indent=2))
        return
    for name in rows[0]:
        values = "".join(f"{row[name]:>12.3f}" if isinstance(row[name], float) else f"{row[name]:>12}" for row in rows)
        print(f"{name:<26}{values}   {NOTES.get(name, '')}")
