"""Run one experiment over seeds: what ``subtx-toy run`` does, from Python."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from subtx_toy.api.arguments import data_folder, num_workers, store_path
from subtx_toy.api.display import silent
from subtx_toy.api.run_result import Run
from subtx_toy.data.dataset import Progress, Report
from subtx_toy.errors import InputError
from subtx_toy.seeding import seed_list
from subtx_toy.settings.base import Settings
from subtx_toy.settings.definitions import Definition
from subtx_toy.settings.experiment_file import read
from subtx_toy.store import Store
from subtx_toy.store.record import RunRecord
from subtx_toy.sweep import workers as pools
from subtx_toy.sweep.schedule import schedule
from subtx_toy.sweep.session import Tally, carry_out
from subtx_toy.sweep.trial import TrialOutcome

if TYPE_CHECKING:
    from subtx_toy.data.dataset import Progress, Report


QUICK_SEEDS = "0:2"
"""Seeds of a quick run that names none."""


def run(
    experiment: str | Path | Definition,
    *,
    seeds: str | int | Iterable[int] | None = None,
    quick: bool = False,
    workers: int | None = None,
    store: str | Path | None = None,
    data_dir: str | Path | None = None,
    report: Report | None = None,
    progress: Progress | None = None,
    **settings: Any,
) -> Run:
    """Run an experiment over seeds; what is stored already is not run again.

    Args:
        experiment: a packaged name, the path of a TOML file, or what ``read`` made of one.
        seeds: such as ``range(10)``, ``"0:10"`` or ``3``; by default the experiment's own.
        quick: small settings on drawn digits, to try things, where none are given; 2 seeds unless some are given.
        workers: processes of one thread each; by default as many as there are processors.
        store: the results file; by default SUBTX_TOY_STORE, or a file in the user's data folder.
        data_dir: folder with the IDX files of MNIST or Fashion-MNIST.
        report: called with a line for every finished seed; ``print`` will do.
        progress: called as ``progress(task, done, total, unit)``.
        settings: changes of the experiment's settings by name, for example ``num_aux=10``.

    Raises:
        InputError: naming everything that is wrong, or if no trial finished.

    Example:
        ``st.run("cloud2025", seeds=range(10), num_aux=10)``
    """
    start = time.perf_counter()
    definition, path, folder, num = read(experiment), store_path(store), data_folder(data_dir), num_workers(workers)
    base, configs, chosen = choose(definition, settings, seeds, quick=quick)
    with Store(path) as opened:
        trials = schedule(configs, chosen, data_dir=folder, report=report, progress=progress)
        watch = TrialLines(report or silent, progress or silent)
        steps = carry_out(
            trials, opened, lambda: pools.LocalWorkers(num), experiment=definition.name, retry_failed=True
        )  # fmt: skip
        for tally, outcomes in steps:
            watch(tally, outcomes)
        watch.end()
        found = opened.get([trial.run_id for trial in trials])
    records = tuple(trial.labelled(found[trial.run_id]) for trial in trials if trial.run_id in found)
    if not records:
        raise InputError("no trial finished")
    failed = tuple(sorted({trial.seed for trial in trials if trial.run_id not in found}))
    return Run(definition, base, records, failed, opened.path, time.perf_counter() - start)


def choose(
    definition: Definition, settings: Mapping[str, Any], seeds: str | int | Iterable[int] | None, *, quick: bool
) -> tuple[Settings, list[Settings], tuple[int, ...]]:
    """Return the settings before the grid, all configurations, and the seeds of a run, as ``run`` chooses them."""
    changes = {**definition.quick, **settings} if quick else settings
    base, configs, chosen = definition.config, list[Settings](), tuple[int, ...]()
    several = [name for name, value in settings.items() if _is_several(definition, name, value)]
    problems = [f"{name}: expected one value, got several; `sweep` takes several" for name in several]
    with InputError.collected(problems):
        if not several:
            base = definition.config.override(changes)
            configs = definition.configs(changes)
            definition.check_distinguishable(configs)
    with InputError.collected(problems):
        chosen = seed_list(seeds if seeds is not None else QUICK_SEEDS if quick else definition.seeds)
    InputError.gather(problems)
    return base, configs, chosen


def _is_several(definition: Definition, name: str, value: object) -> bool:
    """Return whether a value is a list, or a text such as ``16,32`` for a setting that takes no text of its own."""
    field = type(definition.config).model_fields.get(name)
    listed = isinstance(value, str) and "," in value and field is not None and field.annotation is not str
    return listed or isinstance(value, list | tuple | set | range)


class TrialLines:
    """Reports what is stored already, every finished seed, and every new kind of failure."""

    def __init__(self, report: Report, progress: Progress) -> None:
        self._report, self._progress = report, progress
        self._total, self._done, self._tally = 0, 0, Tally(0)
        self._failures: set[str] = set()
        self._others: set[object] = set()

    def __call__(self, tally: Tally, outcomes: Sequence[TrialOutcome]) -> None:
        """Report some outcomes; the first call comes before any trial has run."""
        if not self._tally.total:
            self._total = tally.left
            if tally.stored:
                self._report(f"{tally.stored} of {tally.total} trials are stored already")
        self._tally = tally
        for line in waiting_lines(tally, self._others):
            self._report(line)
        if not self._total:
            return
        for outcome in outcomes:
            self._done += 1
            if outcome.record is not None:
                self._report(_line(outcome.record, self._done, self._total))
            for line in failure_lines(outcome, f"seed {outcome.trial.seed}", self._failures):
                self._report(line)
        self._progress("training", self._total - tally.left, self._total, "trials")

    def end(self) -> None:
        """Say how many trials failed."""
        tally = self._tally
        if tally.failed_before:
            self._report(f"{tally.failed_before} trials failed in another session on the same store")
        if failed := tally.failed + tally.failed_before:
            self._report(f"{failed} trials failed; the others are stored, and the same command tries again")


def failure_lines(outcome: TrialOutcome, name: str, known: set[str]) -> list[str]:
    """Say why a trial failed, and where if that is not ``known`` yet; nothing of a trial that finished."""
    if outcome.record is not None:
        return []
    where = outcome.error.strip()
    reason = where.splitlines()[-1]
    lines = [f"{name} failed: {reason}"]
    if reason != where and where not in known:
        known.add(where)
        lines.append(where)
    return lines


def waiting_lines(tally: Tally, known: set[object]) -> list[str]:
    """Say who is waited for, each other coordinator once and again when its state changes."""
    new = [one for one in tally.waiting_for if (one.host, one.pid, one.state) not in known]
    known.update((one.host, one.pid, one.state) for one in new)
    return [f"waiting for {one}" for one in new]


def _line(record: RunRecord, done: int, total: int) -> str:
    words = {arm: f"diverged in epoch {epoch}" for arm, epoch in record.diverged.items()}
    values = ", ".join(f"{arm} {words.get(arm, f'{value:.3f}')}" for arm, value in record.accuracies.items())
    return f"[{done}/{total}] seed {record.seed}, {record.cpu_seconds:.1f} s of CPU" + (values and f": {values}")
