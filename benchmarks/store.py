"""How a store grows: writing, planning a resume, summary and size, from a thousand trials to a million."""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from subtx_toy.results.cells import summarize
from subtx_toy.results.rows import select
from subtx_toy.settings.base import RESULTS_VERSION
from subtx_toy.settings.distillation import RunConfig
from subtx_toy.store import Store
from subtx_toy.store.maintenance import faults
from subtx_toy.store.record import RunRecord
from subtx_toy.store.trials import states
from subtx_toy.sweep.plan import Plan
from subtx_toy.sweep.schedule import schedule
from subtx_toy.sweep.trial import Trial

SUMMARY = "process CPU time of a store's operations against the number of its trials"
SEEDS = 20
_BATCH = 1000  # records a transaction


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--sizes", type=lambda text: [int(float(part)) for part in text.split(",")], default=[1000, 10_000, 100_000],
        help="trials, such as 1e3,1e4,1e5,1e6 (default 1e3,1e4,1e5)",
    )  # fmt: skip


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


def measure(size: int) -> dict[str, float | int]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "r.sqlite"
        _, trials = planned(size)
        writing = 0.0
        with Store(path) as store:
            for at in range(0, len(trials), _BATCH):
                made = list(records(trials[at : at + _BATCH]))
                writing += timed(lambda batch=made: store.add_all(batch))[0]  # type: ignore[misc]
        with Store(path) as store:
            plan_seconds, (_, again) = timed(lambda: planned(size))  # type: ignore[misc]
            states_seconds, known = timed(lambda: states(store, [trial.run_id for trial in again]))
            assert set(known.values()) == {"done"}  # type: ignore[attr-defined]
            summary_seconds, cells = timed(lambda: summarize(select(store)))
            assert len(cells) == size // SEEDS  # type: ignore[arg-type]
            find_seconds, _ = timed(lambda: store.find(trials[0].config))
        check_seconds, found = timed(lambda: faults(path))
        assert found == []
        return {
            "trials": len(trials),
            "mib": path.stat().st_size / 2**20,
            "write_rows_per_second": len(trials) / writing,
            "resume_seconds": plan_seconds + states_seconds,
            "of_it_plan_seconds": plan_seconds,
            "summary_seconds": summary_seconds,
            "find_seconds": find_seconds,
            "doctor_seconds": check_seconds,
        }


def run(arguments: argparse.Namespace) -> None:
    rows = [measure(size) for size in arguments.sizes]
    if arguments.json:
        print(json.dumps({"benchmark": "store", "rows": rows}, indent=2))
        return
    for name in rows[0]:
        print(f"{name:<24}" + "".join(f"{row[name]:>14,.3f}" for row in rows))
