"""How a store grows: writing, planning a resume, summary and size, from a thousand trials to a million."""

from __future__ import annotations

import argparse
import json
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from subtx_toy.results.cells import summarize
from subtx_toy.results.rows import select
from subtx_toy.settings.base import RESULTS_VERSION
from subtx_toy.settings.distillation import RunConfig
from subtx_toy.store import Store
from subtx_toy.store.maintenance import faults
from subtx_toy.store.record import RunRecord, peak_rss_mib
from subtx_toy.store.trials import states
from subtx_toy.sweep.plan import Plan
from subtx_toy.sweep.schedule import schedule
from subtx_toy.sweep.trial import Trial

SUMMARY = "process CPU time of a store's operations against the number of its trials"
SEEDS = 20
_BATCH = 1000  # records a transaction
_BULK = 20_000  # of the records that only fill the store, in the order of their keys: pages are written once
_TIMED = 10_000  # records at most that are written in the order in which trials finish, into the full store


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--sizes", type=lambda text: [int(float(part)) for part in text.split(",")], default=[1000, 10_000, 100_000],
        help="trials, such as 1e3,1e4,1e5,1e6 (default 1e3,1e4,1e5)",
    )  # fmt: skip
    parser.add_argument("--repeats", type=int, default=3, help="of everything that reads the store (default 3)")
    parser.add_argument("--keep", type=Path, help="folder for the stores, which stay there and are not made again")


def planned(size: int) -> tuple[Plan, list[Trial]]:
    """The plan of ``size`` trials: 20 seeds each of configurations that differ in their step size."""
    plan = Plan.read("tiny", [f"lr=linear:1e-4:1e-1:{max(size // SEEDS, 2)}"], seeds=f"0:{SEEDS}")
    return plan, schedule(plan.configs, range(SEEDS))


def records(trials: list[Trial]) -> Iterator[RunRecord]:
    """Records of the size of real ones, with numbers that mean nothing."""
    arms = ("reference", "teacher", "student_aux", "student_all", "cross_aux", "cross_all")
    settings: dict[int, dict[str, object]] = {}
    for trial in trials:
        assert isinstance(trial.config, RunConfig)
        yield RunRecord(
            run_id=trial.run_id,
            results_version=RESULTS_VERSION,
            config=settings.setdefault(id(trial.config), trial.config.model_dump()),
            seed=trial.seed,
            dataset_sha256=trial.dataset_sha256,
            versions={"subtx_toy": "0", "python": "3", "torch": "2", "numpy": "2", "blas": "openblas", "machine": "x"},
            metrics={f"{arm}.accuracy": trial.seed / SEEDS for arm in arms},
            wall_seconds=0.3,
            cpu_seconds=0.3,
            training_cpu_seconds=0.3,
            peak_rss_mib=300.0,
            series={f"{arm}.{what}": [0.5] * num for arm in arms[1:4] for what, num in (("accuracy", 6), ("loss", 5))},
        )


def timed(work: Callable[[], object]) -> tuple[float, object]:
    """Return CPU seconds of this process, and what ``work`` gives."""
    began = time.process_time()
    result = work()
    return time.process_time() - began, result


def fill(path: Path, trials: list[Trial]) -> float:
    """Make a store of these trials; return how many records per CPU second were written into it at the end."""
    timed_ones = min(len(trials) // 10, _TIMED)
    first, last = sorted(trials[:-timed_ones], key=lambda trial: trial.run_id), trials[-timed_ones:]
    with Store(path) as store:
        for at in range(0, len(first), _BULK):
            store.add_all(records(first[at : at + _BULK]))
        batches = [list(records(last[at : at + _BATCH])) for at in range(0, len(last), _BATCH)]
        return len(last) / sum(timed(lambda batch=batch: store.add_all(batch))[0] for batch in batches)  # type: ignore[misc]


def reading(path: Path, size: int) -> dict[str, float]:
    """Return CPU seconds of what reads a store; each opens it again, so that nothing is cached but by the system."""

    def resume() -> None:
        _, trials = planned(size)
        with Store(path) as store:
            known = states(store, [trial.run_id for trial in trials])
        assert len(known) == len(trials)
        assert set(known.values()) == {"done"}

    def summary() -> None:
        with Store(path) as store:
            assert len(summarize(select(store))) == size // SEEDS

    def find() -> None:
        with Store(path) as store:
            assert len(store.find(planned(2 * SEEDS)[0].configs[0])) == SEEDS

    steps = {"plan": lambda: planned(size), "resume": resume, "summary": summary, "find": find}
    return {f"{name}_seconds": timed(work)[0] for name, work in steps.items()}


def doctor_seconds(path: Path) -> float:
    """Return CPU seconds of reading the store through, which must find nothing."""
    seconds, found = timed(lambda: faults(path))
    assert found == []
    return seconds


def spread(values: list[float]) -> dict[str, float]:
    """Return median, min and max, in milliseconds' precision."""
    named = {"median": statistics.median(values), "min": min(values), "max": max(values)}
    return {name: round(value, 3) for name, value in named.items()}


def measure(size: int, repeats: int, folder: Path) -> dict[str, Any]:
    path = folder / f"{size}.sqlite"
    trials, written = planned(size)[1], None
    if not path.exists():
        written = fill(path, trials)
    num = len(trials)
    del trials
    rounds = [reading(path, size) for _ in range(repeats)]
    return {
        "trials": num, "mib": path.stat().st_size / 2**20, "written_per_second": written, "repeats": repeats,
        **{name: spread([one[name] for one in rounds]) for name in rounds[0]},
        "doctor_seconds": doctor_seconds(path), "peak_rss_mib": peak_rss_mib(), "load_average": os.getloadavg()[0],
    }  # fmt: skip


def run(arguments: argparse.Namespace) -> None:
    with tempfile.TemporaryDirectory() as temporary:
        folder = arguments.keep or Path(temporary)
        rows = [measure(size, arguments.repeats, folder) for size in arguments.sizes]
    if arguments.json:
        print(json.dumps({"benchmark": "store", "rows": rows}, indent=2))
        return
    for row in rows:
        for name, value in row.items():
            print(f"{name:<24}{_shown(value)}")


def _shown(value: object) -> str:
    if isinstance(value, dict):
        return f"{value['median']:,.3f} ({value['min']:,.3f} to {value['max']:,.3f})"
    return f"{value:,.1f}" if isinstance(value, float) else str(value)
